import type { Clock } from '../core/clock.ts'
import type { JobId } from '../core/ids.ts'
import type { JobEnvironment } from '../core/job-environment.ts'
import type { PackFile, RecordKind } from '../core/pack.ts'
import type { Profile } from '../core/profile.ts'
import type { JobSpec, Work } from '../core/protocol.ts'
import type { JobState, JobStatus } from '../core/status.ts'
import type { Measured } from '../core/usage.ts'

export interface StoreOptions {
  /** See storeFolder(). Made with 0700 when it is not there. */
  readonly folder: string
  readonly clock?: Pick<Clock, 'now'>
  /** Told when a damaged store was set aside, one sentence; the store goes on without what was in it. */
  readonly warn: (message: string) => void
}

/** A process, so that another one can tell whether it still runs. */
export interface Owner {
  readonly host: string
  /** Differs from boot to boot: pids recur. Empty where the system does not tell. */
  readonly bootId: string
  readonly pid: number
  /** In the system's own unit; only compared. Empty where the system does not tell. */
  readonly startTime: string
}

/**
 * What a result can be traced back to. Of a job that was restored from its files on the cluster only `farcall` is known;
 * `node` and `cwd` are empty.
 */
export interface Provenance {
  /** Of the repository that holds the function's file; `dirty`: tracked files were changed. */
  readonly git?: { readonly commit: string; readonly dirty: boolean }
  /** sha256 of the lockfile nearest to that file. */
  readonly lockfile?: string
  /** Versions on this side. */
  readonly farcall: string
  readonly node: string
  readonly cwd: string
  /** The file that was run; absent in a REPL. */
  readonly program?: string
  /** Why a map of another profile ran on this machine. */
  readonly kept?: string
}

/** What the place needs to run a job, kept until it has it. */
export interface StoredPayload {
  /** Entry 0: the captured values. Entry 1 + i: item i's arguments. */
  readonly args: readonly Uint8Array[]
  readonly bundle: Uint8Array
}

/** As it was stored; large arguments are a file, which goes once the place has them. */
export interface KeptPayload extends Pick<StoredPayload, 'bundle'> {
  readonly args: StoredPayload['args'] | PackFile
}

export interface NewJob {
  readonly spec: JobSpec
  readonly profile: { readonly name: string; readonly settings: Profile }
  readonly payload: StoredPayload
  /** The bundle's source map, JSON; kept with the bundle, for whoever attaches. */
  readonly map?: string
  readonly tags?: readonly string[]
  readonly provenance: Provenance
  readonly owner: Owner
  /** By item; an item that is not to be cached has none. */
  readonly cacheKeys?: readonly (string | undefined)[]
}

/** What is known of a job without reading its spec: cheap, a thousand of them in milliseconds. */
export interface JobRow {
  readonly id: JobId
  readonly attempt: number
  /** Of the latest attempt, once submitted. */
  readonly nativeId?: string
  readonly name: string
  readonly function: string
  /** The profile's name. */
  readonly profile: string
  readonly tags: readonly string[]
  readonly items: number
  readonly members: number
  /** Items that completed, and items that failed or were canceled; absent while nobody has counted. */
  readonly done?: number
  readonly failed?: number
  readonly status: JobStatus
  /** Milliseconds since the epoch, as all times here. */
  readonly createdAt: number
  readonly submittedAt?: number
  readonly endedAt?: number
  /** Its results were delivered, or nobody will want them: it may be trimmed. */
  readonly collectedAt?: number
}

export interface ListedRow extends JobRow {
  readonly provenance: Provenance
  /** The version of Node that ran it. */
  readonly nodeVersion?: string
}

export interface JobRecord extends ListedRow {
  /** Of the latest attempt. */
  readonly spec: JobSpec
  readonly profileSettings: Profile
  readonly owner: Owner
  readonly cacheKeys: readonly (string | undefined)[]
  /** Where its files lie, as `submitted` was told. */
  readonly folder?: string
  readonly usage?: StoredUsage
  /** Whether `payload(id)` still has its arguments. */
  readonly hasPayload: boolean
}

