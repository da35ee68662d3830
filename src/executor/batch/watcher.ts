import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import type { JobId } from '../../core/ids.ts'
import { type JobSpec, type MemberEnd, paths } from '../../core/protocol.ts'
import type { CommandResult } from '../../core/shell.ts'
import type { JobStatus } from '../../core/status.ts'
import type { JobEvent } from '../executor.ts'
import { planLooks } from './look-plan.ts'
import { type Notice, parseEnd, parseNotices } from './notices.ts'
import { placeFailed } from './place.ts'
import { askAccounting, askQueue, type QueueAnswer, type WatchedPlace } from './queue.ts'
import { endsScript, tailScript, watchScript } from './scripts.ts'
import { memberStatus, type Question, type TrackedJob } from './tracked-job.ts'
import { verdict } from './verdict.ts'

export interface WatchSettings {
  /** Members of a job that run at once, where its own script starts them; undefined where a scheduler does. */
  readonly workersOf?: (spec: JobSpec) => number
  readonly queryIntervalMs: number
  readonly filePollMs: number
  readonly graceMs: number
}

/** The first question to the scheduler after a submission: long enough for it to know the job. */
const firstQueryMs = 2_000
const askSoonMs = 300

/**
 * Two clocks over all jobs of one place. Files: notices of members that ended. Scheduler: where jobs stand, and
 * why one that left no notice is gone. Each look is one command, however many jobs there are.
 */
export class Watcher {
  readonly #jobs = new Map<JobId, TrackedJob>()
  readonly #recorded = new Set<string>()
  readonly #stop = new AbortController()
  #wake = new AbortController()
  #idle = new AbortController()
  #filesRunning = false
  #queueRunning = false
  #nextQuery = 0

  readonly #place: WatchedPlace
  readonly #settings: WatchSettings
  readonly #clock: Clock
  readonly #events: AsyncQueue<JobEvent>

  constructor(place: WatchedPlace, settings: WatchSettings, clock: Clock, events: AsyncQueue<JobEvent>) {
    this.#place = place
    this.#settings = settings
    this.#clock = clock
    this.#events = events
  }

  get(id: JobId): TrackedJob | undefined {
    return this.#jobs.get(id)
  }

  all(): Iterable<TrackedJob> {
    return this.#jobs.values()
  }

  add(job: TrackedJob): void {
    this.#jobs.set(job.spec.id, job)
    const now = this.#clock.now()
    if (this.#nextQuery <= now) this.#nextQuery = now + firstQueryMs
    this.#nextQuery = Math.min(this.#nextQuery, now + firstQueryMs)
    this.#wake.abort()
    this.#wake = new AbortController()
    this.#tellStarted(job)
    void this.#watchFiles()
    void this.#watchQueue()
  }

  #tellStarted(job: TrackedJob): void {
    const { workersOf } = this.#settings
    if (!workersOf || job.spec.members === 1) return
    for (const member of job.start(workersOf(job.spec)))
      this.#events.push({ type: 'state', id: job.spec.id, member, status: { state: 'ACTIVE' } })
  }

  /** A job of another client, with the ends that lie there already. */
  adopt(job: TrackedJob, ends: readonly MemberEnd[]): void {
    this.add(job)
    for (const end of ends) if (!job.ended.has(end.member)) this.#ask(job, end.member, end, false)
  }

  /** Something happened that the queue will tell of: ask it soon. */
  askSoon(): void {
    this.#nextQuery = Math.min(this.#nextQuery, this.#clock.now() + askSoonMs)
    this.#wake.abort()
    this.#wake = new AbortController()
    void this.#watchQueue()
  }

  forget(id: JobId): void {
    this.#jobs.delete(id)
    this.#rest()
  }

  /** With nothing to watch, no wait may keep the program from ending. */
  #rest(): void {
    if (this.#active.length > 0) return
    this.#idle.abort()
    this.#idle = new AbortController()
    this.#wake.abort()
    this.#wake = new AbortController()
  }

  stop(): void {
    this.#stop.abort()
    this.#wake.abort()
  }

