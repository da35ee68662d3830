/** The files of an ssh configuration: how one is read, and which ones it includes. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { ConfigError } from '../core/errors.ts'
import { matchesPattern } from './wildcards.ts'

/** '' where there is none and none has to be. @throws ConfigError CONFIG_INVALID */
export function readConfig(file: string, mustExist: boolean): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && !mustExist) return ''
    throw new ConfigError('CONFIG_INVALID', `${file} cannot be read: ${message}`, {
      hint: 'check its path and permissions',
      cause: error,
    })
  }
}

/** The files that an Include line of `file` names, sorted; a relative name lies in ~/.ssh, or beside the system's file. */
export function included(
  pattern: string,
  file: string,
  { home, systemFile }: { home: string; systemFile: string },
): string[] {
  if (pattern.startsWith('~/')) return glob(join(home, pattern.slice(2)))
  if (isAbsolute(pattern)) return glob(pattern)
  return glob(join(file === systemFile ? dirname(file) : join(home, '.ssh'), pattern))
}

/** Files by a pattern, sorted; wildcards in any part of the path. */
function glob(pattern: string): string[] {
  if (!/[*?]/.test(pattern)) return [pattern]
  const parent = dirname(pattern)
  const folders = parent === pattern ? [parent] : glob(parent)
  const name = basename(pattern)
  return folders.flatMap((folder) => {
    if (!/[*?]/.test(name)) return [join(folder, name)]
    return namesIn(folder)
      .filter((found) => matchesPattern(name, found) && (name.startsWith('.') || !found.startsWith('.')))
      .sort()
      .map((found) => join(folder, found))
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // not there, or not a folder: nothing matches
  }
}