/** What members of a job used, and where they ran: of the first one in full, of others what differs. */
export interface StoredUsage {
  readonly members: readonly (readonly [member: number, measured: Measured])[]
  readonly environments: readonly (readonly [member: number, environment: Partial<JobEnvironment>])[]
}

export interface StatusUpdate {
  readonly id: JobId
  /** Absent: the job as a whole. */
  readonly member?: number
  readonly status: JobStatus
}

export interface AttemptEntry {
  readonly attempt: number
  readonly spec: JobSpec
  readonly nativeId?: string
  readonly recordedAt: number
  readonly submittedAt?: number
}

export interface StatusEntry {
  readonly attempt: number
  readonly member?: number
  readonly time: number
  readonly status: JobStatus
}

export interface ListFilter {
  /** Default 50. */
  readonly limit?: number
  readonly state?: JobState | readonly JobState[]
  readonly profile?: string
  readonly tag?: string
  readonly function?: string
  /** Recorded at this time or later, before that time. */
  readonly since?: number
  readonly until?: number
  /** Recorded, and not submitted (killed in between, or about to be). */
  readonly unsubmitted?: true
  /** Not collected yet. */
  readonly uncollected?: true
  /** A map of several jobs is one, under its id. */
  readonly maps?: true
}

/** The bytes of one item's record, as they came. */
export interface CachedResult {
  readonly kind: RecordKind
  readonly bytes: Uint8Array
  readonly job: JobId
  readonly item: number
}

/** A cached result that may be too large to hold: in memory, or as a file (read it, do not move it). */
export type CachedPlace = Omit<CachedResult, 'bytes'> &
  (
    | { readonly bytes: Uint8Array; readonly path?: undefined }
    | { readonly path: string; readonly bytes?: undefined }
  )

export interface NewResult {
  readonly job: JobId
  readonly item: number
  readonly kind: RecordKind
  /** Bytes, or a file of them; the file is copied. */
  readonly content: Uint8Array | { readonly path: string }
}

/**
 * won: the key is now this job's, run it. held: another job's, join it (it may be this job's, claimed before).
 * cached: done, cacheGet(key) has it.
 */
export interface Claim {
  readonly key: string
  readonly outcome: 'won' | 'held' | 'cached'
  readonly job: JobId
  readonly item: number
}

export interface FoundOnPlace {
  readonly spec: JobSpec
  readonly status: JobStatus
  readonly nativeId?: string
  /** Its results were delivered to a client, and its files are only kept. */
  readonly collected?: boolean
}

export interface TrimOptions {
  readonly now: number
  /** Since a job was collected, a cached result last used. */
  readonly maxAgeMs: number
  /** All of the store's files together. */
  readonly maxBytes: number
}

export interface Trimmed {
  readonly jobs: number
  readonly results: number
  readonly bundles: number
  readonly bytes: number
}

export interface StoreSizes {
  readonly jobs: number
  readonly openJobs: number
  readonly results: number
  readonly bundles: number
  /** All of the store's files together. */
  readonly bytes: number
  /** When the oldest job was recorded. */
  readonly oldest?: number
}

/**
 * The local index of jobs. Synchronous, shared by all farcall processes of this user on this machine. Never the only
 * copy of what is on the cluster: a job that it does not know may still be there.
 *
 * What writes throws FarcallError STORE_UNWRITABLE when the disk is full or the folder cannot be written.
 * Telling it of a job that it does not know (its file was lost meanwhile) does nothing.
 */
export interface JobStore {
  readonly folder: string
  /** Verbs called in it are one transaction. It may be begun again, so it calls nothing else. */
  batch(work: () => void): void

