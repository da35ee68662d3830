import pLimit from 'p-limit'
import { systemClock } from '../../core/clock.ts'
import { ConfigError, FarcallError, TransportError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { Profile } from '../../core/profile.ts'
import type { JobSpec, MemberEnd } from '../../core/protocol.ts'
import type { QueuedJobs } from '../../core/queued-job.ts'
import type { Executor, FoundJob, JobEvent, JobPayload, PlaceResources } from '../../executor/executor.ts'
import { thisProcess } from '../../store/owner.ts'
import { canceledBefore } from '../outcome/failures.ts'
import { here, noteNode } from '../payload/node-seen.ts'
import { makeAttempts } from '../retries/next-attempt.ts'
import type { MemberEndEvent } from '../submission/intake.ts'
import { flushRecords, type Recorder } from '../submission/recorder.ts'
import type { Submission } from '../submission/submission.ts'
import { DoneJobs } from './done-jobs.ts'
import { interrupts } from './interrupt.ts'
import { Paced } from './paced.ts'
import { restoreOnce } from './restore.ts'
import { queryMs } from './watch-pace.ts'

/** Hears of jobs that it looks on at. @internal */
export type Onlooker = (event: JobEvent) => void

function hasNo({ name }: Executor, what: string): never {
  throw new ConfigError('OPTION_INVALID', `${name} has no ${what}`, {
    hint: 'jobs() lists those of this machine’s record',
  })
}

/** How long a program that ends waits for the ends of what it canceled, so as to clean up after it. */
const endsMs = 5_000

/** One place, shared by all calls of this process: an executor, and who waits for what there. @internal */
export class Session {
  readonly executor: Executor
  readonly profile: Profile
  /** Names our inbox on the cluster. */
  readonly client = `c${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`
  /** Open clusters: what `connect` gave and nobody has closed; and who watches. */
  guests = 0
  /** Calls that are made ready, which nobody follows yet. */
  preparing = 0
  readonly resources: Paced<PlaceResources>
  readonly queues: Readonly<Record<'everyone' | 'mine', Paced<QueuedJobs>>>
  /** Who looks on at jobs without taking their results. */
  readonly #onlookers = new Map<JobId, Set<Onlooker>>()
  /** A job may be followed more than once: by who called, and by who attached. */
  readonly #submissions = new Map<JobId, Set<Submission>>()
  /** Those whose members' ends have not all come: a result may be here before its end is. */
  readonly #unmeasured = new Map<JobId, Set<Submission>>()
  /** Jobs whose members have not all ended: a result may be here before its end is. */
  readonly #running = new Map<JobId, { spec: JobSpec; members: number }>()
  readonly #done: DoneJobs
  readonly #stop = new AbortController()
  readonly #submitting = new Set<Promise<void>>()
  /** What may have to wait before it is submitted: Ctrl-C and close() find it meanwhile. */
  readonly #pending = new Set<Submission>()
  readonly #working = new Set<Promise<void>>()
  /** Where its jobs are recorded, and by which profile's name. */
  readonly #recordedIn = new Map<Recorder, string>()
  #restoring = false
  /** A few calls at a time are made ready: of ten thousand, all would hold what they need for it at once. */
  readonly inTurn = pLimit(32)
  /** More than travel at once, since some wait for large files, and far from ten thousand. */
  readonly #sending = pLimit(256)
  /** Set by Ctrl-C: nothing is submitted any more. */
  #ending = false

  constructor(profile: Profile, executor: Executor) {
    this.profile = profile
    this.executor = executor
    this.#done = new DoneJobs(executor)
    const paced = <T>(ask: () => Promise<T>) => new Paced(ask, queryMs(profile), systemClock)
    const queue = (mine: boolean) =>
      paced(async () => (await executor.queue?.(mine)) ?? hasNo(executor, 'queue'))
    this.resources = paced(async () => (await executor.resources?.()) ?? hasNo(executor, 'nodes to tell of'))
    this.queues = { everyone: queue(false), mine: queue(true) }
    void this.#pump()
  }

  get active(): readonly Submission[] {
    return [...this.#submissions.values()].flatMap((followers) => [...followers])
  }

  async submit(submission: Submission, payload: JobPayload): Promise<void> {
    if (this.#ending) throw canceledBefore(submission)
    const submitting = this.#submit(submission, payload)
    this.#submitting.add(submitting)
    await submitting.finally(() => this.#submitting.delete(submitting))
  }

  /** It is followed while it is submitted, however often that is tried. */
  async submitting<T>(submission: Submission, submit: () => Promise<T>): Promise<T> {
    this.#pending.add(submission)
    try {
      return await submit()
    } catch (error) {
      this.forget(submission)
      throw error
    } finally {
      this.#pending.delete(submission)
    }
  }

  async #submit(submission: Submission, payload: JobPayload): Promise<void> {
    const { spec } = payload
    this.follow(submission)
    this.#running.set(spec.id, { spec, members: spec.members })
    try {
      const sent = await this.#sending(() => this.executor.submit(payload))
      submission.nativeId = sent.nativeId
    } catch (error) {
      if (!this.#pending.has(submission)) this.forget(submission)
      this.#running.delete(spec.id)
      throw error
    }
    submission.records?.submitted(payload.spec.attempt, submission.nativeId)
    if (submission.canceling !== undefined) await this.executor.cancel([{ id: submission.id }])
  }

  /** Has the jobs of this place on record, also those that the record has lost, or never had: soon, and nobody waits for it. */
  recordIn(recorder: Recorder, name: string): void {
    const isNew = !this.#recordedIn.has(recorder)
    this.#recordedIn.set(recorder, name)
    // A record that is lost while the program runs is restored when it ends, at the latest.
    if (isNew) this.#background(this.#restore(), 'jobs could not be put on record again')
  }

  async #restore(): Promise<void> {
    if (this.#restoring) return
    this.#restoring = true
    const { executor, profile } = this
    try {
      for (const [{ store }, name] of this.#recordedIn) {
        const warn = (message: string) => process.emitWarning(`farcall: ${message}`)
        const restored = new Set(await restoreOnce(store, { executor, profile, name }, warn))
        for (const { id } of this.active) if (restored.has(id)) store.own(id, thisProcess())
      }
    } catch (error) {
      // What passes is left to the next one; a store that cannot be written is told by whoever writes what is new.
      const isKnown = error instanceof FarcallError && (error.transient || error.code === 'STORE_UNWRITABLE')
      if (!isKnown) throw error
    } finally {
      this.#restoring = false
    }
  }

  /** Another attempt of a job that was over. */
  async again(submission: Submission, spec: JobSpec): Promise<void> {
    this.#done.takeBack(submission.id)
    this.follow(submission)
    try {
      await makeAttempts(submission, this.executor, spec, submission.submitted?.tools?.bundle)
    } catch (error) {
      this.forget(submission)
      submission.abandon(error, { state: 'FAILED', reason: 'submit-failed' })
      throw error
    }
  }

  /** Cancels all that is followed, and what is just being submitted. `leaving`: nothing is submitted after that. */
  async cancelAll(reason: unknown, leaving: boolean): Promise<void> {
    this.#ending = leaving
    const sent = this.active.filter((submission) => submission.nativeId !== undefined)
    for (const submission of this.active) {
      submission.muted ||= leaving
      submission.canceling ??= reason
      submission.stop?.(reason)
      submission.retries?.cancel(submission.items, reason)
    }
    await this.executor.cancel(sent.map(({ id }) => ({ id })))
    await Promise.allSettled(this.#submitting)
    if (leaving) await this.#awaitEnds(this.active)
  }

  /** So that nothing of what was canceled stays. */
  async #awaitEnds(submissions: readonly Submission[]): Promise<void> {
    if (submissions.length === 0) return
    const enough = new AbortController()
    const ends = Promise.all(submissions.map(({ over }) => over.promise))
    await Promise.race([ends, systemClock.sleep(endsMs, enough.signal)])
    enough.abort()
  }

  follow(submission: Submission): void {
    const followers = this.#submissions.get(submission.id) ?? new Set()
    if (followers.has(submission)) return
    this.#submissions.set(submission.id, followers.add(submission))
    const unmeasured = this.#unmeasured.get(submission.id) ?? new Set()
    this.#unmeasured.set(submission.id, unmeasured.add(submission))
    interrupts.watch(this)
    void submission.over.promise.then(() => this.#finish(submission))
    submission.listen(() => {
      // What was awaited beside it has ended.
      if (submission.isLetGo) this.#background(this.detach(submission), 'detach')
    })
  }

  forget(submission: Submission): void {
    const followers = this.#submissions.get(submission.id)
    followers?.delete(submission)
    if (followers?.size === 0) this.#submissions.delete(submission.id)
    interrupts.update(this)
  }

  /** Tells from now on what becomes of these jobs; their results stay where they are, for whoever collects them. */
  async lookOn(ids: readonly JobId[], onlooker: Onlooker): Promise<ReadonlyMap<JobId, FoundJob | undefined>> {
    for (const id of ids) {
      const others = this.#onlookers.get(id) ?? new Set()
      this.#onlookers.set(id, others.add(onlooker))
    }
    await this.executor.open()
    return this.executor.find(ids)
  }

  async lookAway(ids: readonly JobId[], onlooker: Onlooker): Promise<void> {
    const left = ids.filter((id) => {
      const others = this.#onlookers.get(id)
      if (!others?.delete(onlooker) || others.size > 0) return false
      this.#onlookers.delete(id)
      return !this.#submissions.has(id)
    })
    if (left.length > 0) await this.executor.release(left, 'detached')
  }

  /** The job goes on; this process lets go of it. */
  async detach(submission: Submission): Promise<void> {
    if (!this.#follows(submission)) return
    this.forget(submission)
    if (this.#submissions.has(submission.id)) return
    submission.records?.letGo()
    this.#running.delete(submission.id)
    this.#unmeasured.delete(submission.id)
    await this.executor.release([submission.id], 'detached')
  }

  #finish(submission: Submission): void {
    if (!this.#follows(submission)) return
    this.forget(submission)
    if (this.#submissions.has(submission.id)) return
    if (submission.isGuest()) {
      this.#background(this.executor.release([submission.id], 'detached'), 'detach')
      return
    }
    if (submission.runsOn)
      this.#background(this.executor.cancel([{ id: submission.id }]), 'a canceled call may run on')
    this.#done.add(submission)
  }

  /** The files of a job stay until `reader`, which needs them, is over. Gives false when they may be gone. */
  hold({ id }: Submission, reader: Submission): boolean {
    if (!this.#submissions.has(id) && !this.#done.has(id)) return false
    this.#done.hold(id, reader)
    return true
  }

  /** Its results are here, or not; whether ends of its members may still come. */
  expectsEndsOf(submission: Submission): boolean {
    const { id } = submission
    const isThere = this.#submissions.has(id) || this.#done.has(id)
    return isThere && this.#unmeasured.get(id)?.has(submission) === true && !this.#stop.signal.aborted
  }

  #follows(submission: Submission): boolean {
    return this.#submissions.get(submission.id)?.has(submission) === true
  }

  /** Work that nobody waits for but the end. */
  #background(work: Promise<void>, failed: string): void {
    const done = work
      .catch((error) => process.emitWarning(`farcall: ${failed}: ${String(error)}`))
      .finally(() => this.#working.delete(done))
    this.#working.add(done)
  }

  async #pump(): Promise<void> {
    for await (const event of this.executor.events(this.#stop.signal)) {
      if (event.type === 'trouble') {
        this.#trouble(event.error)
        for (const onlooker of new Set([...this.#onlookers.values()].flatMap((some) => [...some])))
          onlooker(event)
      } else {
        for (const onlooker of this.#onlookers.get(event.id) ?? []) onlooker(event)
        if (event.type === 'end') {
          this.#noteNode(event.id, event.end)
          this.#measure(event)
        }
        for (const submission of this.#submissions.get(event.id) ?? []) submission.handle(event)
      }
    }
  }

  #measure(event: MemberEndEvent): void {
    const unmeasured = this.#unmeasured.get(event.id)
    const [one] = unmeasured ?? this.#submissions.get(event.id) ?? []
    one?.worked(event.end)
    for (const submission of unmeasured ?? []) {
      submission.measured(event)
      if (submission.isMeasured) unmeasured!.delete(submission)
    }
    if (unmeasured?.size === 0) this.#unmeasured.delete(event.id)
  }

  /** What the next bundle for this place is compiled for. */
  #noteNode(id: JobId, end: MemberEnd | undefined): void {
    const running = this.#running.get(id)
    if (!running) return
    if (--running.members === 0) this.#running.delete(id)
    const { resources, environment } = running.spec
    if (end) noteNode({ profile: this.profile, resources, environment }, end, here())
  }

  /** What passes is waited out; what does not (a changed host key, a lost login) ends the waiting, not the jobs. */
  #trouble(error: unknown): void {
    if (error instanceof FarcallError && error.transient) return
    this.#loseAll(error)
  }

  /** Who still waits is told that nothing will come, and how to get it all the same. */
  #loseAll(error: unknown): void {
    for (const submission of this.active) {
      const lost = new TransportError(
        error instanceof FarcallError ? error.code : 'COMMAND_FAILED',
        `job ${submission.id} can no longer be followed: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error, hint: `the job itself goes on; attach('${submission.id}') follows it again` },
      )
      this.#submissions.delete(submission.id)
      submission.records?.letGo()
      submission.abandon(lost, { state: 'FAILED', reason: 'lost' })
    }
    interrupts.update(this)
  }

  /** Closes while jobs may still be awaited: their promises reject, the jobs go on. */
  async closeNow(): Promise<void> {
    await this.#awaitEnds(
      this.active.filter(({ canceling, nativeId }) => canceling !== undefined && nativeId !== undefined),
    )
    this.#loseAll(new TransportError('CONNECTION_LOST', 'close() was called'))
    await this.close()
  }

  async #cleanDaily(): Promise<void> {
    try {
      await this.executor.clean?.({ when: 'daily' })
    } catch (error) {
      process.emitWarning(`farcall: ${String(error)}`)
    }
  }

  /** Nobody here waits for anything of it. */
  get idle(): boolean {
    const isUsed = this.guests > 0 || this.preparing > 0
    return !isUsed && this.#submissions.size === 0 && this.#submitting.size === 0
  }

  /** Cleans up what is done, then closes the connection. */
  async close(): Promise<void> {
    await Promise.all(this.#working)
    if (!this.#ending) this.#background(this.#restore(), 'jobs could not be put on record again')
    await Promise.all(this.#working)
    await this.#done.leave()
    if (!this.#ending) await this.#cleanDaily()
    this.#stop.abort()
    await this.executor[Symbol.asyncDispose]()
    flushRecords()
  }
}
