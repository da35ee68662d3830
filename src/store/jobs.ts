import type { JobId } from '../core/ids.ts'
import { tablePieces } from '../core/pack.ts'
import type { JobSpec } from '../core/protocol.ts'
import { isFinal, type JobStatus, mayFollow } from '../core/status.ts'
import type { Database } from './database.ts'
import { inRowLimit } from './files.ts'
import { nobody } from './owner.ts'
import type {
  AttemptEntry,
  FoundOnPlace,
  NewJob,
  Owner,
  Provenance,
  StatusEntry,
  StatusUpdate,
  StoredUsage,
} from './types.ts'

/** In place of a member: the job as a whole. */
const whole = -1

/** A bundle's last use is written down this seldom. */
const usedWithinMs = 10 * 60_000

/** A job's arguments as one table: the file args.pack of its folder. */
export interface PackedArgs {
  readonly size: number
  readonly pieces: readonly Uint8Array[]
  /** In files/, when they are large. */
  readonly file?: string
}

export function packArgs(spec: JobSpec, args: readonly Uint8Array[]): PackedArgs {
  const packed = tablePieces(args)
  return packed.size <= inRowLimit ? packed : { ...packed, file: `${spec.id}.${spec.attempt}.args` }
}

export function addJob(db: Database, job: NewJob, args: PackedArgs, now: number): void {
  const { spec } = job
  const status: JobStatus = { state: 'NEW', time: now }
  const seq = insertJob(db, spec, job.profile.name, job.tags ?? [], status, now)
  if (seq === undefined) return
  insertDetails(db, seq, job, args)
  insertAttempt(db, seq, spec, now)
  insertStatus(db, seq, spec.attempt, whole, status, now)
  keepBundle(db, job, now)
}

function keepBundle(db: Database, { spec, payload, map }: NewJob, now: number): void {
  const { sha256 } = spec.bundle
  const stored = db.get('SELECT used, map IS NULL AS bare FROM bundles WHERE sha256 = ?', sha256)
  if (!stored)
    db.run(
      'INSERT INTO bundles (sha256, code, map, used) VALUES (?, ?, ?, ?)',
      sha256,
      payload.bundle,
      map ?? null,
      now,
    )
  else if ((stored['used'] as number) < now - usedWithinMs || (stored['bare'] && map !== undefined))
    db.run('UPDATE bundles SET used = ?, map = coalesce(?, map) WHERE sha256 = ?', now, map ?? null, sha256)
}

/** A job that lies on the cluster and of which nothing else is known. */
export function restoreJob(
  db: Database,
  profile: NewJob['profile'],
  { spec, status, nativeId, collected }: FoundOnPlace,
  now: number,
): boolean {
  const created = Date.parse(spec.createdAt)
  const seq = insertJob(
    db,
    spec,
    profile.name,
    spec.tags ?? [],
    status,
    Number.isNaN(created) ? now : created,
  )
  if (seq === undefined) return false
  insertDetails(db, seq, {
    profile,
    provenance: { farcall: spec.farcall, node: '', cwd: '' },
    owner: nobody,
    spec,
  })
  insertAttempt(db, seq, spec, now)
  insertStatus(db, seq, spec.attempt, whole, status, now)
  db.run('UPDATE attempts SET submitted = ?, native_id = ? WHERE job = ?', now, nativeId ?? null, seq)
  db.run(
    'UPDATE jobs SET submitted = ?, native_id = ?, ended = ?, collected = ? WHERE seq = ?',
    now,
    nativeId ?? null,
    isFinal(status.state) ? (status.time ?? now) : null,
    collected ? now : null,
    seq,
  )
  return true
}

export function writeProvenance(db: Database, id: JobId, provenance: Provenance): void {
  db.run(
    'UPDATE details SET provenance = ? WHERE job = (SELECT seq FROM jobs WHERE id = ?)',
    JSON.stringify(provenance),
    id,
  )
}

