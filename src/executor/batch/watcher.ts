import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import type { JobId } from '../../core/ids.ts'
import type { NodeNeed } from '../../core/interpreter.ts'
import {
  type JobSpec,
  type MemberEnd,
  membersOf,
  type TaskReport,
  type YieldNews,
} from '../../core/protocol.ts'
import type { JobEvent } from '../executor.ts'
import { Alarm } from './alarm.ts'
import type { Canceler } from './cancel.ts'
import { Inbox } from './inbox.ts'
import { MemberEnds, type News } from './member-ends.ts'
import type { Notice } from './notices.ts'
import type { WatchedPlace } from './queue.ts'
import { QueueWatch } from './queue-watch.ts'
import type { TrackedJob } from './tracked-job.ts'
import { WatchLoop } from './watch-loop.ts'
import { WatchedJobs } from './watched-jobs.ts'

export interface WatchSettings {
  /** Members of a job that run at once, where its own script starts them; undefined where a scheduler does. */
  readonly workersOf?: (spec: JobSpec) => number
  /** A member waits for a Node to be sent. */
  readonly onNeed: (job: TrackedJob, need: NodeNeed) => void
  readonly queryIntervalMs: number
  readonly filePollMs: number
  readonly graceMs: number
}

/** Two clocks over all jobs of one place: the inbox tells who ended, the scheduler where the others stand. */
export class Watcher {
  readonly #jobs = new WatchedJobs()
  readonly #stop = new AbortController()
  readonly #wake = new Alarm()
  readonly #idle = new Alarm()
  readonly #inbox: Inbox
  readonly #queue: QueueWatch
  readonly #ends: MemberEnds
  readonly #files: WatchLoop
  readonly #queries: WatchLoop

  readonly #settings: WatchSettings
  readonly #clock: Clock
  readonly #events: AsyncQueue<JobEvent>

  constructor(
    place: WatchedPlace,
    canceler: Canceler,
    settings: WatchSettings,
    clock: Clock,
    random: () => number,
    events: AsyncQueue<JobEvent>,
  ) {
    this.#settings = settings
    this.#clock = clock
    this.#events = events
    this.#inbox = new Inbox(place, this.#jobs, settings.filePollMs, clock)
    this.#ends = new MemberEnds(place, settings.graceMs, clock, events, this.#onEnd)
    this.#queue = new QueueWatch(place, canceler, this.#ends, settings.queryIntervalMs, clock, events)
    const loop = {
      clock,
      random,
      stop: this.#stop.signal,
      busy: () => this.#jobs.active.size > 0,
      trouble: (error: unknown) => events.push({ type: 'trouble', error }),
    }
    this.#files = new WatchLoop({ ...loop, step: () => this.#look() })
    this.#queries = new WatchLoop({ ...loop, step: () => this.#query() })
  }

  /** The submissions of a job, the latest last. */
  of(id: JobId): readonly TrackedJob[] {
    return this.#jobs.of(id)
  }

  add(job: TrackedJob): void {
    this.#jobs.add(job)
    this.#queue.submitted()
    this.#tellStarted(job)
    this.#files.start()
    this.#askAgain()
  }

  /** A job of another client, with the ends that lie there already. */
  adopt(job: TrackedJob, ends: readonly MemberEnd[]): void {
    this.add(job)
    for (const end of ends) this.#consider(job, end.member, { end })
  }

  /** What becomes of its members is from now on this attempt's matter: another client saw them end before we did. */
  supersede(spec: JobSpec): void {
    for (const earlier of this.of(spec.id)) {
      if (earlier.spec.attempt >= spec.attempt) continue
      for (const member of membersOf(spec)) if (earlier.has(member)) earlier.ended.add(member)
      this.#jobs.ended(earlier)
    }
  }

  /** Something happened that the queue will tell of: ask it soon. */
  askSoon(): void {
    this.#queue.askSoon()
    this.#askAgain()
  }

  forget(id: JobId): void {
    this.#jobs.forget(id)
    this.#rest()
  }

  stop(): void {
    this.#stop.abort()
    this.#wake.ring()
  }

  /** Notices that are recorded and still lie in an inbox. */
  takeRecorded(): string[] {
    return this.#inbox.takeRecorded()
  }

  async #look(): Promise<void> {
    const { ends, reports, yields, needs } = await this.#inbox.look(this.#idle, this.#wake)
    for (const report of reports) this.#report(report)
    for (const { news, records } of yields) this.#tellYields(news, records)
    for (const notice of ends) this.#record(notice)
    for (const need of needs) {
      const job = this.#jobs.ofEnd(need)
      if (job && !job.ended.has(need.member)) this.#settings.onNeed(job, need)
    }
  }

  #report(report: TaskReport): void {
    const { id, member, items } = report
    const job = this.#jobs.ofEnd(report)
    if (!job || job.ended.has(member)) return
    for (const { item, ...progress } of items)
      this.#events.push({ type: 'progress', id, member, item, progress })
  }

  #tellYields(news: YieldNews, records: readonly Uint8Array[]): void {
    const { id, attempt, member, sequence: _, from, ...report } = news
    if (this.#jobs.ofEnd(news))
      this.#events.push({ type: 'yield', id, member, attempt, report, from, records })
  }

  async #query(): Promise<void> {
    const wait = this.#queue.dueMs
    if (wait > 0) return this.#clock.sleep(wait, this.#wake.signal)
    await this.#queue.query([...this.#jobs.active])
  }

  #record({ end, records }: Notice): void {
    const job = this.#jobs.ofEnd(end)
    if (!job || job.ended.has(end.member)) return
    for (const record of records ?? []) this.#events.push({ type: 'item', id: end.id, record })
    this.#consider(job, end.member, { end, complete: records !== undefined })
  }

  #consider(job: TrackedJob, member: number, evidence: News): void {
    if (job.ended.has(member) || this.#ends.consider(job, member, evidence)) return
    this.#queue.asked()
    this.#askAgain()
  }

  readonly #onEnd = (job: TrackedJob, member: number): void => {
    this.#jobs.ended(job)
    this.#inbox.recorded(job, member, job.runs.get(member) ?? job.spec.attempt)
    this.#rest()
    this.#tellStarted(job)
  }

  #tellStarted(job: TrackedJob): void {
    const { workersOf } = this.#settings
    if (!workersOf || job.spec.members === 1) return
    for (const member of job.start(workersOf(job.spec)))
      this.#events.push({ type: 'state', id: job.spec.id, member, status: { state: 'ACTIVE' } })
  }

  /** The next query is due at another time than it was. */
  #askAgain(): void {
    this.#wake.ring()
    this.#queries.start()
  }

  /** With nothing to watch, no wait may keep the program from ending. */
  #rest(): void {
    if (this.#jobs.active.size > 0) return
    this.#idle.ring()
    this.#wake.ring()
  }
}
