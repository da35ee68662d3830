import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readJson, sha256, writeAtomic } from './sources.ts'
import type { Bundle } from './types.ts'

/** What the disk cache says of one emission: its bundle, and the files that esbuild read for it. */
export interface Kept {
  hash: string
  inputs: { path: string; mtime: number; size: number }[]
}

export function keepBundle(cacheDir: string, key: string, bundle: Bundle, inputs: Kept['inputs']): void {
  writeAtomic(join(cacheDir, 'maps', `${bundle.hash}.json`), bundle.map)
  writeAtomic(join(cacheDir, 'code', `${bundle.hash}.mjs`), bundle.code)
  writeAtomic(
    join(cacheDir, 'bundles', `${key}.json`),
    JSON.stringify({ hash: bundle.hash, inputs } satisfies Kept),
  )
}

export function keptBundle(cacheDir: string, key: string) {
  const kept = readJson<Kept>(join(cacheDir, 'bundles', `${key}.json`))
  if (typeof kept?.hash !== 'string' || !Array.isArray(kept.inputs) || !unchanged(kept.inputs))
    return undefined
  const path = join(cacheDir, 'code', `${kept.hash}.mjs`)
  const map = readMap(kept.hash, cacheDir)
  if (map === undefined || !existsSync(path)) return undefined
  const code = readFileSync(path)
  if (sha256(code) !== kept.hash) return undefined
  return { bundle: { hash: kept.hash, code: new Uint8Array(code), map }, inputs: kept.inputs }
}

export function unchanged(inputs: Kept['inputs']): boolean {
  return inputs.every(({ path, mtime, size }) => {
    const stats = statSync(path, { throwIfNoEntry: false })
    return stats?.mtimeMs === mtime && stats.size === size
  })
}

/** The source map of a bundle that this machine made once; undefined: it did not, or the cache is gone. */
export function readMap(hash: string, cacheDir: string): string | undefined {
  const map = readJson<object>(join(cacheDir, 'maps', `${hash}.json`))
  return map && JSON.stringify(map)
}
