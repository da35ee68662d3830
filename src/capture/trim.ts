import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What of the cache stays. */
export interface TrimLimits {
  /** Since its last use. */
  readonly maxAgeMs: number
  readonly maxBytes: number
}

const day = 24 * 3600 * 1000
const usual: TrimLimits = { maxAgeMs: 90 * day, maxBytes: 500 * 2 ** 20 }

/** Trims the cache unless that was done within a day. */
export function trimDaily(cacheDir: string, limits: TrimLimits = usual): void {
  const stamp = join(cacheDir, 'trimmed')
  const before = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs
  if (before !== undefined && Math.abs(Date.now() - before) < day) return
  try {
    mkdirSync(cacheDir, { recursive: true, mode: 0o700 })
    writeFileSync(stamp, '', { mode: 0o600 })
    trimCache(cacheDir, limits, statSync(stamp).mtimeMs)
  } catch (error) {
    process.emitWarning(`farcall: ${cacheDir} could not be trimmed: ${String(error)}`)
  }
}

interface Found {
  readonly path: string
  readonly bytes: number
  readonly used: number
}

/** Removes bundles of the cache that were not used for long, then the least lately used, until it is small enough. */
export function trimCache(cacheDir: string, { maxAgeMs, maxBytes }: TrimLimits, now: number): void {
  const entries = filesIn(cacheDir, 'bundles', /^[0-9a-f]+\.json$/)
  const code = filesIn(cacheDir, 'code', /^[0-9a-f]+\.mjs$/)
  const maps = filesIn(cacheDir, 'maps', /^[0-9a-f]+-[0-9a-f]+\.json$/)
  // An entry stands for its code and its map: what is used of them is noted on it alone.
  const used = new Map<string, number>()
  for (const { path, used: time } of entries) {
    const hash = hashOf(path)
    if (hash) used.set(hash, Math.max(used.get(hash) ?? 0, time))
  }
  const analyses = filesIn(cacheDir, 'analysis', /^[0-9a-f]+\.json$/)
  const all = [...entries, ...code, ...maps, ...analyses].map((file) => {
    const name = file.path.slice(file.path.lastIndexOf('/') + 1)
    const hash = /^[0-9a-f]+/.exec(name)![0]
    return { ...file, used: Math.max(file.used, used.get(hash) ?? 0) }
  })
  all.sort((a, b) => a.used - b.used)
  let bytes = all.reduce((sum, file) => sum + file.bytes, 0)
  for (const file of all) {
    if (now - file.used <= maxAgeMs && bytes <= maxBytes) break
    rmSync(file.path, { force: true })
    bytes -= file.bytes
  }
}

/** Files of one folder of the cache by these names; nothing through symbolic links. */
function filesIn(cacheDir: string, folder: string, name: RegExp): Found[] {
  const path = join(cacheDir, folder)
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const file = join(path, entry.name)
    const stats = entry.isFile() && name.test(entry.name) && statSync(file, { throwIfNoEntry: false })
    return stats ? [{ path: file, bytes: stats.size, used: stats.mtimeMs }] : []
  })
}

function hashOf(entry: string): string | undefined {
  try {
    const { hash } = JSON.parse(readFileSync(entry, 'utf8')) as { hash?: unknown }
    return typeof hash === 'string' ? hash : undefined
  } catch {
    // Half an entry is as good as none; it goes with its age.
    return undefined
  }
}
