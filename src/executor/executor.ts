import type { BuildRequest } from '../archive/build.ts'
import type { PartitionCapacity } from '../core/capacity.ts'
import type { JobId } from '../core/ids.ts'
import type { PackFile, PackRecord, RecordKind } from '../core/pack.ts'
import type { Environment } from '../core/profile.ts'
import type { JobSpec, MemberEnd, PackagesRef } from '../core/protocol.ts'
import type { QueuedJobs } from '../core/queued-job.ts'
import type { JobStatus } from '../core/status.ts'
import type { TaskProgress } from '../core/task.ts'
import type { Measured } from '../core/usage.ts'
import type { YieldPosition, YieldReport } from '../core/yields.ts'
import type { ScriptDirective } from '../scheduler/script-directives.ts'
import type { Transport } from '../transport/transport.ts'

/** What the executor can do; the client asks these and never the executor's name. */
export interface ExecutorTraits {
  readonly sharedFiles: boolean
  readonly arrays: boolean
  readonly dependencies: boolean
  readonly streaming: boolean
  /** Whether some members of a job can be canceled, and the others go on. */
  readonly cancelsMembers: boolean
  /** Members that one submission may have. */
  readonly maxMembers?: number
  /** Members that the user may have submitted at all; a larger submission is refused. */
  readonly maxSubmitted?: number
  /** Submissions that the user may have there at once, where an array counts as one. */
  readonly maxSubmissions?: number
  /** Cores that are free to us at once, where there is no queue. */
  readonly slots?: number
}

/** Values of environment variables by name. They go to the place and are kept nowhere else. */
export type Secrets = Readonly<Record<string, string>>

/** Bytes that a job needs. They are asked for only when the place does not have them yet. */
export interface JobPayload {
  readonly spec: JobSpec
  /**
   * Entry 0: the captured values. Entry 1 + i: item i's arguments; after them what they name. As they are, or in a pack with
   * a table when they are large.
   */
  readonly args: readonly Uint8Array[] | PackFile
  readonly bundle: Uint8Array
  /** Of what the spec's environment names. */
  readonly secrets?: Secrets
  /** The file here that has the archive of spec.packages. */
  readonly archive?: string
  /** Files here that have what spec.shared names, by the names of the blobs. */
  readonly shared?: Readonly<Record<string, string>>
}

/** What the place may need for another attempt. */
export type RetryPayload = Partial<Pick<JobPayload, 'bundle' | 'secrets' | 'archive' | 'shared'>>

export type ResultRecord = PackRecord

export type JobEvent =
  /** Where the job stands, or one of its members. */
  | { readonly type: 'state'; readonly id: JobId; readonly member?: number; readonly status: JobStatus }
  /** One item's result: bytes when they were small, else `fetch` has them. */
  | { readonly type: 'item'; readonly id: JobId; readonly record: ResultRecord }
  /** What an item says of how far it is. */
  | {
      readonly type: 'progress'
      readonly id: JobId
      readonly member: number
      readonly item: number
      readonly progress: TaskProgress
    }
  /** How far an item of a stream is with what it yields. The last of it may be told by the end alone. */
  | {
      readonly type: 'yield'
      readonly id: JobId
      readonly member: number
      /** The run of the member that it is of. */
      readonly attempt: number
      readonly report: YieldReport
      /** Values that came along, from `from` up to where the report ends; `yields` has those that are missing. */
      readonly from: YieldPosition
      readonly records: readonly Uint8Array[]
    }
  /** A member is over, and why. `complete`: all its items came as events before this one; else `fetch` them. */
  | {
      readonly type: 'end'
      readonly id: JobId
      readonly member: number
      readonly status: JobStatus
      readonly end?: MemberEnd
      readonly complete: boolean
      readonly stderrTail?: string
    }
  /** The place cannot be watched just now; it is tried again. */
  | { readonly type: 'trouble'; readonly error: unknown }

/** A member that has ended, and what it says of its outputs. */
export interface MemberOutputs {
  readonly member: number
  /** Bytes of its list; undefined: it was ended before it could write one. */
  readonly bytes?: number
}

/** An item of a stream, in one run of its member; without `attempt` in the last one. */
export interface StreamItem {
  readonly id: JobId
  readonly member: number
  readonly item: number
  readonly attempt?: number
}

export interface CancelTarget {
  readonly id: JobId
  readonly members?: readonly number[]
}

export interface ListedJob {
  /** Of the first submission. */
  readonly spec: JobSpec
  readonly status: JobStatus
  /** Of the last submission. */
  readonly nativeId?: string
  /** Its results were delivered to a client, and its files are only kept. */
  readonly collected?: boolean
}

export interface FoundJob extends ListedJob {
  /** All submissions that were made, oldest first, and how members of theirs ended. */
  readonly attempts: readonly FoundAttempt[]
}

export interface FoundAttempt {
  readonly spec: JobSpec
  readonly nativeId: string
  readonly ends: readonly MemberEnd[]
}

/** Where a job stands just now. */
export interface Standing {
  /** Absent: nobody tells; the queue does not show it, and it has left no end. */
  readonly status?: JobStatus
  /** Of the last submission. */
  readonly nativeId: string
  /** Items that completed; items that failed or were canceled. */
  readonly done: number
  readonly failed: number
}

/** All jobs of a place, from whichever client. */
export interface ListedJobs {
  readonly jobs: readonly ListedJob[]
  /** Those whose files cannot be read: damaged, or of a newer farcall. */
  readonly unreadable: readonly { readonly id: JobId; readonly error: unknown }[]
}

