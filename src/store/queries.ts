import type { JobId } from '../core/ids.ts'
import { type JobState, wholeStatus } from '../core/status.ts'
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
  if (!filter.maps) return listEach(db, filter)
  const { state, limit = defaultLimit } = filter
  const rows = listEach(db, filter)
  // Of a map that is in another state as a whole, a part may be in this one.
  const states = state === undefined ? undefined : new Set([state].flat())
  const ofParts = states
    ? db
        .all(`SELECT DISTINCT part_of, state FROM jobs WHERE part_of IS NOT NULL`)
        .filter((row) => states.has(row['state'] as JobState))
        .flatMap((row) => listedRow(db, row['part_of'] as string))
        .filter((row) => isAsked(row, filter))
    : []
  const firsts = new Map([...rows, ...ofParts].map((row) => [row.id, row]))
  return [...firsts.values()]
    .map((row) => withParts(db, row))
    .filter(({ status }) => !states || states.has(status.state))
    .sort((a, b) => b.createdAt - a.createdAt)
    .slice(0, limit)
}

function listedRow(db: Database, id: JobId): ListedRow[] {
  const columns = rowColumns.replace(/\w+/g, 'jobs.$&')
  const row = db.get(
    `SELECT ${columns}, provenance, node_version FROM jobs JOIN details ON job = seq WHERE id = ?`,
    id,
  )
  return row ? [toListedRow(row)] : []
}

function isAsked(row: ListedRow, { tag, profile, function: name, since, until }: ListFilter): boolean {
  if (tag !== undefined && !row.tags.includes(tag)) return false
  if (profile !== undefined && row.profile !== profile) return false
  if (name !== undefined && row.function !== name) return false
  return (since === undefined || row.createdAt >= since) && (until === undefined || row.createdAt < until)
}

/** A map's first job as all of the map. */
function withParts(db: Database, first: ListedRow): ListedRow {
  const parts = db
    .all(`SELECT ${rowColumns} FROM jobs WHERE part_of = ? ORDER BY seq`, first.id)
    .map(toJobRow)
  if (parts.length === 0) return first
  const all: readonly JobRow[] = [first, ...parts]
  const sum = (count: (row: JobRow) => number | undefined) =>
    all.reduce((total, row) => total + (count(row) ?? 0), 0)
  const { endedAt: _, ...rest } = first
  const ends = all.map((row) => row.endedAt)
  return {
    ...rest,
    items: sum((row) => row.items),
    members: sum((row) => row.members),
    status: wholeStatus(all.map((row) => row.status)),
    ...(all.some((row) => row.done !== undefined) ? { done: sum((row) => row.done) } : {}),
    ...(all.some((row) => row.failed !== undefined) ? { failed: sum((row) => row.failed) } : {}),
    ...(ends.every((end) => end !== undefined) ? { endedAt: Math.max(...(ends as number[])) } : {}),
  }
}

function listEach(db: Database, filter: ListFilter): ListedRow[] {
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
  if (filter.maps) conditions.push('jobs.part_of IS NULL')
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
