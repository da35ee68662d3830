import { type Dependencies, type LockedPackage, type Lockfile, needsIn } from './types.ts'

interface Entry extends Dependencies {
  readonly name?: string
  readonly version?: string
  readonly integrity?: string
  readonly os?: string[]
  readonly cpu?: string[]
  readonly libc?: string[]
  readonly link?: boolean
}

/** package-lock.json of npm 7 and later: packages by the folder that they lie in, those of workspaces too. */
export function readNpmLock(text: string): Lockfile | undefined {
  const { packages } = JSON.parse(text) as { packages?: Record<string, Entry> }
  if (!packages) return undefined
  const known = new Map<string, LockedPackage>()
  const at = (path: string): LockedPackage | undefined => {
    const entry = packages[path]
    if (!entry?.version || entry.link) return undefined
    const before = known.get(path)
    if (before) return before
    const { version, integrity, os, cpu, libc } = entry
    const made: LockedPackage = {
      name: entry.name ?? nameOf(path),
      version,
      ...(integrity === undefined ? {} : { integrity }),
      ...(os && { os }),
      ...(cpu && { cpu }),
      ...(libc && { libc }),
      needs: () => needsIn(entry, (name) => resolve(path, name)),
    }
    known.set(path, made)
    return made
  }
  /** As Node does: in the package's own folder, then upward. */
  const resolve = (from: string, name: string): LockedPackage | undefined => {
    for (let folder = from; ; ) {
      const found = at(folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`)
      if (found || folder === '') return found
      const above = folder.lastIndexOf('/node_modules/')
      // Of a workspace's own folder, packages/x, the next one is the root.
      folder = above < 0 ? '' : folder.slice(0, above)
    }
  }
  return {
    file: 'package-lock.json',
    find: (name, version) => {
      const path = Object.keys(packages).find((one) => {
        const entry = at(one)
        return entry?.name === name && entry.version === version
      })
      return path === undefined ? undefined : at(path)
    },
  }
}

function nameOf(path: string): string {
  const at = path.lastIndexOf('node_modules/')
  return at < 0 ? path : path.slice(at + 'node_modules/'.length)
}