  /** Records a job with its payload. Call it before anything is submitted. Recording the same id again does nothing. Gives the file of large arguments. */
  add(job: NewJob): PackFile | undefined
  /**
   * Records another attempt (spec.attempt) of a job that is known, before it is submitted; its state is NEW again. The
   * payload may be left out when the place still has it.
   */
  retry(spec: JobSpec, payload?: StoredPayload): void
  /** A job that was not submitted yet is asked for with other members. */
  dealtAnew(spec: JobSpec): void
  /** The place has it: the arguments of this attempt are dropped. */
  submitted(id: JobId, attempt: number, nativeId: string, folder?: string): void
  /** In one transaction. What does not follow from the state before (`mayFollow`) is passed over. */
  status(updates: readonly StatusUpdate[]): void
  /** All states of a job with their times, the oldest first. */
  statuses(id: JobId): StatusEntry[]
  /** The first attempt first. */
  attempts(id: JobId): AttemptEntry[]
  /** Items that completed, and items that failed or were canceled. */
  counted(id: JobId, done: number, failed: number): void
  /** How long items of this job took, for the next map of its function. */
  worked(id: JobId, key: string, work: Work): void
  /** How long items of a function took, by profile; that which ran it last first. */
  times(key: string): { readonly place: string; readonly work: Work }[]
  /** The final status; claims of items that have no cached result are given up. */
  ended(id: JobId, status: JobStatus, facts?: { usage?: StoredUsage; nodeVersion?: string }): void
  /** The results are safe, or nobody wants them: trim() may take the job. */
  collected(ids: readonly JobId[]): void

  /** What was learned of the job's origin after it was recorded. */
  describe(id: JobId, provenance: Provenance): void
  /** Who follows the job from now on; undefined: nobody. With `before`: only if it was that one; whether it was. */
  own(id: JobId, owner: Owner | undefined, before?: Owner): boolean

  /**
   * Whether this process is to tell an endpoint of an event: no other one has, nor is about to. One that died before it
   * was told no longer counts.
   */
  claimNotice(id: JobId, notice: string, owner: Owner): boolean
  /** It was told. */
  told(id: JobId, notice: string): void
  /** It could not be: whoever follows the job later may tell it. */
  unclaimNotice(id: JobId, notice: string): void

  get(id: JobId): JobRecord | undefined
  /** Jobs whose id begins so (4 characters or more), or whose native id is that; the newest first. */
  find(text: string): JobRow[]
  /** The newest first. */
  list(filter?: ListFilter): ListedRow[]
  /** What a job that was recorded and not submitted needs; undefined once the place has it. */
  payload(id: JobId): KeptPayload | undefined
  /** A bundle and its source map, by the sha256 of its code. */
  bundle(sha256: string): { readonly code: Uint8Array; readonly map?: string } | undefined

  /**
   * Takes keys for a job, in one transaction: of all processes exactly one wins a key. A key of a process of this
   * machine that died before it recorded its job is free again.
   */
  claim(job: JobId, owner: Owner, keys: readonly { readonly key: string; readonly item: number }[]): Claim[]
  /** Gives up keys of this job that have no result. */
  unclaim(job: JobId, keys: readonly string[]): void
  /** Caches an item's record under its key, and frees the claim. */
  result(key: string, result: NewResult): void
  cacheGet(key: string): CachedResult | undefined
  /** The same without reading a large one. */
  cacheFind(key: string): CachedPlace | undefined
  /** Forgets cached results. */
  cacheDrop(keys: readonly string[]): void

  /**
   * Takes or renews a lease for `ms`: undefined when it is ours, else who has it. A lease that ran out, or of a
   * process of this machine that is dead, is free.
   */
  lease(name: string, owner: Owner, ms: number): { readonly owner: Owner; readonly until: number } | undefined
  unlease(name: string, owner: Owner): void

  /** Takes in jobs found on the cluster that the store does not know; which those were. */
  restore(profile: NewJob['profile'], found: readonly FoundOnPlace[]): JobId[]
  /** The damaged or lost record that this one stands in for, and where it was set aside. */
  predecessor(): { readonly aside?: string } | undefined
  /** Whether all that lay at a place was taken in once. */
  isListed(place: string): boolean
  listed(place: string): void
  /** Forgets jobs, whatever their state. Cached results stay. */
  remove(ids: readonly JobId[]): void
  /** Forgets old jobs that have ended and been collected, results not used for long, and bundles of no job. */
  trim(options: TrimOptions): Trimmed
  sizes(): StoreSizes
  close(): void
}
