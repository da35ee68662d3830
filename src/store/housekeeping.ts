import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { damagedMark } from './connection.ts'
import type { Database } from './database.ts'
import type { Files } from './files.ts'
import { removeJobs } from './jobs.ts'
import { dropResults } from './results.ts'
import type { StoreSizes } from './types.ts'

/** Jobs and results that go in one transaction: others wait for it. */
export const batchSize = 200

/** A file is written before its row is, and a bundle is recorded with its job: younger than this they are left. */
const settleMs = 60 * 60_000

interface Dropped {
  readonly count: number
  readonly files: readonly string[]
}

/** Jobs that were collected before `before`, the oldest first. What has not ended or was not collected stays. */
export function dropJobs(db: Database, before: number): Dropped {
  const rows = db.all(
    'SELECT id FROM jobs WHERE collected < ? AND ended IS NOT NULL ORDER BY collected LIMIT ?',
    before,
    batchSize,
  )
  const ids = rows.map((row) => row['id'] as string)
  return { count: ids.length, files: removeJobs(db, ids) }
}

export function dropUnused(db: Database, before: number): Dropped {
  const rows = db.all('SELECT key FROM results WHERE used < ? ORDER BY used LIMIT ?', before, batchSize)
  const keys = rows.map((row) => row['key'] as string)
  return { count: keys.length, files: dropResults(db, keys) }
}

export function dropBundles(db: Database, now: number): number {
  return db.run(
    'DELETE FROM bundles WHERE used < ? AND sha256 NOT IN (SELECT bundle FROM jobs)',
    now - settleMs,
  )
}

/** Files that no row names: written by a process that was killed before it could say so. */
export function strayFiles(db: Database, files: Files, now: number): string[] {
  const named = db.all(
    'SELECT args_file AS file FROM details WHERE args_file IS NOT NULL UNION SELECT file FROM results WHERE file IS NOT NULL',
  )
  const known = new Set(named.map((row) => row['file'] as string))
  return files
    .list()
    .filter(({ name, time }) => !known.has(name) && time < now - settleMs)
    .map(({ name }) => name)
}

/** Databases that were set aside that long ago. */
export function oldDamaged(folder: string, before: number): string[] {
  return readdirSync(folder)
    .filter((name) => name.includes(damagedMark))
    .map((name) => join(folder, name))
    .filter((path) => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? before) < before)
}

export function sizesOf(db: Database, folder: string): StoreSizes {
  const row = db.get(
    `SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM jobs WHERE ended IS NULL) AS open,
       (SELECT count(*) FROM results) AS results, (SELECT count(*) FROM bundles) AS bundles,
       (SELECT min(created) FROM jobs) AS oldest`,
  )!
  return {
    jobs: row['jobs'] as number,
    openJobs: row['open'] as number,
    results: row['results'] as number,
    bundles: row['bundles'] as number,
    bytes: bytesIn(folder),
    ...(row['oldest'] === null ? {} : { oldest: row['oldest'] as number }),
  }
}

/** All files of the store, those set aside too. */
export function bytesIn(folder: string): number {
  let bytes = 0
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false })
    if (stat?.isFile()) bytes += stat.size
  }
  return bytes
}