export interface CleanRequest {
  /** 'daily': at most once a day, and for seconds only; 'scarce': what is done with goes early; default: now, and whole. */
  readonly when?: 'daily' | 'scarce'
  /** Nothing is removed; the answer says what would be. */
  readonly dryRun?: boolean
  /** Seconds since a job was collected, also for those that `keep` keeps; default: what the profile says of the others. */
  readonly olderThan?: number
  /** Also jobs that nobody has collected, when they cannot run any more and nothing has happened for `olderThan`. */
  readonly uncollected?: boolean
}

/** What was removed. */
export interface Cleaned {
  readonly jobs: readonly JobId[]
  /** Names of blobs. */
  readonly blobs: readonly string[]
  /** As `du` counts them there. */
  readonly bytes: number
}

/** What a place has. */
export interface PlaceResources {
  readonly partitions: readonly PartitionCapacity[]
  /** What could not be read there, and what it would take; a sentence each. */
  readonly notes: readonly string[]
}

/** Runs jobs. The client knows this and nothing below it. */
export interface Executor extends AsyncDisposable {
  readonly name: string
  readonly traits: ExecutorTraits
  /** The machine that it submits from: commands and files there. An executor without it has no such machine. */
  readonly transport?: Transport
  /** The directives of its scheduler in a job script of the user's. An executor without it has none. */
  directivesIn?(script: string): readonly ScriptDirective[]
  /** Reads what traits need to know; idempotent. */
  open(): Promise<void>
  /** Idempotent on spec.id and spec.attempt. Gives the scheduler's id. @throws SubmitError, TransportError */
  submit(job: JobPayload): Promise<{ nativeId: string }>
  /** Jobs of the user that wait or run there, whoever submitted them. An executor without it does not know. */
  countJobs?(): Promise<number>
  /**
   * Submits the next attempt of a job that the place has, for the members in `spec.only`. Like submit, but for the
   * arguments, which lie there; the bundle is asked for only when the place has lost it. Where another client has made
   * this attempt, the spec is what that one asked for: members that it leaves out need a further attempt.
   */
  retry(spec: JobSpec, payload?: RetryPayload): Promise<{ nativeId: string; spec: JobSpec }>
  /** After a restart: what is known of these jobs; they are watched from then on. */
  find(ids: readonly JobId[]): Promise<Map<JobId, FoundJob | undefined>>
  /**
   * All jobs whose files are still there, ended or not, as the files tell; nothing is watched for it. For a client
   * whose own record was lost. An executor without it keeps no jobs that its clients do not know.
   */
  list?(): Promise<ListedJobs>
  /**
   * Where these jobs stand, by one question to the scheduler, however many; nothing is watched for it. Those whose files
   * are gone are absent. An executor without it tells by `find`.
   */
  standing?(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, Standing>>
  /** Pushed or polled, the client cannot tell. Ends when the signal aborts. */
  events(signal: AbortSignal): AsyncIterable<JobEvent>
  /**
   * What an item of a stream has yielded from byte `from` on, up to `limit` bytes and at least one value; none where
   * there are no more yet. `known`: there are so many bytes, so that it is waited until they are seen.
   * An executor without it, and without traits.streaming, runs no streams.
   */
  yields?(stream: StreamItem, from: number, limit: number, known: number): Promise<readonly Uint8Array[]>
  /** Tells an item of a stream that its values were read so far: it waits when too much is unread. */
  acknowledge?(stream: StreamItem, read: YieldPosition): Promise<void>
  /** Results of members by number, all records of each; for those that events did not carry. */
  fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord>
  /**
   * Writes the bytes of one item's record to a local file, by pieces, however large it is; gives its kind. Undefined:
   * there is no whole record of it. An executor without it has all records by `fetch`.
   */
  save?(id: JobId, member: number, item: number, localPath: string): Promise<RecordKind | undefined>
  /**
   * Copies what items of these members have left, as spec.stage says, to files here. `place` says where: undefined is
   * not wanted. Gives the local paths by item. An executor without it has none.
   * @throws ResultError RESULT_CORRUPT, FileError
   */
  saveOutputs?(
    id: JobId,
    members: readonly MemberOutputs[],
    place: (item: number, failed: boolean, path: string) => string | undefined,
  ): Promise<ReadonlyMap<number, readonly string[]>>
  /** The member's log from byte `from`, or that of one of its ranks; `end` once no more will come. */
  logs(
    id: JobId,
    member: number,
    stream: 'stdout' | 'stderr',
    from: number,
    rank?: number,
  ): Promise<{ bytes: Uint8Array; ended: boolean }>
  /**
   * What members that run or have ended use, beside what their ends said: from accounting, and as they note it meanwhile.
   * An executor without it knows no more.
   */
  measure?(id: JobId): Promise<ReadonlyMap<number, Measured>>
  /** Whole jobs, or some members of one. What has ended already is left alone. */
  cancel(targets: readonly CancelTarget[]): Promise<void>
  /**
   * Stops following. 'completed' and 'failed': the results are safe with the client, so notices and, as `keep`
   * says, folders may go. 'detached': all stays, for whoever attaches.
   */
  release(ids: readonly JobId[], outcome: 'completed' | 'failed' | 'detached'): Promise<void>
  /** Removes what is done with, of all clients. An executor without it leaves nothing behind. */
  clean?(request: CleanRequest): Promise<Cleaned>
  /**
   * Has packages installed there, and made into an archive for jobs. An executor without it installs none.
   * @throws BuildError when it cannot be done there, TransportError
   */
  makePackages?(request: BuildRequest, environment: Environment): Promise<PackagesRef>
  /** What there is to run on. An executor without it cannot tell. */
  resources?(): Promise<PlaceResources>
  /** The jobs that wait and run there, everybody's or only the user's. An executor without it has no queue. */
  readonly queue?: ((mine: boolean) => Promise<QueuedJobs>) | undefined
  /** The script that would be submitted; nothing is sent. */
  script(spec: JobSpec): Promise<string>
}
