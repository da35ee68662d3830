import type { JobStatus } from './status.ts'

/** A job in the queue of a cluster, whoever's it is. What is not told there is absent. */
export interface QueuedJob {
  /** '12', '12_3' and '12_[4-9]' of an array, '12[].server'. */
  readonly nativeId: string
  readonly name: string
  readonly user: string
  readonly partition?: string
  readonly status: JobStatus
  /** Members of an array that this stands for. */
  readonly members?: number
  readonly nodes?: number
  readonly cores?: number
  readonly gpus?: number
  /** Bytes. */
  readonly memory?: number
  /** Milliseconds since the epoch. */
  readonly submittedAt?: number
  readonly startedAt?: number
  /** Seconds that it may run, and has run. */
  readonly timeLimitSeconds?: number
  readonly elapsedSeconds?: number
  /** The nodes that it runs on, as they are written there. */
  readonly where?: string
}

/** All of them, and by which name the user is known there. */
export interface QueuedJobs {
  readonly user: string
  readonly jobs: readonly QueuedJob[]
}
