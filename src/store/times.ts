import type { Work } from '../core/protocol.ts'
import type { Database } from './database.ts'

/** What was measured before counts for so many items at most: a function that has changed is soon known anew. */
const remembered = 200
/** Functions, each with its places; those that ran longest ago go first. */
const most = 5_000

/** Adds how long items of a job took to what is known of its function at that place. */
export function addTimes(db: Database, job: string, key: string, work: Work, now: number): void {
  db.run(
    `INSERT INTO times (function, place, items, seconds, squares, used)
       SELECT ?, profile, ?, ?, ?, ? FROM jobs WHERE id = ?
     ON CONFLICT (function, place) DO UPDATE SET
       items = items * min(1, ${remembered}.0 / items) + excluded.items,
       seconds = seconds * min(1, ${remembered}.0 / items) + excluded.seconds,
       squares = squares * min(1, ${remembered}.0 / items) + excluded.squares,
       used = excluded.used`,
    key,
    work.items,
    work.seconds,
    work.squares,
    now,
    job,
  )
}

/** By place, the one that ran it last first. */
export function timesOf(db: Database, key: string): { place: string; work: Work }[] {
  return db
    .all('SELECT place, items, seconds, squares FROM times WHERE function = ? ORDER BY used DESC', key)
    .map((row) => ({
      place: row['place'] as string,
      work: {
        items: row['items'] as number,
        seconds: row['seconds'] as number,
        squares: row['squares'] as number,
      },
    }))
}

export function dropTimes(db: Database, before: number): void {
  db.run('DELETE FROM times WHERE used < ?', before)
  db.run('DELETE FROM times WHERE used < (SELECT used FROM times ORDER BY used DESC LIMIT 1 OFFSET ?)', most)
}
