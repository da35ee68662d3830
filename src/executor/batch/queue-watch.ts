import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import type { JobId } from '../../core/ids.ts'
import type { MemberEnd } from '../../core/protocol.ts'
import type { JobEvent } from '../executor.ts'
import type { Canceler } from './cancel.ts'
import type { MemberEnds } from './member-ends.ts'
import { latestOf, parseEnds } from './notices.ts'
import { placeFailed } from './place.ts'
import { askAccounting, askQueue, type WatchedPlace } from './queue.ts'
import { endsScript } from './queue-scripts.ts'
import { entryOf } from './tasks.ts'
import { memberStatus, type TrackedJob } from './tracked-job.ts'

/** The first question to the scheduler after a submission: long enough for it to know the job. */
const firstQueryMs = 2_000
const askSoonMs = 300
const questionMs = 1_000

/** Asks the scheduler where jobs stand, and why one that left no notice is gone: one query, however many jobs. */
export class QueueWatch {
  readonly #place: WatchedPlace
  readonly #canceler: Canceler
  readonly #ends: MemberEnds
  readonly #intervalMs: number
  readonly #clock: Clock
  readonly #events: AsyncQueue<JobEvent>
  #next = 0
  #last = Number.NEGATIVE_INFINITY
  /** What a question costs in patience: each one that follows at once is asked later, up to the interval. */
  #pause = questionMs

  constructor(
    place: WatchedPlace,
    canceler: Canceler,
    ends: MemberEnds,
    intervalMs: number,
    clock: Clock,
    events: AsyncQueue<JobEvent>,
  ) {
    this.#place = place
    this.#canceler = canceler
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
    const soonest = Math.max(this.#clock.now() + ms, this.#last + this.#pause)
    this.#next = Math.min(this.#next, soonest)
  }

  async query(jobs: readonly TrackedJob[]): Promise<void> {
    const anew = jobs.some(isPressing)
    // A stream of questions may not become a stream of queries.
    this.#pause = anew ? Math.min(this.#intervalMs, 2 * this.#pause) : questionMs
    this.#next = this.#clock.now() + this.#intervalMs
    this.#last = this.#clock.now()
    const { time, snapshot } = await this.#ask(jobs, anew)
    const { scheduler } = this.#place
    const missed: TrackedJob[] = []
    const hopeless: Promise<void>[] = []
    for (const job of jobs) {
      // An answer as old as the submission cannot have the job.
      if (time <= job.submittedAt) continue
      const { changes, absent, never } = job.observe(
        entryOf(snapshot, job, scheduler),
        scheduler.explainWaiting,
      )
      for (const [member, status] of changes)
        this.#events.push({
          type: 'state',
          id: job.spec.id,
          status,
          ...(member === undefined ? {} : { member }),
        })
      if (never.length > 0) hopeless.push(this.#giveUp(job, never))
      for (const member of absent)
        if (!job.questions.has(member)) job.questions.set(member, { since: this.#clock.now() })
      if (job.questions.size > 0) missed.push(job)
    }
    await Promise.all(hopeless)
    if (missed.length > 0) await this.#inquire(missed)
    if (jobs.some(isPressing)) this.asked()
  }

  /** Takes what can never start out of the queue, and says so. */
  async #giveUp(job: TrackedJob, members: readonly number[]): Promise<void> {
    await this.#canceler.cancel(job, members)
    for (const member of members) if (!job.ended.has(member)) this.#ends.consider(job, member, {})
  }

  #ask(jobs: readonly TrackedJob[], anew: boolean) {
    const goodFor = anew ? 0 : Math.max(1, Math.floor(this.#intervalMs / 1000) - 1)
    const ids = jobs.map((job) => job.nativeId)
    return askQueue(this.#place, ids, goodFor)
  }

  /** Looks for ends that no notice told of, then asks accounting about the rest. */
  async #inquire(jobs: readonly TrackedJob[]): Promise<void> {
    const found = await this.#findEnds(jobs)
    for (const job of jobs)
      for (const end of latestOf(found.get(job.spec.id) ?? [], job.spec.attempt))
        if (job.has(end.member) && !job.ended.has(end.member)) this.#ends.consider(job, end.member, { end })
    const open = jobs.filter((job) => job.questions.size > 0)
    if (open.length === 0) return
    const accounting = await askAccounting(
      this.#place,
      open.map((job) => job.nativeId),
    )
    for (const job of open) {
      const entry = entryOf(accounting, job, this.#place.scheduler)
      for (const member of [...job.questions.keys()])
        this.#ends.consider(job, member, { accounting: entry && memberStatus(entry, member) })
    }
  }

  async #findEnds(jobs: readonly TrackedJob[]): Promise<Map<JobId, MemberEnd[]>> {
    const found = new Map<JobId, MemberEnd[]>()
    for (const job of jobs)
      if ([...job.questions.values()].some((question) => !question.end)) found.set(job.spec.id, [])
    if (found.size === 0) return found
    const { transport, workdir } = this.#place
    const argv = ['sh', '-c', endsScript, 'farcall', workdir]
    const result = await transport.exec({ argv, stdin: [...found.keys(), ''].join('\n') })
    if (result.exitCode !== 0) throw placeFailed(result, transport.name)
    for (const end of parseEnds(Buffer.from(result.stdout).toString('utf8'))) found.get(end.id)?.push(end)
    return found
  }
}

/** Whoever waits for a reason, or has canceled, needs to know how it is now. */
function isPressing(job: TrackedJob): boolean {
  if (job.questions.size > 0) return true
  for (const member of job.canceled) if (!job.ended.has(member)) return true
  return false
}
