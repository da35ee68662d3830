import type { PartitionCapacity } from '../../core/capacity.ts'
import { ConfigError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { nearest } from '../../core/nearest.ts'
import type { QueuedJob } from '../../core/queued-job.ts'
import type { JobState } from '../../core/status.ts'
import { storeDirFor } from '../options/settings.ts'
import { dressed } from '../outcome/dress.ts'
import type { Session } from '../session/session.ts'
import { recorderOf } from '../submission/recorder.ts'

/** Which partitions `cluster.resources` tells of. */
export interface ResourceFilter {
  /** A partition or queue, or several with commas between; default: all that you may see. */
  partition?: string
}

/** What a cluster had at a moment. */
export interface ClusterResources {
  /** The profile's name. */
  readonly profile: string
  /** When it was asked, milliseconds since the epoch. */
  readonly time: number
  readonly partitions: readonly PartitionCapacity[]
  /** What could not be read there, and what it would take; a sentence each. */
  readonly notes: readonly string[]
}

/** Which jobs `cluster.queue` gives. */
export interface QueueFilter extends ResourceFilter {
  /** Only those of the account there; default: everybody's, as far as the site shows them. */
  mine?: boolean
}

/** A job in the queue. */
export interface ClusterJob extends QueuedJob {
  /** Whether it is of the account that asked. */
  readonly mine: boolean
  /** Its id here, when it is on this machine's record. */
  readonly id?: JobId
}

/** What was in a queue at a moment. */
export interface ClusterQueue {
  readonly profile: string
  /** When it was asked, milliseconds since the epoch. */
  readonly time: number
  readonly jobs: readonly ClusterJob[]
}

/** @internal */
export async function resourcesOf(
  session: Session,
  profile: string,
  { partition }: ResourceFilter,
): Promise<ClusterResources> {
  const { time, value } = await session.resources.get()
  const { partitions, notes } = value
  return dressed({ profile, time, partitions: chosen(partitions, partition), notes })
}

/** @throws ConfigError OPTION_INVALID for one that is not there */
function chosen(all: readonly PartitionCapacity[], asked: string | undefined): readonly PartitionCapacity[] {
  if (asked === undefined) return all
  const names = all.map(({ name }) => name)
  return asked.split(',').map((name) => {
    const found = all.find((one) => one.name === name)
    if (found) return found
    const near = nearest(name, names)
    throw new ConfigError('OPTION_INVALID', `partition: there is no '${name}'`, {
      hint: near ? `did you mean '${near}'?` : `there are: ${names.join(', ')}`,
    })
  })
}

/** @internal */
export async function queueOf(
  session: Session,
  profile: string,
  { mine = false, partition }: QueueFilter,
): Promise<ClusterQueue> {
  const { time, value } = await session.queues[mine ? 'mine' : 'everyone'].get()
  const wanted = partition?.split(',')
  const idOf = await recordedIds(profile)
  const jobs = value.jobs
    .filter((job) => !wanted || job.partition?.split(',').some((one) => wanted.includes(one)))
    .map((job): ClusterJob => {
      const own = job.user === value.user
      const id = own ? idOf(job.nativeId) : undefined
      return { ...job, mine: own, ...(id === undefined ? {} : { id }) }
    })
  return dressed({ profile, time, jobs })
}

/** Ids here by native ids; of a member of an array that of the array. */
async function recordedIds(profile: string): Promise<(nativeId: string) => JobId | undefined> {
  const recorder = recorderOf(await storeDirFor())
  recorder.flush()
  const known = new Map<string, JobId | undefined>()
  return (nativeId) => {
    const whole = wholeJob(nativeId)
    if (!known.has(whole)) {
      const rows = recorder.store.find(whole)
      known.set(whole, rows.find((row) => row.profile === profile && row.nativeId === whole)?.id)
    }
    return known.get(whole)
  }
}

/** '3_[2-9%2]' and '3_1' of Slurm, '2.3-40:1' of Grid Engine, '42[7].server' of PBS. */
function wholeJob(nativeId: string): string {
  return nativeId
    .replace(/^(\d+)_.*$/, '$1')
    .replace(/^(\d+)\.\d[\d:,-]*$/, '$1')
    .replace(/^(\d+)\[\d+\]/, '$1[]')
}

/** What a cluster had when that had changed. */
export interface ResourcesSeen extends ClusterResources {
  /** With `minGpus`: whether one partition has so many free. */
  readonly enough?: boolean
}

/** Entries of a queue: those that run, and those that wait; each member of an array that waits counts. */
export interface QueueCounts {
  readonly running: number
  readonly waiting: number
}

/** How a place is, and what became of one's own jobs there. */
export interface PlaceReport extends ClusterResources {
  /** Entries of the queue; absent where there is none. */
  readonly queue?: QueueCounts & { readonly mine: QueueCounts }
  /** Of this machine's record: those under way, and those that have ended since `since`. */
  readonly jobs: Readonly<Partial<Record<JobState, number>>>
  /** Milliseconds since the epoch. */
  readonly since: number
}
