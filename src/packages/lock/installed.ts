import type { InstalledPackage } from '../../archive/installed.ts'
import { type LockedPackage, needsIn } from './types.ts'

/** What is installed here, where no lockfile tells of it. What is not here is for npm to find by its range. */
export function lockedAsInstalled(): (one: InstalledPackage) => LockedPackage {
  const known = new Map<InstalledPackage, LockedPackage>()
  const of = (one: InstalledPackage): LockedPackage => {
    const before = known.get(one)
    if (before) return before
    const { name, version, manifest } = one
    const made: LockedPackage = {
      name,
      version,
      ...(manifest.os && { os: manifest.os }),
      ...(manifest.cpu && { cpu: manifest.cpu }),
      ...(manifest.libc && { libc: manifest.libc }),
      needs: () =>
        needsIn(manifest, (needed) => {
          const found = one.needs.get(needed)
          return found && of(found)
        }),
    }
    known.set(one, made)
    return made
  }
  return of
}
