import type { JobId } from '../core/ids.ts'
import { encodeTable } from '../core/pack.ts'
import type { JobSpec } from '../core/protocol.ts'
import { isFinal, type JobStatus, mayFollow } from '../core/status.ts'
import type { Database } from './database.ts'
import { inRowLimit } from './files.ts'
import type { FoundOnPlace, JobUsage, NewJob, StatusEntry, StatusUpdate } from './types.ts'

/** A job's arguments as one table: the file args.pack of its folder. */
export interface PackedArgs {
  readonly bytes: Uint8Array
  /** In files/, when they are large. */
  readonly file?: string
}

export function packArgs(spec: JobSpec, args: readonly Uint8Array[]): PackedArgs {
  const bytes = encodeTable(args)
  return bytes.byteLength <= inRowLimit ? { bytes } : { bytes, file: `${spec.id}.${spec.attempt}.args` }
}

export function addJob(db: Database, job: NewJob, args: PackedArgs, now: number): void {
  const { spec, payload } = job
  const seq = insertJob(db, spec, job.profile.name, job.tags ?? [], { state: 'NEW', time: now }, now)
  if (seq === undefined) return
  insertDetails(db, seq, job)
  insertAttempt(db, seq, spec, args, now)
  insertStatus(db, seq, spec.attempt, undefined, { state: 'NEW', time: now }, now)
  const stored = db.run('UPDATE bundles SET used = ? WHERE sha256 = ?', now, spec.bundle.sha256)
  if (stored === 0)
    db.run(
      'INSERT INTO bundles (sha256, code, map, used) VALUES (?, ?, ?, ?)',
      spec.bundle.sha256,
      payload.bundle,
      job.map ?? null,
      now,
    )
}

/** A job that lies on the cluster and of which nothing else is known. */
export function restoreJob(
  db: Database,
  profile: NewJob['profile'],
  { spec, status, nativeId }: FoundOnPlace,
  now: number,
): boolean {
  const created = Date.parse(spec.createdAt)
  const seq = insertJob(db, spec, profile.name, [], status, Number.isNaN(created) ? now : created)
  if (seq === undefined) return false
  insertDetails(db, seq, {
    profile,
    provenance: { farcall: spec.farcall, node: '', cwd: '' },
    owner: { host: '', bootId: '', pid: 0, startTime: '' },
  })
  insertAttempt(db, seq, spec, undefined, now)
  insertStatus(db, seq, spec.attempt, undefined, status, now)
  db.run('UPDATE attempts SET submitted = ?, native_id = ? WHERE job = ?', now, nativeId ?? null, seq)
  db.run(
    'UPDATE jobs SET submitted = ?, native_id = ?, ended = ? WHERE seq = ?',
    now,
    nativeId ?? null,
    isFinal(status.state) ? (status.time ?? now) : null,
    seq,
  )
  return true
}

/** Its number; undefined when it is there already. */
function insertJob(
  db: Database,
  spec: JobSpec,
  profile: string,
  tags: readonly string[],
  status: JobStatus,
  created: number,
): number | undefined {
  const inserted = db.get(
    `INSERT INTO jobs (id, attempt, name, function, profile, tags, items, members, bundle, state, status, created)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING seq`,
    spec.id,
    spec.attempt,
    spec.name,
    spec.function.name,
    profile,
    tags.length === 0 ? null : JSON.stringify(tags),
    spec.items,
    spec.members,
    spec.bundle.sha256,
    status.state,
    JSON.stringify(status),
    created,
  )
  if (!inserted) return undefined
  const seq = inserted['seq'] as number
  for (const tag of new Set(tags))
    db.run('INSERT INTO tags (tag, created, job) VALUES (?, ?, ?)', tag, created, seq)
  return seq
}

function insertDetails(
  db: Database,
  seq: number,
  job: Pick<NewJob, 'profile' | 'provenance' | 'owner' | 'cacheKeys'>,
): void {
  db.run(
    'INSERT INTO details (job, profile, provenance, owner, cache_keys) VALUES (?, ?, ?, ?, ?)',
    seq,
    JSON.stringify(job.profile.settings),
    JSON.stringify(job.provenance),
    JSON.stringify(job.owner),
    job.cacheKeys === undefined ? null : JSON.stringify(job.cacheKeys),
  )
}

function insertAttempt(
  db: Database,
  seq: number,
  spec: JobSpec,
  args: PackedArgs | undefined,
  now: number,
): void {
  db.run(
    `INSERT INTO attempts (job, attempt, spec, recorded, args, args_file, args_size) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (job, attempt) DO NOTHING`,
    seq,
    spec.attempt,
    JSON.stringify(spec),
    now,
    args && args.file === undefined ? args.bytes : null,
    args?.file ?? null,
    args?.bytes.byteLength ?? null,
  )
}

export function retryJob(db: Database, spec: JobSpec, args: PackedArgs, now: number): void {
  const seq = seqOf(db, spec.id)
  if (seq === undefined) return
  const status: JobStatus = { state: 'NEW', time: now }
  insertAttempt(db, seq, spec, args, now)
  insertStatus(db, seq, spec.attempt, undefined, status, now)
  db.run(
    `UPDATE jobs SET attempt = ?, native_id = NULL, submitted = NULL, ended = NULL, collected = NULL, state = 'NEW',
     status = ? WHERE seq = ?`,
    spec.attempt,
    JSON.stringify(status),
    seq,
  )
}

