import { homedir } from 'node:os'
import pLimit from 'p-limit'
import { trimDaily } from '../capture/trim.ts'
import { cacheFolder } from '../config/cache-folder.ts'
import { systemClock } from '../core/clock.ts'
import { ConfigError, FarcallError, TransportError } from '../core/errors.ts'
import type { JobId } from '../core/ids.ts'
import type { Profile } from '../core/profile.ts'
import type { JobSpec, MemberEnd } from '../core/protocol.ts'
import type { QueuedJobs } from '../core/queued-job.ts'
import type { Executor, FoundJob, JobEvent, JobPayload, PlaceResources } from '../executor/executor.ts'
import { openExecutor } from '../executor/open.ts'
import { trimArchives } from '../packages/cache.ts'
import { thisProcess } from '../store/owner.ts'
import { canceledBefore } from './failures.ts'
import type { MemberEndEvent } from './intake.ts'
import { interrupts } from './interrupt.ts'
import { type Item, isFailed } from './item.ts'
import { makeAttempts } from './next-attempt.ts'
import { here, noteNode } from './node-seen.ts'
import { endNotices, whenTold } from './notify/outbox.ts'
import { Paced } from './paced.ts'
import { flushRecords, type JobRecords, type Recorder, trimRecords } from './recorder.ts'
import { restoreOnce } from './restore.ts'
import { trimShared } from './shared-files.ts'
import type { Submission } from './submission.ts'
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

/** Folders of this many jobs that are done are left for `logs()`; the oldest go first. */
const keptWhileRunning = 64

/** A job that is over here. 'detached': not all its results could be read. */
interface Done {
  readonly id: JobId
  readonly outcome: 'completed' | 'failed' | 'detached'
  readonly records: JobRecords | undefined
  /** What it has yielded and nobody has read yet. */
  readonly readers: Submission['readers']
  /** Items whose values were left there; somebody may still ask for them. */
  readonly left: readonly Item[]
}

/** One place, shared by all calls of this process: an executor, and who waits for what there. @internal */
export class Session {
  readonly executor: Executor
  readonly profile: Profile
  /** Names our inbox on the cluster. */
  readonly client = `c${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`
  /** Open clusters: what `connect` gave and nobody has closed; and who watches. */
  guests = 0
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
  readonly #done: Done[] = []
  /** Over here, and still needed: other parts of their map are not. */
  readonly #held = new Set<Done>()
  /** Jobs whose files others read that are not over, by those. */
  readonly #readers = new Map<JobId, Set<Submission>>()
  /** Jobs that are done, and stay for those. */
  readonly #read = new Map<JobId, Done>()
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
    const done = this.#done.findIndex(({ id }) => id === submission.id)
    if (done >= 0) this.#done.splice(done, 1)
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
    const { id, records, readers } = submission
    const left = submission.items.filter((item) => item.fetch)
    const done = { id, outcome: outcomeOf(submission), records, readers, left }
    if (!submission.heldUntil) this.#doneWith(done)
    else {
      this.#held.add(done)
      void submission.heldUntil.then(() => {
        if (this.#held.delete(done)) this.#doneWith(done)
      })
    }
  }

  #doneWith(one: Done): void {
    if (this.#readers.has(one.id)) {
      this.#read.set(one.id, one)
      return
    }
    this.#done.push(one)
    if (this.#done.length <= keptWhileRunning) return
    const oldest = this.#done.splice(0, keptWhileRunning / 2)
    const stays = (one: Done) => isUnread(one) || one.left.some((item) => item.fetch)
    this.#done.unshift(...oldest.filter(stays))
    void this.#release(oldest.filter((one) => !stays(one)))
  }

