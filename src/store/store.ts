import { rmSync } from 'node:fs'
import type { Clock } from '../core/clock.ts'
import type { JobId } from '../core/ids.ts'
import { decodeTable, type PackFile } from '../core/pack.ts'
import type { JobSpec, Work } from '../core/protocol.ts'
import type { JobStatus } from '../core/status.ts'
import { claimKeys, dropLease, takeLease, unclaimKeys } from './claims.ts'
import type { Connection } from './connection.ts'
import { unwritable } from './failures.ts'
import { Files } from './files.ts'
import {
  batchSize,
  bytesIn,
  dropBundles,
  dropJobs,
  dropUnused,
  oldDamaged,
  sizesOf,
  strayFiles,
} from './housekeeping.ts'
import {
  addJob,
  attemptsOf,
  changeOwner,
  dealJobAnew,
  markEnded,
  markSubmitted,
  type PackedArgs,
  packArgs,
  removeJobs,
  restoreJob,
  retryJob,
  statusesOf,
  updateStatuses,
  writeProvenance,
} from './jobs.ts'
import { claimNotice, dropNotices, markTold, unclaimNotice } from './notices.ts'
import { findJobs, getJob, listJobs } from './queries.ts'
import { dropResults, findResult, isLarge, resultFile, saveResult, touchResult } from './results.ts'
import { addTimes, dropTimes, timesOf } from './times.ts'
import type {
  AttemptEntry,
  CachedPlace,
  CachedResult,
  Claim,
  FoundOnPlace,
  JobRecord,
  JobRow,
  JobStore,
  KeptPayload,
  ListedRow,
  ListFilter,
  NewJob,
  NewResult,
  Owner,
  Provenance,
  StatusEntry,
  StatusUpdate,
  StoredPayload,
  StoredUsage,
  StoreSizes,
  Trimmed,
  TrimOptions,
} from './types.ts'

/** The verbs of a JobStore, each one transaction. A file is written before the row that names it, and goes after it. */
export class Store implements JobStore {
  readonly folder: string
  readonly #connection: Connection
  readonly #files: Files
  readonly #clock: Pick<Clock, 'now'>

  constructor(folder: string, connection: Connection, clock: Pick<Clock, 'now'>) {
    this.folder = folder
    this.#connection = connection
    this.#files = new Files(folder)
    this.#clock = clock
  }

  batch(work: () => void): void {
    this.#connection.write(work)
  }

  add(job: NewJob): PackFile | undefined {
    const args = this.#keepArgs(job.spec, job.payload)
    this.#connection.write((db) => addJob(db, job, args, this.#clock.now()))
    return args.file === undefined ? undefined : this.#packFile(args.file, args.size)
  }

  retry(spec: JobSpec, payload?: StoredPayload): void {
    const args = payload && this.#keepArgs(spec, payload)
    this.#connection.write((db) => retryJob(db, spec, args, this.#clock.now()))
  }

  dealtAnew(spec: JobSpec): void {
    this.#connection.write((db) => dealJobAnew(db, spec))
  }

  submitted(id: JobId, attempt: number, nativeId: string, folder?: string): void {
    const now = this.#clock.now()
    const file = this.#connection.write((db) => markSubmitted(db, id, attempt, nativeId, folder, now))
    if (file !== undefined) this.#files.remove([file])
  }

  status(updates: readonly StatusUpdate[]): void {
    if (updates.length > 0) this.#connection.write((db) => updateStatuses(db, updates, this.#clock.now()))
  }

