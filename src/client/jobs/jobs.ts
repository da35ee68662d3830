import type { JobId } from '../../core/ids.ts'
import type { JobState, JobStatus } from '../../core/status.ts'
import type { ListedRow, ListFilter, Provenance } from '../../store/types.ts'
import { storeDirFor } from '../options/settings.ts'
import { recorderOf } from '../submission/recorder.ts'

/** Which jobs `jobs` gives; all conditions together. */
export interface JobFilter {
  /** How many; default 50. */
  limit?: number
  state?: JobState | readonly JobState[]
  /** A profile's name. */
  profile?: string
  /** One of the option `tags`. */
  tag?: string
  /** A function's name. */
  function?: string
  /** Recorded at this time or later, before that time. */
  since?: Date
  until?: Date
}

/** A job as this machine has it on record. Times are milliseconds since the epoch. */
export interface RecordedJob {
  /** What `attach` takes. */
  readonly id: JobId
  readonly nativeId?: string
  readonly name: string
  readonly function: string
  readonly profile: string
  readonly tags: readonly string[]
  /** Inputs, and the array members that run them. */
  readonly items: number
  readonly members: number
  /** Items that completed, and items that failed or were canceled; absent while no program here has followed it. */
  readonly done?: number
  readonly failed?: number
  /** As it was last heard of. */
  readonly status: JobStatus
  readonly createdAt: number
  readonly submittedAt?: number
  readonly endedAt?: number
  readonly provenance: Provenance
  /** The version of Node that ran it, over there. */
  readonly nodeVersion?: string
}

/**
 * The jobs that this machine has on record, from whichever program, the newest first. Asks no cluster.
 *
 * @throws FarcallError STORE_UNWRITABLE, STORE_UNSAFE, STORE_NEWER
 * @example
 * import { cluster, jobs } from 'farcall'
 *
 * await cluster({ tags: ['thesis'] }, (n: number) => n * n)(6)
 * for (const { id, name, status } of await jobs({ tag: 'thesis' })) console.log(id, name, status.state)
 */
export async function jobs({ since, until, ...filter }: JobFilter = {}): Promise<RecordedJob[]> {
  const recorder = recorderOf(await storeDirFor())
  recorder.flush()
  const asked: ListFilter = {
    ...filter,
    maps: true,
    ...(since ? { since: since.getTime() } : {}),
    ...(until ? { until: until.getTime() } : {}),
  }
  return recorder.store.list(asked).map(toJob)
}

function toJob({ attempt: _, collectedAt: __, ...job }: ListedRow): RecordedJob {
  return job
}
