import type { JobId } from '../core/ids.ts'
import type { Database, Row } from './database.ts'
import type { Files } from './files.ts'
import { isDead, isSame } from './owner.ts'
import { findResult } from './results.ts'
import type { Claim, Owner } from './types.ts'

/** A process claims, then records its job at once; of another machine's this is all that can be said. */
const recordedWithinMs = 10 * 60_000

export function claimKeys(
  db: Database,
  files: Files,
  job: JobId,
  owner: Owner,
  keys: readonly { readonly key: string; readonly item: number }[],
  now: number,
): Claim[] {
  const written = JSON.stringify(owner)
  return keys.map(({ key, item }): Claim => {
    const done = findResult(db, files, key)
    if (done) return { key, outcome: 'cached', job: done.job, item: done.item }
    const insert = () =>
      db.run(
        'INSERT OR IGNORE INTO claims (key, job, item, owner, time) VALUES (?, ?, ?, ?, ?)',
        key,
        job,
        item,
        written,
        now,
      ) === 1
    if (insert()) return { key, outcome: 'won', job, item }
    const holder = db.get('SELECT job, item, owner, time FROM claims WHERE key = ?', key)!
    if (holder['job'] !== job && isVoid(db, holder, now)) {
      db.run('DELETE FROM claims WHERE key = ?', key)
      insert()
      return { key, outcome: 'won', job, item }
    }
    return { key, outcome: 'held', job: holder['job'] as string, item: holder['item'] as number }
  })
}

/** Of a process that ended before it recorded its job. One that is recorded is completed from the store. */
function isVoid(db: Database, holder: Row, now: number): boolean {
  if (db.get('SELECT 1 FROM jobs WHERE id = ?', holder['job']!)) return false
  const owner = JSON.parse(holder['owner'] as string) as Owner
  return isDead(owner) || now - (holder['time'] as number) > recordedWithinMs
}

export function unclaimKeys(db: Database, job: JobId, keys: readonly string[]): void {
  for (const key of keys) db.run('DELETE FROM claims WHERE key = ? AND job = ?', key, job)
}

/** Undefined: it is the owner's now. Else who has it. */
export function takeLease(
  db: Database,
  name: string,
  owner: Owner,
  until: number,
  now: number,
): { owner: Owner; until: number } | undefined {
  const row = db.get('SELECT owner, until FROM leases WHERE name = ?', name)
  if (row) {
    const holder = { owner: JSON.parse(row['owner'] as string) as Owner, until: row['until'] as number }
    if (holder.until > now && !isSame(holder.owner, owner) && !isDead(holder.owner)) return holder
  }
  db.run(
    'INSERT INTO leases (name, owner, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until',
    name,
    JSON.stringify(owner),
    until,
  )
  return undefined
}

export function dropLease(db: Database, name: string, owner: Owner): void {
  db.run('DELETE FROM leases WHERE name = ? AND owner = ?', name, JSON.stringify(owner))
}
