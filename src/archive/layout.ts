import { readdirSync, realpathSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import type { Closure, InstalledPackage } from './installed.ts'
import type { ArchiveEntry } from './write.ts'

/**
 * The packages as an archive: each once, in a folder of its own beside links to what it needs (pnpm's layout), so
 * that any two versions go together and each finds what it found here.
 */
export function layOut({ roots, all }: Closure): ArchiveEntry[] {
  const homes = new Map<InstalledPackage, string>()
  const taken = new Set<string>()
  for (const one of [...all.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1))) {
    const base = `${one.name.replace('/', '+')}@${one.version}`
    let home = base
    for (let n = 2; taken.has(home); n++) home = `${base}_${n}`
    taken.add(home)
    homes.set(one, `node_modules/.farcall/${home}/node_modules`)
  }
  const placeOf = (one: InstalledPackage) => `${homes.get(one)}/${one.name}`
  const entries: ArchiveEntry[] = []
  const link = (path: string, to: InstalledPackage) =>
    entries.push({ path, target: posix.relative(posix.dirname(path), placeOf(to)) })
  const hoisted = new Map<string, InstalledPackage>()
  for (const one of all.values()) {
    if (!hoisted.has(one.name)) hoisted.set(one.name, one)
    entries.push(...filesOf(one.folder, placeOf(one)))
    for (const [name, needed] of one.needs) if (name !== one.name) link(`${homes.get(one)}/${name}`, needed)
  }
  for (const [alias, one] of roots) link(`node_modules/${alias}`, one)
  // For those that import what their package.json does not name, and that a flat node_modules gives them.
  for (const [name, one] of hoisted) link(`node_modules/.farcall/node_modules/${name}`, one)
  return entries
}

/** All files of a package but the packages inside of it. Links are followed. */
export function filesOf(folder: string, path: string, above: readonly string[] = []): ArchiveEntry[] {
  const real = realpathSync(folder)
  if (above.includes(real)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap(({ name }): ArchiveEntry[] => {
    if (name === 'node_modules' || name === '.git' || isLeftover(name, path)) return []
    const source = `${folder}/${name}`
    // A link that leads nowhere is no use there either.
    const stats = statSync(source, { throwIfNoEntry: false })
    if (stats?.isDirectory()) return filesOf(source, `${path}/${name}`, [...above, real])
    if (!stats?.isFile()) return []
    return [{ path: `${path}/${name}`, source, ...((stats.mode & 0o100) !== 0 ? { executable: true } : {}) }]
  })
}

/** What a compiler left behind and nothing loads. */
function isLeftover(name: string, path: string): boolean {
  return /\/build(\/|$)/.test(path) && /^(obj\.target|obj|\.deps)$|\.[oad]$/.test(name)
}
