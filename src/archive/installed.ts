import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What of a package.json decides what a package needs. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly gypfile?: boolean
}

/** A package as it is installed here, with what it finds by its imports. */
export interface InstalledPackage {
  readonly name: string
  readonly version: string
  /** Real path. */
  readonly folder: string
  readonly manifest: Manifest
  /** By the name that it is imported by. */
  readonly needs: Map<string, InstalledPackage>
}

/** A package that the bundle imports. */
export interface Wanted {
  /** What the bundle calls it. */
  readonly alias: string
  readonly name: string
  /** Where it is installed here. */
  readonly folder: string
}

export interface Closure {
  readonly roots: ReadonlyMap<string, InstalledPackage>
  /** By real path. */
  readonly all: ReadonlyMap<string, InstalledPackage>
}

/** The packages and all that they need, as Node finds them from each one's own folder: whoever has installed them. */
export function closureOf(wanted: readonly Wanted[]): Closure {
  const all = new Map<string, InstalledPackage>()
  const take = (path: string): InstalledPackage => {
    const folder = realpathSync(path)
    const known = all.get(folder)
    if (known) return known
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
    const { name, version = '0.0.0', dependencies, optionalDependencies, peerDependencies } = manifest
    const found: InstalledPackage = { name, version, folder, manifest, needs: new Map() }
    all.set(folder, found)
    // What is missing here is missing there: optional parts for other platforms, peers that nobody uses.
    const needed = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
    for (const needs of needed.sort()) {
      const at = findPackage(needs, folder)
      if (at !== undefined) found.needs.set(needs, take(at))
    }
    return found
  }
  const roots = new Map(wanted.map(({ alias, folder }) => [alias, take(folder)]))
  return { roots, all }
}

/** The folder that an import of the package leads to from a file of `from`. */
export function findPackage(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name)
    if (!folder.endsWith('/node_modules') && existsSync(join(path, 'package.json'))) return path
    if (dirname(folder) === folder) return undefined
  }
}