  /** The files of a job stay until `reader`, which needs them, is over. Gives false when they may be gone. */
  hold({ id }: Submission, reader: Submission): boolean {
    const done = this.#done.findIndex((one) => one.id === id)
    const isKnown = this.#submissions.has(id) || this.#read.has(id)
    if (done < 0 && !isKnown && ![...this.#held].some((one) => one.id === id)) return false
    const readers = this.#readers.get(id) ?? new Set()
    this.#readers.set(id, readers.add(reader))
    if (done >= 0) this.#read.set(id, ...(this.#done.splice(done, 1) as [Done]))
    void reader.over.promise.then(() => {
      readers.delete(reader)
      if (readers.size > 0) return
      this.#readers.delete(id)
      const read = this.#read.get(id)
      if (this.#read.delete(id)) this.#doneWith(read!)
    })
    return true
  }

  #follows(submission: Submission): boolean {
    return this.#submissions.get(submission.id)?.has(submission) === true
  }

  async #release(jobs: readonly Done[]): Promise<void> {
    // What is cached is written before its files go.
    flushRecords()
    try {
      for (const outcome of ['completed', 'failed', 'detached'] as const) {
        const ids = jobs.filter((job) => job.outcome === outcome).map((job) => job.id)
        if (ids.length > 0) await this.executor.release(ids, outcome)
      }
      for (const { records, outcome } of jobs) {
        if (outcome === 'detached') records?.letGo()
        else records?.collected()
      }
    } catch (error) {
      // The results are here; what could not be removed is garbage, and `process.emitWarning` says where.
      process.emitWarning(`farcall: files of finished jobs stay on ${this.executor.name}: ${String(error)}`)
    }
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
    return this.guests === 0 && this.#submissions.size === 0 && this.#submitting.size === 0
  }

  /** Cleans up what is done, then closes the connection. */
  async close(): Promise<void> {
    await Promise.all(this.#working)
    if (!this.#ending) this.#background(this.#restore(), 'jobs could not be put on record again')
    await Promise.all(this.#working)
    // Those that others still need there stay: their folders say so.
    const over = [...this.#done.splice(0), ...this.#read.values()]
    const done = over.map((one) => (isUnread(one) ? detached(one) : one))
    const held = [...this.#held].map(detached)
    this.#held.clear()
    await this.#release([...done, ...held])
    if (!this.#ending) await this.#cleanDaily()
    this.#stop.abort()
    await this.executor[Symbol.asyncDispose]()
    flushRecords()
  }
}

function isUnread({ readers }: Done): boolean {
  return readers.some((reader) => reader.isUnread)
}

const detached = (done: Done): Done => ({ ...done, outcome: 'detached' })

function outcomeOf({ items, keeps }: Submission): Done['outcome'] {
  if (items.some((item) => item.notAsked && !isCanceled(item))) return 'detached'
  if (items.some((item) => item.unread && isFailed(item))) return 'detached'
  return items.every(isDoneWith) && !keeps ? 'completed' : 'failed'
}

function isCanceled({ status: { state, reason } }: Item): boolean {
  return state === 'CANCELED' && reason === 'by-user'
}

/** Nobody looks for the cause of what he has canceled himself. */
function isDoneWith(item: Item): boolean {
  return item.status.state === 'COMPLETED' || isCanceled(item)
}

const sessions = new Map<string, Session>()

/** The session of a profile; made when first asked for. @internal */
export async function sessionFor(profile: Profile): Promise<Session> {
  const key = JSON.stringify(profile)
  let session = sessions.get(key)
  if (!session) {
    session = new Session(profile, openExecutor(profile, systemClock, cacheFolder(process.env, homedir())))
    sessions.set(key, session)
    if (sessions.size === 1) process.on('beforeExit', closeSessions)
  }
  return session
}

/** Closes the connection of a session that nobody uses any more. @internal */
export async function leaveSession(session: Session): Promise<void> {
  session.guests--
  const [key] = [...sessions].find(([, one]) => one === session) ?? []
  if (key === undefined || !session.idle) return
  sessions.delete(key)
  await session.close()
}

/**
 * Closes every connection of this process. Jobs go on; what still awaits one rejects with a TransportError
 * CONNECTION_LOST. The ends of what was canceled are waited for, up to 5 s, so that nothing of it stays; so are notifications that are on their way.
 * A program that
 * ends by itself need not call it.
 *
 * @example
 * import { close, cluster } from 'farcall'
 *
 * console.log(await cluster((n: number) => n * n)(6))
 * await close()
 */
export async function closeSessions(): Promise<void> {
  process.off('beforeExit', closeSessions)
  const open = [...sessions.values()]
  sessions.clear()
  // What has just ended is told with what it used, which its connection brings.
  await whenTold()
  if (open.length > 0) {
    const cacheDir = cacheFolder(process.env, homedir())
    trimDaily(cacheDir)
    trimArchives(cacheDir, Date.now())
    trimShared(cacheDir, Date.now())
  }
  // Each is closed, whatever becomes of the others.
  const closed = await Promise.allSettled(open.map((session) => session.closeNow()))
  await endNotices()
  flushRecords()
  if (open.length > 0) trimRecords()
  for (const result of closed) if (result.status === 'rejected') throw result.reason
}
