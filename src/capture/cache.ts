import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { join, sep } from 'node:path'
import { readJson, sha256, writeAtomic } from './sources.ts'
import type { Bundle } from './types.ts'

/** What the disk cache says of one emission: its bundle, and the files that esbuild read for it. */
export interface Kept {
  hash: string
  inputs: { path: string; mtime: number; size: number }[]
  packages: Bundle['packages']
}

/** `root`: the project's folder, which `key` must tell apart too. */
export function keepBundle(
  cacheDir: string,
  key: string,
  root: string,
  bundle: Bundle,
  inputs: Kept['inputs'],
): void {
  const map: KeptMap = { root, map: JSON.parse(bundle.map) }
  writeAtomic(mapPath(cacheDir, bundle.hash, key), JSON.stringify(map))
  writeAtomic(join(cacheDir, 'code', `${bundle.hash}.mjs`), bundle.code)
  writeAtomic(
    join(cacheDir, 'bundles', `${key}.json`),
    JSON.stringify({ hash: bundle.hash, inputs, packages: bundle.packages } satisfies Kept),
  )
}

interface KeptMap {
  root: string
  map: object
}

/** Two checkouts of a project, or two states of its comments, give one code and two maps. */
const mapPath = (cacheDir: string, hash: string, key: string) => join(cacheDir, 'maps', `${hash}-${key}.json`)

function keptMap(path: string): { root: string; map: string } | undefined {
  const kept = readJson<KeptMap>(path)
  if (typeof kept?.root !== 'string' || typeof kept.map !== 'object') return undefined
  return { root: kept.root, map: JSON.stringify(kept.map) }
}

export function keptBundle(cacheDir: string, key: string) {
  const entry = join(cacheDir, 'bundles', `${key}.json`)
  const kept = readJson<Kept>(entry)
  if (typeof kept?.hash !== 'string' || !Array.isArray(kept.inputs) || !unchanged(kept.inputs))
    return undefined
  const path = join(cacheDir, 'code', `${kept.hash}.mjs`)
  const map = keptMap(mapPath(cacheDir, kept.hash, key))?.map
  if (map === undefined || !existsSync(path)) return undefined
  const code = readFileSync(path)
  if (sha256(code) !== kept.hash) return undefined
  touch(entry)
  const { hash, packages, inputs } = kept
  return { bundle: { hash, code: new Uint8Array(code), map, packages }, inputs }
}

/** What is used stays: trimming goes by this time. */
function touch(path: string): void {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    // A cache that cannot be written to is read all the same.
  }
}

export function unchanged(inputs: Kept['inputs']): boolean {
  return inputs.every(({ path, mtime, size }) => {
    const stats = statSync(path, { throwIfNoEntry: false })
    return stats?.mtimeMs === mtime && stats.size === size
  })
}

/**
 * The source map of a bundle that this machine made once; undefined: it did not, or the cache is gone. Of several
 * checkouts it is that of the one around `cwd`, else the last one made.
 */
export function readMap(hash: string, cacheDir: string, cwd = process.cwd()): string | undefined {
  const folder = join(cacheDir, 'maps')
  const names = existsSync(folder) ? readdirSync(folder) : []
  const found = names.flatMap((name) => {
    const path = join(folder, name)
    const kept = name.startsWith(`${hash}-`) && name.endsWith('.json') ? keptMap(path) : undefined
    if (!kept) return []
    const around = `${cwd}${sep}`.startsWith(`${kept.root}${sep}`) ? kept.root.length : 0
    return [{ map: kept.map, around, made: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }]
  })
  return found.sort((a, b) => b.around - a.around || b.made - a.made)[0]?.map
}
