import type { JobStatus } from '../../core/status.ts'

/**
 * One try of a call, in `job.attempts`.
 * @example
 * import { type Attempt, cluster } from 'farcall'
 *
 * const job = cluster({ retry: 2 }, (n: number) => n * n)(6)
 * await job
 * const tries: readonly Attempt[] = job.attempts
 * console.log(tries.map(({ attempt, status }) => `${attempt}: ${status.state}`))
 */
export interface Attempt {
  /** From 1. */
  readonly attempt: number
  readonly status: JobStatus
  /** The scheduler's id of this try. */
  readonly nativeId?: string
  /** How often the scheduler itself started it again. */
  readonly restarts?: number
  /** Where it ran. */
  readonly host?: string
  /** Milliseconds since the epoch, by the node's clock. */
  readonly startedAt?: number
  readonly endedAt?: number
  /** What it was granted, bytes and seconds. */
  readonly memory?: number
  readonly time?: number
}