  /** Notices that are recorded and still lie in an inbox. */
  takeRecorded(): string[] {
    const recorded = [...this.#recorded]
    this.#recorded.clear()
    return recorded
  }

  /** Who we are: the inbox of jobs that are not adopted. */
  get #client(): string | undefined {
    for (const job of this.#jobs.values()) if (!job.adopted) return job.spec.client
    return undefined
  }

  get #active(): TrackedJob[] {
    return [...this.#jobs.values()].filter((job) => !job.over)
  }

  async #watchFiles(): Promise<void> {
    if (this.#filesRunning) return
    this.#filesRunning = true
    let failures = 0
    while (!this.#stop.signal.aborted && this.#active.length > 0) {
      try {
        await this.#look()
        failures = 0
      } catch (error) {
        if (this.#stop.signal.aborted) break
        await this.#trouble(error, ++failures)
      }
    }
    this.#filesRunning = false
  }

  async #look(): Promise<void> {
    const jobs = this.#active
    const age = this.#clock.now() - Math.max(...jobs.map((job) => job.born))
    const { scheduler, transport } = this.#place
    const planned = planLooks(age, {
      immediate: scheduler.immediate === true,
      filePollMs: this.#settings.filePollMs,
    })
    const { step } = planned
    // A server that gives one channel must not have it held by a wait.
    const looks = transport.concurrency > 1 ? planned.looks : 1
    const recorded = this.takeRecorded()
    // Our own inbox as a whole; of another client's only what concerns the job that we took over.
    const places = new Set(
      jobs.map(({ spec, adopted }) => `${paths.inbox(spec.client)}/${adopted ? `${spec.id}.` : 'f'}`),
    )
    const options = [String(step / 1000), String(looks), recorded.length > 0 ? 'yes' : '']
    const argv = ['sh', '-c', watchScript, 'farcall', this.#place.workdir, ...options, ...places]
    const stdin = recorded.map((path) => `${path}\n`).join('')
    const idle = this.#idle.signal
    let result: CommandResult
    try {
      result = await transport.exec({ argv, stdin }, { signal: idle })
      if (result.exitCode !== 0) throw placeFailed(result, transport.name)
    } catch (error) {
      for (const path of recorded) this.#recorded.add(path)
      if (idle.aborted) return
      throw error
    }
    const notices = parseNotices(result.stdout)
    for (const notice of notices) this.#record(notice)
    if (notices.length === 0 && looks === 1) await this.#clock.sleep(step, this.#wake.signal)
  }

  #record({ end, records }: Notice): void {
    const job = this.#jobs.get(end.id)
    const client = job?.spec.client ?? this.#client
    if (client) this.#recorded.add(`${paths.inbox(client)}/${paths.notice(end.id, end.attempt, end.member)}`)
    if (!job || job.spec.attempt > end.attempt || job.ended.has(end.member)) return
    for (const record of records ?? []) this.#events.push({ type: 'item', id: end.id, record })
    this.#ask(job, end.member, end, records !== undefined)
  }

  /** Ends the member when the evidence suffices, else leaves a question that accounting answers. */
  #ask(
    job: TrackedJob,
    member: number,
    end: MemberEnd | undefined,
    complete: boolean,
    accounting?: JobStatus,
  ): boolean {
    const now = this.#clock.now()
    const question: Question = job.questions.get(member) ?? { since: now }
    if (end) question.end = end
    const status = verdict({
      end: question.end,
      accounting,
      canceledByUs: job.canceled.has(member),
      waitedMs: now - question.since,
      graceMs: this.#settings.graceMs,
      hasAccounting: this.#place.scheduler.history !== undefined,
    })
    if (!status) {
      job.questions.set(member, question)
      void this.#watchQueue()
      this.#nextQuery = Math.min(this.#nextQuery, now + 1_000)
      return false
    }
    job.questions.delete(member)
    job.ended.add(member)
    // Its notice too may go, also when the end was found before the notice was.
    const { client, attempt } = job.spec
    this.#recorded.add(`${paths.inbox(client)}/${paths.notice(job.spec.id, attempt, member)}`)
    this.#rest()
    this.#tellStarted(job)
    void this.#finish(job, member, status, question.end, complete)
    return true
  }

