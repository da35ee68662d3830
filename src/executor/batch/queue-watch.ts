import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import type { JobEvent } from '../executor.ts'
import type { MemberEnds } from './member-ends.ts'
import { latestEnds } from './notices.ts'
import { askAccounting, askQueue, type WatchedPlace } from './queue.ts'
import { endsScript } from './scripts.ts'
import { memberStatus, type TrackedJob } from './tracked-job.ts'

/** The first question to the scheduler after a submission: long enough for it to know the job. */
const firstQueryMs = 2_000
const askSoonMs = 300
const questionMs = 1_000

/** Asks the scheduler where jobs stand, and why one that left no notice is gone: one query, however many jobs. */
export class QueueWatch {
  readonly #place: WatchedPlace
  readonly #ends: MemberEnds
  readonly #intervalMs: number
  readonly #clock: Clock
  readonly #events: AsyncQueue<JobEvent>
  #next = 0

  constructor(
    place: WatchedPlace,
    ends: MemberEnds,
    intervalMs: number,
    clock: Clock,
    events: AsyncQueue<JobEvent>,
  ) {
    this.#place = place
    this.#ends = ends
    this.#intervalMs = intervalMs
    this.#clock = clock
    this.#events = events
  }

  /** Milliseconds until the next query is due; 0 or less: now. */
  get dueMs(): number {
    return this.#next - this.#clock.now()
  }

  /** A job was submitted. */
  submitted(): void {
    if (this.dueMs <= 0) this.#next = Number.POSITIVE_INFINITY
    this.#within(firstQueryMs)
  }

  /** There is a member whose fate is open. */
  asked(): void {
    this.#within(questionMs)
  }

  /** Something happened that the queue will tell of. */
  askSoon(): void {
    this.#within(askSoonMs)
  }

  #within(ms: number): void {
    this.#next = Math.min(this.#next, this.#clock.now() + ms)
  }

  async query(jobs: readonly TrackedJob[]): Promise<void> {
    const { time, snapshot } = await this.#ask(jobs)
    const missed: TrackedJob[] = []
    for (const job of jobs) {
      // An answer as old as the submission cannot have the job.
      if (time <= job.submittedAt) continue
      const { changes, absent } = job.observe(snapshot.get(job.nativeId))
      for (const [member, status] of changes)
        this.#events.push({
          type: 'state',
          id: job.spec.id,
          status,
          ...(member === undefined ? {} : { member }),
        })
      for (const member of absent)
        if (!job.questions.has(member)) job.questions.set(member, { since: this.#clock.now() })
      if (job.questions.size > 0) missed.push(job)
    }
    if (missed.length > 0) await this.#inquire(missed)
    this.#next = this.#clock.now() + Math.min(this.#intervalMs, this.#patience(missed))
  }

  #ask(jobs: readonly TrackedJob[]) {
    // Whoever waits for a reason, or has canceled, needs to know how it is now.
    const anew = jobs.some((job) => job.questions.size > 0 || job.canceled.size > 0)
    const goodFor = anew ? 0 : Math.max(1, Math.floor(this.#intervalMs / 1000) - 1)
    const ids = jobs.map((job) => job.nativeId)
    return askQueue(this.#place, ids, goodFor)
  }

  /** Questions are asked again soon at first, then ever more rarely, never more often than the interval for long. */
  #patience(missed: readonly TrackedJob[]): number {
    const now = this.#clock.now()
    let oldest = Number.POSITIVE_INFINITY
    for (const job of missed) for (const { since } of job.questions.values()) oldest = Math.min(oldest, since)
    return oldest === Number.POSITIVE_INFINITY ? this.#intervalMs : Math.max(questionMs, now - oldest)
  }

  /** Looks for ends that no notice told of, then asks accounting about the rest. */
  async #inquire(jobs: readonly TrackedJob[]): Promise<void> {
    for (const job of jobs) {
      const unknown = [...job.questions].filter(([, question]) => !question.end)
      if (unknown.length === 0) continue
      const result = await this.#place.transport.exec({
        argv: ['sh', '-c', endsScript, 'farcall', this.#place.workdir, job.spec.id],
      })
      for (const end of latestEnds(Buffer.from(result.stdout).toString('utf8'), job.spec.attempt))
        if (job.has(end.member) && !job.ended.has(end.member)) this.#ends.consider(job, end.member, { end })
    }
    const open = jobs.filter((job) => job.questions.size > 0)
    if (open.length === 0) return
    const accounting = await askAccounting(
      this.#place,
      open.map((job) => job.nativeId),
    )
    for (const job of open) {
      const entry = accounting?.get(job.nativeId)
      for (const member of [...job.questions.keys()])
        this.#ends.consider(job, member, { accounting: entry && memberStatus(entry, member) })
    }
  }
}