  counted(id: JobId, done: number, failed: number): void {
    this.#connection.write((db) =>
      db.run('UPDATE jobs SET done = ?, failed = ? WHERE id = ?', done, failed, id),
    )
  }

  worked(id: JobId, key: string, work: Work): void {
    this.#connection.write((db) => addTimes(db, id, key, work, this.#clock.now()))
  }

  times(key: string): { place: string; work: Work }[] {
    return this.#connection.read((db) => timesOf(db, key))
  }

  attempts(id: JobId): AttemptEntry[] {
    return this.#connection.read((db) => attemptsOf(db, id))
  }

  statuses(id: JobId): StatusEntry[] {
    return this.#connection.read((db) => statusesOf(db, id))
  }

  ended(id: JobId, status: JobStatus, facts: { usage?: StoredUsage; nodeVersion?: string } = {}): void {
    const file = this.#connection.write((db) => markEnded(db, id, status, facts, this.#clock.now()))
    if (file !== undefined) this.#files.remove([file])
  }

  collected(ids: readonly JobId[]): void {
    const now = this.#clock.now()
    this.#connection.write((db) => {
      for (const id of ids) db.run('UPDATE jobs SET collected = coalesce(collected, ?) WHERE id = ?', now, id)
    })
  }

  describe(id: JobId, provenance: Provenance): void {
    this.#connection.write((db) => writeProvenance(db, id, provenance))
  }

  own(id: JobId, owner: Owner | undefined, before?: Owner): boolean {
    return this.#connection.write((db) => changeOwner(db, id, owner, before))
  }

  claimNotice(id: JobId, notice: string, owner: Owner): boolean {
    return this.#connection.write((db) => claimNotice(db, id, notice, owner, this.#clock.now()))
  }

  told(id: JobId, notice: string): void {
    this.#connection.write((db) => markTold(db, id, notice, this.#clock.now()))
  }

  unclaimNotice(id: JobId, notice: string): void {
    this.#connection.write((db) => unclaimNotice(db, id, notice))
  }

  get(id: JobId): JobRecord | undefined {
    return this.#connection.read((db) => getJob(db, id))
  }

  find(text: string): JobRow[] {
    return this.#connection.read((db) => findJobs(db, text))
  }

  list(filter: ListFilter = {}): ListedRow[] {
    return this.#connection.read((db) => listJobs(db, filter))
  }

  payload(id: JobId): KeptPayload | undefined {
    const row = this.#connection.read((db) =>
      db.get(
        `SELECT args, args_file, args_size, code FROM jobs JOIN details ON job = seq
         JOIN bundles ON sha256 = bundle WHERE id = ?`,
        id,
      ),
    )
    if (!row) return undefined
    const bundle = row['code'] as Uint8Array
    const [file, size] = [row['args_file'] as string | null, row['args_size'] as number]
    // One that is gone or cut off is none.
    if (file !== null)
      return this.#files.sizeOf(file) === size ? { args: this.#packFile(file, size), bundle } : undefined
    const packed = row['args'] as Uint8Array | null
    return packed ? { args: decodeTable(packed), bundle } : undefined
  }

  #packFile(name: string, size: number): PackFile {
    return { localPath: this.#files.pathOf(name), size }
  }

  bundle(sha256: string): { code: Uint8Array; map?: string } | undefined {
    const row = this.#connection.read((db) =>
      db.get('SELECT code, map FROM bundles WHERE sha256 = ?', sha256),
    )
    if (!row) return undefined
    return {
      code: row['code'] as Uint8Array,
      ...(row['map'] === null ? {} : { map: row['map'] as string }),
    }
  }

  claim(job: JobId, owner: Owner, keys: readonly { key: string; item: number }[]): Claim[] {
    return this.#connection.write((db) => claimKeys(db, this.#files, job, owner, keys, this.#clock.now()))
  }

  unclaim(job: JobId, keys: readonly string[]): void {
    this.#connection.write((db) => unclaimKeys(db, job, keys))
  }

  result(key: string, result: NewResult): void {
    if (isLarge(result)) this.#write(resultFile(key), result.content)
    this.#connection.write((db) => saveResult(db, key, result, this.#clock.now()))
  }

  cacheGet(key: string): CachedResult | undefined {
    const found = this.cacheFind(key)
    if (found?.path === undefined) return found
    const { path: _, ...facts } = found
    const bytes = this.#files.read(resultFile(key), this.#files.sizeOf(resultFile(key)) ?? -1)
    return bytes && { ...facts, bytes }
  }

  cacheFind(key: string): CachedPlace | undefined {
    const found = this.#connection.read((db) => findResult(db, this.#files, key))
    if (found) this.#connection.write((db) => touchResult(db, key, this.#clock.now()))
    return found
  }

  cacheDrop(keys: readonly string[]): void {
    this.#files.remove(this.#connection.write((db) => dropResults(db, keys)))
  }

  lease(name: string, owner: Owner, ms: number): { owner: Owner; until: number } | undefined {
    const now = this.#clock.now()
    return this.#connection.write((db) => takeLease(db, name, owner, now + ms, now))
  }

  unlease(name: string, owner: Owner): void {
    this.#connection.write((db) => dropLease(db, name, owner))
  }

  restore(profile: NewJob['profile'], found: readonly FoundOnPlace[]): JobId[] {
    const now = this.#clock.now()
    return this.#connection.write((db) =>
      found.filter((job) => restoreJob(db, profile, job, now)).map(({ spec }) => spec.id),
    )
  }

  predecessor(): { aside?: string } | undefined {
    const row = this.#connection.read((db) => db.get('SELECT aside FROM predecessor'))
    return row && (row['aside'] === '' ? {} : { aside: row['aside'] as string })
  }

  isListed(place: string): boolean {
    return (
      this.#connection.read((db) => db.get("SELECT 1 FROM places WHERE place IN (?, '')", place)) !==
      undefined
    )
  }

  listed(place: string): void {
    const now = this.#clock.now()
    this.#connection.write((db) =>
      db.run('INSERT OR REPLACE INTO places (place, listed) VALUES (?, ?)', place, now),
    )
  }

  remove(ids: readonly JobId[]): void {
    this.#files.remove(this.#connection.write((db) => removeJobs(db, ids)))
  }

  trim({ now, maxAgeMs, maxBytes }: TrimOptions): Trimmed {
    const before = bytesIn(this.folder)
    const gone = { jobs: 0, results: 0, bundles: 0 }
    const sweep = (age: number, whole: boolean) => {
      for (;;) {
        const jobs = this.#connection.write((db) => dropJobs(db, now - age))
        const results = this.#connection.write((db) => dropUnused(db, now - age))
        this.#files.remove([...jobs.files, ...results.files])
        gone.jobs += jobs.count
        gone.results += results.count
        if (!whole || Math.max(jobs.count, results.count) < batchSize) return jobs.count + results.count > 0
      }
    }
    for (const path of oldDamaged(this.folder, now - maxAgeMs)) rmSync(path, { recursive: true, force: true })
    sweep(maxAgeMs, true)
    this.#connection.write((db) => {
      dropTimes(db, now - maxAgeMs)
      dropNotices(db, now - maxAgeMs)
    })
    this.#shrink(gone, now)
    while (bytesIn(this.folder) > maxBytes && sweep(0, false)) this.#shrink(gone, now)
    return { ...gone, bytes: Math.max(0, before - bytesIn(this.folder)) }
  }

  #shrink(gone: { bundles: number }, now: number): void {
    gone.bundles += this.#connection.write((db) => dropBundles(db, now))
    this.#files.remove(this.#connection.read((db) => strayFiles(db, this.#files, now)))
    this.#connection.compact()
  }

  sizes(): StoreSizes {
    return this.#connection.read((db) => sizesOf(db, this.folder))
  }

  close(): void {
    this.#connection.close()
  }

  #keepArgs(spec: JobSpec, payload: StoredPayload): PackedArgs {
    const args = packArgs(spec, payload.args)
    if (args.file !== undefined) this.#write(args.file, args.pieces)
    return args
  }

  #write(name: string, content: Parameters<Files['write']>[1]): void {
    try {
      this.#files.write(name, content)
    } catch (error) {
      throw unwritable(error, this.folder)
    }
  }
}
