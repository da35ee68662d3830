import { parse } from 'yaml'
import { type Dependencies, type LockedPackage, type Lockfile, needsIn } from './types.ts'

interface Resolution {
  readonly resolution?: { readonly integrity?: string }
  readonly os?: string[]
  readonly cpu?: string[]
  readonly libc?: string[]
}

interface PnpmLock {
  readonly packages?: Record<string, Resolution & Dependencies>
  /** From version 9 on: what each needs, by name, version and peers. */
  readonly snapshots?: Record<string, Dependencies>
}

/** pnpm-lock.yaml, of version 6 and 9. */
export function readPnpmLock(text: string): Lockfile {
  const { packages = {}, snapshots = packages } = parse(text) as PnpmLock
  const byKey = new Map(Object.entries(packages).map(([key, entry]) => [plain(key), entry]))
  const known = new Map<string, LockedPackage>()
  const at = (key: string): LockedPackage | undefined => {
    const full = [key, `/${key}`].find((one) => snapshots[one])
    const id = plain(key)
    const [, name, version] = /^(@?[^@]+)@(.+)$/.exec(id) ?? []
    if (full === undefined || !name || !version) return undefined
    const before = known.get(full)
    if (before) return before
    const { resolution, os, cpu, libc } = byKey.get(id) ?? {}
    const { dependencies, optionalDependencies } = snapshots[full]!
    const made: LockedPackage = {
      name,
      version,
      ...(resolution?.integrity === undefined ? {} : { integrity: resolution.integrity }),
      ...(os && { os }),
      ...(cpu && { cpu }),
      ...(libc && { libc }),
      // Its versions are those that were found, peers among them: 1.2.3(react@18.0.0), or another package's.
      needs: () =>
        needsIn(
          { ...(dependencies && { dependencies }), ...(optionalDependencies && { optionalDependencies }) },
          (needed, found) => at(/^@?[^@(]+@/.test(found) ? found : `${needed}@${found}`),
        ),
    }
    known.set(full, made)
    return made
  }
  return {
    file: 'pnpm-lock.yaml',
    find: (name, version) => {
      const key = Object.keys(snapshots).find((one) => plain(one) === `${name}@${version}`)
      return key === undefined ? undefined : at(key.replace(/^\//, ''))
    },
  }
}

/** Without the peers, and without the slash of version 6. */
function plain(key: string): string {
  return key.replace(/\(.*$/, '').replace(/^\//, '')
}
