import type { TaskProgress } from './task.ts'

/** PSI/J's states (https://exaworks.org/psij-python/docs/), with a reason that says more. */
export type JobState = 'NEW' | 'QUEUED' | 'ACTIVE' | 'COMPLETED' | 'FAILED' | 'CANCELED'

/** Why a job is in its state: the first four of QUEUED, then of ACTIVE, of FAILED, of CANCELED. */
export type JobReason =
  // QUEUED
  | 'held'
  | 'requeued'
  | 'configuring'
  | 'staging-in'
  // ACTIVE
  | 'suspended'
  | 'completing'
  | 'staging-out'
  // FAILED
  | 'exception'
  | 'exit-code'
  | 'signal'
  | 'timeout'
  | 'out-of-memory'
  | 'node-failure'
  | 'preempted'
  | 'launch-failed'
  | 'submit-failed'
  | 'interpreter-missing'
  | 'lost'
  // CANCELED
  | 'by-user'
  | 'by-admin'

/** Where a job stands: state, reason, the scheduler's own word, and since when. */
export interface JobStatus {
  readonly state: JobState
  readonly reason?: JobReason
  /** The scheduler's word for it, unchanged: `CANCELLED by 1000`, `Eqw`. */
  readonly native?: string
  /** What there is to say about it: why a job is pending, in the scheduler's words and in plain ones; how it ended. */
  readonly message?: string
  readonly exitCode?: number
  /** The signal's number, when one ended the job. */
  readonly signal?: number
  /** Milliseconds since the epoch. */
  readonly time?: number
  /** Seconds that it ran. */
  readonly elapsed?: number
  /** Peak memory in bytes, of the node's own evidence or the scheduler's accounting. */
  readonly peakMemory?: number
  /** Seconds of CPU time, likewise. */
  readonly cpuTime?: number
  /** How far the function says it is, by `currentTask().progress`; of one that is ACTIVE. */
  readonly progress?: TaskProgress
}

const rank: Record<JobState, number> = { NEW: 0, QUEUED: 1, ACTIVE: 2, COMPLETED: 3, FAILED: 3, CANCELED: 3 }

export function isFinal(state: JobState): boolean {
  return rank[state] === 3
}

/** Whether a status may follow another: only forward, except for an explicit requeue. */
export function mayFollow(next: JobStatus, current: JobStatus): boolean {
  if (isFinal(current.state)) return false
  // A scheduler that took it back says so; a mere QUEUED after ACTIVE is an old answer.
  if (next.state === 'QUEUED' && current.state === 'ACTIVE')
    return next.reason === 'requeued' || next.reason === 'held'
  // The message is news as well: why a job is pending changes while it waits. So is progress.
  if (next.state === current.state)
    return (
      next.reason !== current.reason ||
      next.native !== current.native ||
      next.message !== current.message ||
      next.progress?.time !== current.progress?.time
    )
  return rank[next.state] > rank[current.state]
}

/** Where a map of several jobs stands: as far as the last of them, and as well as the worst. */
export function wholeStatus(statuses: readonly JobStatus[]): JobStatus {
  const order: readonly JobState[] = ['ACTIVE', 'QUEUED', 'NEW', 'FAILED', 'CANCELED', 'COMPLETED']
  for (const state of order) {
    const found = statuses.find((status) => status.state === state)
    // What waits beside what is done is under way.
    if (found && !isFinal(state) && statuses.some((status) => isFinal(status.state)))
      return { ...found, state: 'ACTIVE' }
    if (found) return found
  }
  return { state: 'NEW' }
}
