import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import type { Database } from './database.ts'
import { type Files, inRowLimit } from './files.ts'
import type { CachedPlace, NewResult } from './types.ts'

/** Where a large one lies; keys may hold anything. */
export const resultFile = (key: string): string => `${createHash('sha256').update(key).digest('hex')}.result`

export function sizeOfResult({ content }: NewResult): number {
  return content instanceof Uint8Array ? content.byteLength : statSync(content.path).size
}

export const isLarge = (result: NewResult): boolean =>
  !(result.content instanceof Uint8Array) || result.content.byteLength > inRowLimit

export function saveResult(db: Database, key: string, result: NewResult, now: number): void {
  const large = isLarge(result)
  db.run(
    `INSERT INTO results (key, job, item, kind, size, bytes, file, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET job = excluded.job, item = excluded.item, kind = excluded.kind,
       size = excluded.size, bytes = excluded.bytes, file = excluded.file, used = excluded.used`,
    key,
    result.job,
    result.item,
    result.kind,
    sizeOfResult(result),
    large ? null : (result.content as Uint8Array),
    large ? resultFile(key) : null,
    now,
  )
  db.run('DELETE FROM claims WHERE key = ?', key)
}

/** A result whose file is gone or cut off is no result. */
export function findResult(db: Database, files: Files, key: string): CachedPlace | undefined {
  const row = db.get('SELECT job, item, kind, size, bytes, file FROM results WHERE key = ?', key)
  if (!row) return undefined
  const facts = {
    job: row['job'] as string,
    item: row['item'] as number,
    kind: row['kind'] as CachedPlace['kind'],
  }
  const file = row['file'] as string | null
  if (file === null) return { ...facts, bytes: row['bytes'] as Uint8Array }
  if (files.sizeOf(file) !== row['size']) return undefined
  return { ...facts, path: files.pathOf(file) }
}

export function touchResult(db: Database, key: string, now: number): void {
  db.run('UPDATE results SET used = ? WHERE key = ?', now, key)
}

/** Gives the files that are no longer needed. */
export function dropResults(db: Database, keys: readonly string[]): string[] {
  return keys.flatMap((key) => {
    const row = db.get('DELETE FROM results WHERE key = ? RETURNING file', key)
    return row?.['file'] ? [row['file'] as string] : []
  })
}
