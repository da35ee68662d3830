import { type JobSpec, type MemberEnd, membersOf } from '../../core/protocol.ts'
import { isFinal, type JobStatus, mayFollow } from '../../core/status.ts'
import type { QueueEntry } from '../../scheduler/scheduler.ts'

/** A member whose fate is open: the queue no longer shows it, or its end does not say why. */
export interface Question {
  readonly since: number
  end?: MemberEnd
}

/** What the executor remembers of one submission of a job while it is not over. */
export class TrackedJob {
  readonly ended = new Set<number>()
  readonly canceled = new Set<number>()
  readonly questions = new Map<number, Question>()
  /** The run that a member's end is of, where the scheduler has restarted it. */
  readonly runs = new Map<number, number>()
  /** The scheduler has started some of it again: what the runs are called is not known. */
  restarted = false
  status: JobStatus = { state: 'QUEUED' }
  readonly #members = new Map<number, JobStatus>()
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

  /** Takes in what the queue says. Gives the changes, and which open members it no longer shows. */
  observe(entry: QueueEntry | undefined): { changes: [number | undefined, JobStatus][]; absent: number[] } {
    const changes: [number | undefined, JobStatus][] = []
    const absent: number[] = []
    for (const member of this.open()) {
      const status = entry && memberStatus(entry, member)
      // Slurm shows a canceled job as completing until KillWait is over; it will leave no other end.
      const goingByUs = status?.reason === 'completing' && this.canceled.has(member)
      if (!status || goingByUs || isFinal(status.state)) {
        absent.push(member)
        continue
      }
      this.questions.delete(member)
      if (status.reason === 'requeued') this.restarted = true
      // An entry for the job as a whole says nothing of its members.
      if (this.spec.members > 1 && !entry?.members && !entry?.rest) continue
      if (this.#advance(member, status) && this.spec.members > 1) changes.push([member, status])
    }
    if (entry && !isFinal(entry.status.state) && mayFollow(entry.status, this.status)) {
      this.status = entry.status
      changes.unshift([undefined, entry.status])
    }
    return { changes, absent }
  }

  /**
   * Members that run now, where the script itself starts them in order, `workers` at a time.
   * Gives those that were not known to.
   */
  start(workers: number): number[] {
    const started: number[] = []
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

export function memberStatus(entry: QueueEntry, member: number): JobStatus | undefined {
  if (!entry.members && !entry.rest) return entry.status
  return entry.members?.get(member) ?? entry.rest
}
