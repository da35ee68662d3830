/** The file that a new profile goes to. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { folderPlaces, projectPlaces } from './read.ts'

export interface ConfigPlace {
  readonly file: string
  /** Undefined: a program, which is not ours to change. */
  readonly format: 'yaml' | 'json' | undefined
  readonly at: readonly string[]
  /** What stands there now; '' when there is no such file. */
  readonly text: string
}

/** The user's file: the one that is there, or a new config.yaml. */
export function userPlace(folder: string): ConfigPlace {
  const there = folderPlaces.map((name) => join(folder, name)).find(existsSync)
  return placeOf(there ?? join(folder, 'config.yaml'))
}

/** The project's file: the nearest at or above the folder, up to the home folder or the root; else a new one in it. */
export function projectPlace(cwd: string, home: string): ConfigPlace {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const there = projectPlaces
      .map((name) => join(folder, name))
      .find((file) => existsSync(file) && (!file.endsWith('package.json') || hasConfig(file)))
    if (there !== undefined) return placeOf(there)
    if (folder === home || folder === dirname(folder)) return placeOf(join(cwd, 'farcall.config.yaml'))
  }
}

function placeOf(file: string): ConfigPlace {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (/\.json$/.test(file))
    return { file, format: 'json', at: file.endsWith('package.json') ? ['farcall'] : [], text }
  return { file, format: /\.(ya?ml)$|\.farcallrc$/.test(file) ? 'yaml' : undefined, at: [], text }
}

function hasConfig(file: string): boolean {
  try {
    return 'farcall' in (JSON.parse(readFileSync(file, 'utf8')) as object)
  } catch {
    // Not ours to judge: whoever reads the configuration says what is wrong with it.
    return false
  }
}
