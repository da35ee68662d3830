import { existsSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this very package, as sources, as dist, or inside somebody's node_modules. */
export const ownRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)))

function findRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'farcall') return folder
    if (dirname(folder) === folder) return from
  }
}

/** A file of the library itself, not of its tests, examples or users. */
export function isOwnFile(path: string): boolean {
  return path.startsWith(join(ownRoot, 'src') + '/') || path.startsWith(join(ownRoot, 'dist') + '/')
}

/** Whether an import in a file of `folder` means farcall: by its name, or by the path of this package. */
export function isOwnSpecifier(specifier: string, folder: string): boolean {
  // Deno's name for it
  const name = specifier.replace(/^npm:\/?(farcall)(?:@[^/]*)?(?=\/|$)/, '$1')
  if (name === 'farcall' || name.startsWith('farcall/')) return true
  if (!specifier.startsWith('.') && !isAbsolute(specifier)) return false
  return isOwnFile(resolve(folder, specifier))
}