/** Gives the file of arguments that is no longer needed. */
export function markSubmitted(
  db: Database,
  id: JobId,
  attempt: number,
  nativeId: string,
  folder: string | undefined,
  now: number,
): string | undefined {
  const seq = seqOf(db, id)
  if (seq === undefined) return undefined
  const file = dropArgs(db, seq, attempt)
  db.run(
    'UPDATE attempts SET native_id = ?, submitted = coalesce(submitted, ?) WHERE job = ? AND attempt = ?',
    nativeId,
    now,
    seq,
    attempt,
  )
  db.run(
    'UPDATE jobs SET native_id = ?, submitted = coalesce(submitted, ?) WHERE seq = ? AND attempt = ?',
    nativeId,
    now,
    seq,
    attempt,
  )
  if (folder !== undefined) db.run('UPDATE details SET folder = ? WHERE job = ?', folder, seq)
  return file
}

function dropArgs(db: Database, seq: number, attempt: number): string | undefined {
  const row = db.get('SELECT args_file FROM attempts WHERE job = ? AND attempt = ?', seq, attempt)
  db.run('UPDATE attempts SET args = NULL, args_file = NULL WHERE job = ? AND attempt = ?', seq, attempt)
  return (row?.['args_file'] ?? undefined) as string | undefined
}

export function updateStatuses(db: Database, updates: readonly StatusUpdate[], now: number): void {
  for (const { id, member, status } of updates) {
    const job = db.get('SELECT seq, attempt, status FROM jobs WHERE id = ?', id)
    if (!job) continue
    const [seq, attempt] = [job['seq'] as number, job['attempt'] as number]
    const before =
      member === undefined
        ? (job['status'] as string)
        : (db.get(
            'SELECT status FROM statuses WHERE job = ? AND member = ? AND attempt = ? ORDER BY rowid DESC LIMIT 1',
            seq,
            member,
            attempt,
          )?.['status'] as string | undefined)
    // Two processes that follow one job tell the same.
    if (before !== undefined && !mayFollow(status, JSON.parse(before) as JobStatus)) continue
    insertStatus(db, seq, attempt, member, status, now)
    if (member === undefined)
      db.run('UPDATE jobs SET state = ?, status = ? WHERE seq = ?', status.state, JSON.stringify(status), seq)
  }
}

function insertStatus(
  db: Database,
  seq: number,
  attempt: number,
  member: number | undefined,
  status: JobStatus,
  now: number,
): void {
  db.run(
    'INSERT INTO statuses (job, attempt, member, time, status) VALUES (?, ?, ?, ?, ?)',
    seq,
    attempt,
    member ?? null,
    status.time ?? now,
    JSON.stringify(status),
  )
}

export function statusesOf(db: Database, id: JobId): StatusEntry[] {
  const rows = db.all(
    'SELECT attempt, member, time, status FROM statuses WHERE job = (SELECT seq FROM jobs WHERE id = ?) ORDER BY rowid',
    id,
  )
  return rows.map((row) => ({
    attempt: row['attempt'] as number,
    time: row['time'] as number,
    status: JSON.parse(row['status'] as string) as JobStatus,
    ...(row['member'] === null ? {} : { member: row['member'] as number }),
  }))
}

/** Gives the file of arguments that is no longer needed. */
export function markEnded(
  db: Database,
  id: JobId,
  status: JobStatus,
  facts: { usage?: JobUsage; nodeVersion?: string },
  now: number,
): string | undefined {
  const seq = seqOf(db, id)
  if (seq === undefined) return undefined
  updateStatuses(db, [{ id, status }], now)
  const { attempt } = db.get('SELECT attempt FROM jobs WHERE seq = ?', seq)!
  db.run('UPDATE jobs SET ended = coalesce(ended, ?) WHERE seq = ?', status.time ?? now, seq)
  if (facts.usage || facts.nodeVersion !== undefined)
    db.run(
      'UPDATE details SET usage = coalesce(?, usage), node_version = coalesce(?, node_version) WHERE job = ?',
      facts.usage ? JSON.stringify(facts.usage) : null,
      facts.nodeVersion ?? null,
      seq,
    )
  db.run('DELETE FROM claims WHERE job = ?', id)
  return dropArgs(db, seq, attempt as number)
}

/** Gives the files that are no longer needed. */
export function removeJobs(db: Database, ids: readonly JobId[]): string[] {
  return ids.flatMap((id) => {
    const seq = seqOf(db, id)
    if (seq === undefined) return []
    const files = db.all('SELECT args_file FROM attempts WHERE job = ? AND args_file IS NOT NULL', seq)
    for (const table of ['details', 'attempts', 'tags', 'statuses'])
      db.run(`DELETE FROM ${table} WHERE job = ?`, seq)
    db.run('DELETE FROM claims WHERE job = ?', id)
    db.run('DELETE FROM jobs WHERE seq = ?', seq)
    return files.map((row) => row['args_file'] as string)
  })
}

function seqOf(db: Database, id: JobId): number | undefined {
  return db.get('SELECT seq FROM jobs WHERE id = ?', id)?.['seq'] as number | undefined
}
