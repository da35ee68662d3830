import type { JobId } from '../core/ids.ts'
import type { Database } from './database.ts'
import { isDead } from './owner.ts'
import type { Owner } from './types.ts'

/** Told: no process is about to. */
const told = ''

/** Whether the owner is to tell it. One that a process died over before it was told is free again. */
export function claimNotice(db: Database, job: JobId, notice: string, owner: Owner, now: number): boolean {
  const row = db.get('SELECT owner FROM notices WHERE job = ? AND notice = ?', job, notice)
  if (row) {
    const holder = row['owner'] as string
    if (holder === told || !isDead(JSON.parse(holder) as Owner)) return false
  }
  db.run(
    'INSERT OR REPLACE INTO notices (job, notice, owner, time) VALUES (?, ?, ?, ?)',
    job,
    notice,
    JSON.stringify(owner),
    now,
  )
  return true
}

export function markTold(db: Database, job: JobId, notice: string, now: number): void {
  db.run('UPDATE notices SET owner = ?, time = ? WHERE job = ? AND notice = ?', told, now, job, notice)
}

/** Nobody was told, and whoever follows the job later may. */
export function unclaimNotice(db: Database, job: JobId, notice: string): void {
  db.run('DELETE FROM notices WHERE job = ? AND notice = ? AND owner <> ?', job, notice, told)
}

/** Of jobs that are on no record. */
export function dropNotices(db: Database, before: number): void {
  db.run('DELETE FROM notices WHERE time < ? AND job NOT IN (SELECT id FROM jobs)', before)
}
