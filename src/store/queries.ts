import type { JobId } from '../core/ids.ts'
import type { Database, Value } from './database.ts'
import { rowColumns, toJobRecord, toJobRow, toListedRow } from './rows.ts'
import type { JobRecord, JobRow, ListedRow, ListFilter } from './types.ts'

const defaultLimit = 50
/** Shorter beginnings of an id say too little. */
const shortestPrefix = 4

export function getJob(db: Database, id: JobId): JobRecord | undefined {
  const columns = rowColumns
    .split(', ')
    .map((name) => `jobs.${name}`)
    .join(', ')
  const row = db.get(
    `SELECT ${columns}, spec, details.profile AS settings, provenance, owner, cache_keys, folder, usage, node_version,
       args IS NOT NULL OR args_file IS NOT NULL AS has_payload
     FROM jobs JOIN details ON job = seq WHERE id = ?`,
    id,
  )
  return row && toJobRecord(row)
}

export function findJobs(db: Database, text: string): JobRow[] {
  const native = db.all(
    `SELECT ${rowColumns} FROM jobs WHERE seq IN (SELECT job FROM attempts WHERE native_id = ?)
     ORDER BY created DESC LIMIT ${defaultLimit}`,
    text,
  )
  if (text.length < shortestPrefix) return native.map(toJobRow)
  // A range of the index; LIKE would not use it, and take _ and % for patterns.
  const own = db.all(
    `SELECT ${rowColumns} FROM jobs WHERE id >= ? AND id < ? ORDER BY created DESC LIMIT ${defaultLimit}`,
    text,
    `${text}\u{10ffff}`,
  )
  return [...own, ...native].map(toJobRow)
}

export function listJobs(db: Database, filter: ListFilter): ListedRow[] {
  const limit = filter.limit ?? defaultLimit
  const { state } = filter
  if (state === undefined || typeof state === 'string') return listOf(db, filter, state, limit)
  // One walk down the index for each state, where IN would gather all rows and sort them.
  return [...new Set(state)]
    .flatMap((one) => listOf(db, filter, one, limit))
    .sort((a, b) => b.createdAt - a.createdAt)
    .slice(0, limit)
}

function listOf(db: Database, filter: ListFilter, state: string | undefined, limit: number): ListedRow[] {
  const conditions: string[] = []
  const values: Value[] = []
  const where = (condition: string, value: Value | undefined) => {
    if (value === undefined) return
    conditions.push(condition)
    values.push(value)
  }
  where('tags.tag = ?', filter.tag)
  where('jobs.state = ?', state)
  where('jobs.profile = ?', filter.profile)
  where('jobs.function = ?', filter.function)
  const created = filter.tag === undefined ? 'jobs.created' : 'tags.created'
  where(`${created} >= ?`, filter.since)
  where(`${created} < ?`, filter.until)
  if (filter.unsubmitted) conditions.push('submitted IS NULL')
  if (filter.uncollected) conditions.push('collected IS NULL')
  const columns = rowColumns.replace(/\w+/g, 'jobs.$&')
  const tables = filter.tag === undefined ? 'jobs' : 'tags CROSS JOIN jobs ON jobs.seq = tags.job'
  const rows = db.all(
    `SELECT ${columns}, provenance, node_version FROM ${tables} CROSS JOIN details ON details.job = jobs.seq
     ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
     ORDER BY ${created} DESC, jobs.seq DESC LIMIT ?`,
    ...values,
    limit,
  )
  return rows.map(toListedRow)
}