  async #finish(
    job: TrackedJob,
    member: number,
    status: JobStatus,
    end: MemberEnd | undefined,
    complete: boolean,
  ) {
    const { id } = job.spec
    const stderrTail = status.state === 'COMPLETED' ? undefined : await this.#tail(job, member)
    this.#events.push({
      type: 'end',
      id,
      member,
      status,
      complete,
      ...(end ? { end } : {}),
      ...(stderrTail ? { stderrTail } : {}),
    })
  }

  async #tail(job: TrackedJob, member: number): Promise<string> {
    const folder = `${this.#place.workdir}/${paths.job(job.spec.id)}`
    const attempt = job.spec.attempt
    try {
      const argv = ['sh', '-c', tailScript, 'farcall', folder, String(attempt), String(member)]
      const result = await this.#place.transport.exec({ argv })
      return Buffer.from(result.stdout).toString('utf8')
    } catch (error) {
      return `(stderr could not be read: ${error instanceof Error ? error.message : String(error)})`
    }
  }

  async #watchQueue(): Promise<void> {
    if (this.#queueRunning) return
    this.#queueRunning = true
    let failures = 0
    while (!this.#stop.signal.aborted && this.#active.length > 0) {
      const wait = this.#nextQuery - this.#clock.now()
      if (wait > 0) {
        await this.#clock.sleep(wait, this.#wake.signal)
        continue
      }
      try {
        await this.#query()
        failures = 0
      } catch (error) {
        if (this.#stop.signal.aborted) break
        await this.#trouble(error, ++failures)
      }
    }
    this.#queueRunning = false
  }

  async #query(): Promise<void> {
    const jobs = this.#active
    const { time, snapshot } = await this.#askQueue(jobs)
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
    const open = missed.filter((job) => job.questions.size > 0)
    const oldest = Math.min(
      ...open.flatMap((job) => [...job.questions.values()].map((question) => question.since)),
    )
    // Questions are asked again soon at first, then ever more rarely, never more often than the interval for long.
    const waited =
      open.length > 0 ? Math.max(1_000, this.#clock.now() - oldest) : this.#settings.queryIntervalMs
    this.#nextQuery = this.#clock.now() + Math.min(this.#settings.queryIntervalMs, waited)
  }

  #askQueue(jobs: readonly TrackedJob[]): Promise<QueueAnswer> {
    // Whoever waits for a reason, or has canceled, needs to know how it is now.
    const anew = jobs.some((job) => job.questions.size > 0 || job.canceled.size > 0)
    const goodFor = anew ? 0 : Math.max(1, Math.floor(this.#settings.queryIntervalMs / 1000) - 1)
    const ids = jobs.map((job) => job.nativeId)
    return askQueue(this.#place, ids, goodFor)
  }

  /** Looks for ends that no notice told of, then asks accounting about the rest. */
  async #inquire(jobs: readonly TrackedJob[]): Promise<void> {
    for (const job of jobs) {
      const unknown = [...job.questions].filter(([, question]) => !question.end)
      if (unknown.length === 0) continue
      const attempt = String(job.spec.attempt)
      const result = await this.#place.transport.exec({
        argv: ['sh', '-c', endsScript, 'farcall', this.#place.workdir, job.spec.id, attempt],
      })
      for (const line of Buffer.from(result.stdout).toString('utf8').split('\n')) {
        if (line.trim() === '') continue
        const end = parseEnd(line)
        if (!job.ended.has(end.member)) this.#ask(job, end.member, end, false)
      }
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
        this.#ask(job, member, undefined, false, entry && memberStatus(entry, member))
    }
  }

  async #trouble(error: unknown, failures: number): Promise<void> {
    this.#events.push({ type: 'trouble', error })
    const ceiling = Math.min(30_000, 500 * 2 ** failures)
    await this.#clock.sleep(ceiling / 2 + (Math.random() * ceiling) / 2, this.#stop.signal)
  }
}