export function changeOwner(db: Database, id: JobId, owner = nobody, before?: Owner): boolean {
  const condition = before === undefined ? '' : ' AND owner = ?'
  const changed = db.run(
    `UPDATE details SET owner = ? WHERE job = (SELECT seq FROM jobs WHERE id = ?)${condition}`,
    JSON.stringify(owner),
    id,
    ...(before === undefined ? [] : [JSON.stringify(before)]),
  )
  return changed === 1
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
    `INSERT INTO jobs (id, attempt, name, function, profile, tags, items, members, bundle, state, status, created,
       part_of)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING seq`,
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
    spec.part && spec.part.number > 0 ? spec.part.of : null,
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
  job: Pick<NewJob, 'spec' | 'profile' | 'provenance' | 'owner' | 'cacheKeys'>,
  args?: PackedArgs,
): void {
  db.run(
    `INSERT INTO details (job, spec, profile, provenance, owner, cache_keys, args, args_file, args_size)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    seq,
    JSON.stringify(job.spec),
    JSON.stringify(job.profile.settings),
    JSON.stringify(job.provenance),
    JSON.stringify(job.owner),
    job.cacheKeys === undefined ? null : JSON.stringify(job.cacheKeys),
    ...argsColumns(args),
  )
}

function argsColumns(args: PackedArgs | undefined): [Uint8Array | null, string | null, number | null] {
  if (!args) return [null, null, null]
  return [args.file === undefined ? Buffer.concat(args.pieces) : null, args.file ?? null, args.size]
}

function insertAttempt(db: Database, seq: number, spec: JobSpec, now: number): void {
  db.run('INSERT INTO attempts (job, attempt, recorded) VALUES (?, ?, ?)', seq, spec.attempt, now)
}

/** An attempt that is recorded is not recorded again. */
export function retryJob(db: Database, spec: JobSpec, args: PackedArgs | undefined, now: number): void {
  const job = db.get('SELECT seq, attempt FROM jobs WHERE id = ?', spec.id)
  if (!job || (job['attempt'] as number) >= spec.attempt) return
  const [seq, before] = [job['seq'] as number, job['attempt'] as number]
  const status: JobStatus = { state: 'NEW', time: now }
  db.run(
    'UPDATE attempts SET spec = (SELECT spec FROM details WHERE details.job = ?) WHERE job = ? AND attempt = ?',
    seq,
    seq,
    before,
  )
  db.run(
    'UPDATE details SET spec = ?, args = ?, args_file = ?, args_size = ? WHERE job = ?',
    JSON.stringify(spec),
    ...argsColumns(args),
    seq,
  )
  insertAttempt(db, seq, spec, now)
  insertStatus(db, seq, spec.attempt, whole, status, now)
  db.run(
    `UPDATE jobs SET attempt = ?, native_id = NULL, submitted = NULL, ended = NULL, collected = NULL, state = 'NEW',
     status = ? WHERE seq = ?`,
    spec.attempt,
    JSON.stringify(status),
    seq,
  )
}

export function dealJobAnew(db: Database, spec: JobSpec): void {
  const { id, attempt, members } = spec
  const job = db.get('SELECT seq FROM jobs WHERE id = ? AND attempt = ? AND native_id IS NULL', id, attempt)
  if (!job) return
  const seq = job['seq'] as number
  db.run('UPDATE details SET spec = ? WHERE job = ?', JSON.stringify(spec), seq)
  db.run('UPDATE jobs SET members = ? WHERE seq = ?', members, seq)
}

export function attemptsOf(db: Database, id: JobId): AttemptEntry[] {
  const rows = db.all(
    `SELECT attempts.attempt, coalesce(attempts.spec, details.spec) AS spec, attempts.native_id, recorded,
       attempts.submitted
     FROM jobs JOIN details ON details.job = seq JOIN attempts ON attempts.job = seq WHERE id = ? ORDER BY 1`,
    id,
  )
  return rows.map((row) => ({
    attempt: row['attempt'] as number,
    spec: JSON.parse(row['spec'] as string) as JobSpec,
    recordedAt: row['recorded'] as number,
    ...(row['native_id'] === null ? {} : { nativeId: row['native_id'] as string }),
    ...(row['submitted'] === null ? {} : { submittedAt: row['submitted'] as number }),
  }))
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
  const current = db.get('SELECT 1 FROM jobs WHERE seq = ? AND attempt = ?', seq, attempt)
  const file = current && dropArgs(db, seq)
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

function dropArgs(db: Database, seq: number): string | undefined {
  const row = db.get('SELECT args_file FROM details WHERE job = ?', seq)
  db.run('UPDATE details SET args = NULL, args_file = NULL WHERE job = ?', seq)
  return (row?.['args_file'] ?? undefined) as string | undefined
}

export function updateStatuses(db: Database, updates: readonly StatusUpdate[], now: number): void {
  for (const { id, member, status } of updates) {
    const job = db.get('SELECT seq, attempt, status FROM jobs WHERE id = ?', id)
    if (!job) continue
    const [seq, attempt] = [job['seq'] as number, job['attempt'] as number]
    const before = member === undefined ? (job['status'] as string) : lastOf(db, seq, member, attempt)
    // Two processes that follow one job tell the same.
    if (before !== undefined && !mayFollow(status, JSON.parse(before) as JobStatus)) continue
    insertStatus(db, seq, attempt, member ?? whole, status, now)
    if (member === undefined)
      db.run('UPDATE jobs SET state = ?, status = ? WHERE seq = ?', status.state, JSON.stringify(status), seq)
  }
}

function lastOf(db: Database, seq: number, member: number, attempt: number): string | undefined {
  const row = db.get(
    'SELECT attempt, status FROM statuses WHERE job = ? AND member = ? ORDER BY number DESC LIMIT 1',
    seq,
    member,
  )
  return row?.['attempt'] === attempt ? (row['status'] as string) : undefined
}

function insertStatus(
  db: Database,
  seq: number,
  attempt: number,
  member: number,
  status: JobStatus,
  now: number,
): void {
  db.run(
    `INSERT INTO statuses (job, member, number, attempt, time, status)
     SELECT ?, ?, coalesce(max(number) + 1, 0), ?, ?, ? FROM statuses WHERE job = ? AND member = ?`,
    seq,
    member,
    attempt,
    status.time ?? now,
    JSON.stringify(status),
    seq,
    member,
  )
}

export function statusesOf(db: Database, id: JobId): StatusEntry[] {
  const rows = db.all(
    `SELECT statuses.attempt, member, time, statuses.status FROM jobs JOIN statuses ON job = seq WHERE id = ?
     ORDER BY statuses.attempt, time, number`,
    id,
  )
  return rows.map((row) => ({
    attempt: row['attempt'] as number,
    time: row['time'] as number,
    status: JSON.parse(row['status'] as string) as JobStatus,
    ...(row['member'] === whole ? {} : { member: row['member'] as number }),
  }))
}

/** Gives the file of arguments that is no longer needed. */
export function markEnded(
  db: Database,
  id: JobId,
  status: JobStatus,
  facts: { usage?: StoredUsage; nodeVersion?: string },
  now: number,
): string | undefined {
  const seq = seqOf(db, id)
  if (seq === undefined) return undefined
  // Who takes a result late hears of the end late: what was known of it before is nearer.
  const known = JSON.parse(
    db.get('SELECT status FROM jobs WHERE seq = ?', seq)!['status'] as string,
  ) as JobStatus
  const time = isFinal(known.state) ? known.time : undefined
  updateStatuses(db, [{ id, status }], now)
  // The two times come from two clocks, and a job does not end before it was submitted.
  db.run(
    'UPDATE jobs SET ended = coalesce(ended, max(?, coalesce(submitted, 0))) WHERE seq = ?',
    time ?? status.time ?? now,
    seq,
  )
  if (facts.usage || facts.nodeVersion !== undefined)
    db.run(
      'UPDATE details SET usage = coalesce(?, usage), node_version = coalesce(?, node_version) WHERE job = ?',
      facts.usage ? JSON.stringify(facts.usage) : null,
      facts.nodeVersion ?? null,
      seq,
    )
  db.run('DELETE FROM claims WHERE job = ?', id)
  return dropArgs(db, seq)
}

/** Gives the files that are no longer needed. */
export function removeJobs(db: Database, ids: readonly JobId[]): string[] {
  return ids.flatMap((id) => {
    const seq = seqOf(db, id)
    if (seq === undefined) return []
    const files = db.all('SELECT args_file FROM details WHERE job = ? AND args_file IS NOT NULL', seq)
    for (const table of ['details', 'attempts', 'tags', 'statuses'])
      db.run(`DELETE FROM ${table} WHERE job = ?`, seq)
    for (const table of ['claims', 'notices']) db.run(`DELETE FROM ${table} WHERE job = ?`, id)
    db.run('DELETE FROM jobs WHERE seq = ?', seq)
    return files.map((row) => row['args_file'] as string)
  })
}

function seqOf(db: Database, id: JobId): number | undefined {
  return db.get('SELECT seq FROM jobs WHERE id = ?', id)?.['seq'] as number | undefined
}
