import { LazyMap, LazySet } from '../../core/lazy.ts'
import { type JobSpec, type MemberEnd, membersOf } from '../../core/protocol.ts'
import { isFinal, type JobStatus, mayFollow } from '../../core/status.ts'
import type { QueueEntry, Scheduler } from '../../scheduler/scheduler.ts'

/** A member whose fate is open: the queue no longer shows it, or its end does not say why. */
export interface Question {
  readonly since: number
  end?: MemberEnd
}

interface Observed {
  readonly changes: [member: number | undefined, status: JobStatus][]
  /** Open members that the queue no longer shows. */
  readonly absent: readonly number[]
  /** Those that it shows and will never start. */
  readonly never: readonly number[]
}

/** What the executor remembers of one submission of a job while it is not over. */
export class TrackedJob {
  readonly ended = new LazySet<number>()
  readonly canceled = new LazySet<number>()
  readonly questions = new LazyMap<number, Question>()
  /** The run that a member's end is of, where the scheduler has restarted it. */
  readonly runs = new LazyMap<number, number>()
  /** Bytes of a member's out.pack when it ended: the file may be seen to grow until then. */
  readonly packSizes = new LazyMap<number, number>()
  /** The scheduler has started some of it again: what the runs are called is not known. */
  restarted = false
  /** Members that could never start, and how that is told. */
  readonly doomed = new LazyMap<number, JobStatus>()
  status: JobStatus = { state: 'QUEUED' }
  /** Where its own script waits for other jobs: those. */
  after: readonly TrackedJob[] = []
  readonly #members = new LazyMap<number, JobStatus>()
  readonly #only: ReadonlySet<number> | undefined
  readonly spec: JobSpec
  readonly nativeId: string
  /** Seconds since the epoch by the server's clock: an older answer of the queue says nothing about it. */
  readonly submittedAt: number
  /** Milliseconds by our clock. */
  readonly born: number

  /** Submitted by another client; we took it over. */
  readonly adopted: boolean

  constructor(spec: JobSpec, nativeId: string, submittedAt: number, born: number, adopted = false) {
    this.adopted = adopted
    this.#only = spec.only && new Set(spec.only)
    this.spec = spec
    this.nativeId = nativeId
    this.submittedAt = submittedAt
    this.born = born
  }

  get over(): boolean {
    return this.ended.size === (this.spec.only?.length ?? this.spec.members)
  }

  *open(): Iterable<number> {
    for (const member of membersOf(this.spec)) if (!this.ended.has(member)) yield member
  }

  has(member: number): boolean {
    return this.#only ? this.#only.has(member) : member < this.spec.members
  }

  /** It is there, and waits for jobs whose values are arguments of it. */
  get isWaiting(): boolean {
    return this.after.some((job) => !job.over)
  }

  /** Takes in what the queue says. */
  observe(entry: QueueEntry | undefined, explain?: Scheduler['explainWaiting']): Observed {
    if (entry && this.isWaiting) return { changes: [], absent: [], never: [] }
    const changes: [number | undefined, JobStatus][] = []
    const absent: number[] = []
    const never: number[] = []
    // Members share a status by the thousand.
    const told = new Map<JobStatus, { status: JobStatus; never: boolean }>()
    const tell = (status: JobStatus) => {
      const known = told.get(status) ?? inWords(status, this.spec, explain)
      told.set(status, known)
      return known
    }
    for (const member of this.open()) {
      const seen = entry && memberStatus(entry, member)
      const status = seen && tell(seen).status
      // Slurm shows a canceled job as completing until KillWait is over; it will leave no other end.
      const goingByUs = status?.reason === 'completing' && this.canceled.has(member)
      if (!status || goingByUs || isFinal(status.state)) {
        absent.push(member)
        continue
      }
      if (tell(seen!).never) {
        never.push(member)
        this.doomed.set(member, { ...status, state: 'FAILED', reason: 'launch-failed' })
        continue
      }
      this.questions.delete(member)
      if (status.reason === 'requeued') this.restarted = true
      // An entry for the job as a whole says nothing of its members.
      if (this.spec.members > 1 && !entry?.members && !entry?.rest) continue
      if (this.#advance(member, status) && this.spec.members > 1) changes.push([member, status])
    }
    const whole = entry && tell(entry.status).status
    if (whole && !isFinal(whole.state) && mayFollow(whole, this.status)) {
      this.status = whole
      changes.unshift([undefined, whole])
    }
    return { changes, absent, never }
  }

  /**
   * Members that run now, where the script itself starts them in order, `workers` at a time.
   * Gives those that were not known to.
   */
  start(workers: number): number[] {
    const started: number[] = []
    if (this.isWaiting) return started
    let running = 0
    for (const member of this.open()) {
      if (running++ === workers) break
      if (this.#advance(member, { state: 'ACTIVE' })) started.push(member)
    }
    return started
  }

  #advance(member: number, status: JobStatus): boolean {
    if (!mayFollow(status, this.#members.get(member) ?? { state: 'QUEUED' })) return false
    this.#members.set(member, status)
    return true
  }
}

/** Why it waits: the scheduler's word, and what that means. */
export function inWords(
  status: JobStatus,
  { resources, parents }: Pick<JobSpec, 'resources' | 'parents'>,
  explain: Scheduler['explainWaiting'],
): { status: JobStatus; never: boolean } {
  const { state, message } = status
  const waiting = state === 'QUEUED' && message ? explain?.(message, resources, parents?.jobs) : undefined
  if (!waiting) return { status, never: false }
  return { status: { ...status, message: `${message}: ${waiting.words}` }, never: waiting.never ?? false }
}

export function memberStatus(entry: QueueEntry, member: number): JobStatus | undefined {
  if (!entry.members && !entry.rest) return entry.status
  return entry.members?.get(member) ?? entry.rest
}
