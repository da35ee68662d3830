import { systemClock } from '../../core/clock.ts'
import { FarcallError } from '../../core/errors.ts'
import { type JobId, partId } from '../../core/ids.ts'
import type { Profile } from '../../core/profile.ts'
import type { Duration } from '../../core/resources.ts'
import { isFinal, type JobState, type JobStatus, wholeStatus } from '../../core/status.ts'
import { unlessStopped } from '../../core/stoppable.ts'
import type { JobEvent } from '../../executor/executor.ts'
import type { JobRecord, ListFilter } from '../../store/types.ts'
import { settingsFor, storeDirFor } from '../options/settings.ts'
import type { Session } from '../session/session.ts'
import { leaveSession, sessionFor } from '../session/sessions.ts'
import { queryMs, watchPace } from '../session/watch-pace.ts'
import { type Recorder, recorderOf } from '../submission/recorder.ts'
import { isFollowedHere } from './followed.ts'
import { JobView } from './job-view.ts'
import type { JobFilter } from './jobs.ts'

/** Options of `watchJobs`. */
export interface WatchJobsOptions {
  /** Ends once each job is in one of these states, or has ended in another; default: once each has ended. */
  until?: JobState | readonly JobState[]
  /** Goes on when all have, and with a filter takes up jobs that come. */
  continuous?: boolean
  /** Changes are gathered for so long; default: they are told as they are heard of. Not below the profile's `queryInterval`. */
  interval?: Duration
  /** Where jobs are that are not on this machine's record; default: the configuration's profile. */
  profile?: string
  /** Ends it; the jobs go on. */
  signal?: AbortSignal
  /** Told of what keeps a place from answering for a while; it is asked again. */
  onTrouble?: (error: FarcallError) => void
}

/** A job that is watched. */
export interface WatchedJob {
  readonly id: JobId
  readonly nativeId?: string
  readonly name: string
  /** The profile's name. */
  readonly profile: string
  readonly status: JobStatus
  /** Where it stood when it was told of last; absent the first time. */
  readonly before?: JobState
}

/** Between two looks at the record: what other programs on this machine have heard. */
const lookMs = 1_000
/** A job that was called a moment ago is not on record yet: its code is being captured. */
const patienceMs = 15_000
const againMs = 250
/** Of jobs that a filter finds. */
const most = 1_000

interface Watched {
  readonly id: JobId
  /** Not on record: what its place said of it. */
  readonly elsewhere?: Omit<WatchedJob, 'id' | 'status'>
  last?: WatchedJob
}

/** Gathers where jobs stand: from the record while a program on this machine follows them, else from their place. */
export class JobsWatch {
  readonly #wanted: readonly JobId[] | Omit<JobFilter, 'until'>
  readonly #options: WatchJobsOptions
  readonly #stop: AbortSignal
  readonly #jobs = new Map<JobId, Watched>()
  /** By job, or part of a map: what its place tells. */
  readonly #views = new Map<JobId, JobView>()
  /** Of places: what is looked on at there. */
  readonly #places = new Map<Session, Set<JobId>>()
  readonly #paces = new Map<string, number>()
  /** Of places that did not answer: when they are asked again. */
  readonly #triedAgain = new Map<string, number>()
  readonly #early = new Set<(event: JobEvent) => void>()
  #recorder!: Recorder
  #wake = new AbortController()
  #trouble: string | undefined
  #failure: unknown
  #gatheredSince = Number.NEGATIVE_INFINITY

  constructor(
    wanted: readonly JobId[] | Omit<JobFilter, 'until'>,
    options: WatchJobsOptions,
    stop: AbortSignal,
  ) {
    this.#wanted = wanted
    this.#options = options
    this.#stop = stop
  }

  /** All of them, as they stand now. @throws FarcallError JOB_UNKNOWN, TransportError, ConfigError */
  async look(): Promise<WatchedJob[]> {
    this.#recorder ??= recorderOf(await storeDirFor())
    this.#recorder.flush()
    await this.#find()
    const open = [...this.#jobs.values()].filter(({ last }) => !last || !isFinal(last.status.state))
    const records = new Map(open.map(({ id }) => [id, this.#partsOf(id)]))
    await this.#lookOn([...records.values()].flat())
    if (this.#failure !== undefined) throw this.#failure
    for (const job of open) job.last = this.#jobOf(job, records.get(job.id)!)
    return [...this.#jobs.values()].map(({ last }) => last!)
  }

  /** Until there may be news; when some were told just now, for as long as they are to be gathered. */
  async wait(isTold: boolean): Promise<void> {
    const { interval } = this.#options
    const now = systemClock.now()
    if (isTold) this.#gatheredSince = now
    const gatherMs = interval === undefined ? 0 : Math.max(0, ...this.#paces.values())
    const restMs = this.#gatheredSince + gatherMs - now
    const wake = AbortSignal.any([this.#wake.signal, this.#stop])
    // What has come meanwhile is not waited for.
    await systemClock.sleep(restMs > 0 ? restMs : lookMs, restMs > 0 ? this.#stop : wake)
    this.#wake = new AbortController()
  }

  async close(): Promise<void> {
    for (const [session, ids] of this.#places) {
      try {
        await session.lookAway([...ids], this.#onEvent)
      } finally {
        await leaveSession(session)
      }
    }
  }

  async #find(): Promise<void> {
    if (!Array.isArray(this.#wanted)) return this.#list(this.#wanted as Omit<JobFilter, 'until'>)
    const ids = this.#wanted as readonly JobId[]
    if (this.#recorded(ids).length === 0) return
    const until = systemClock.now() + patienceMs
    await this.#findElsewhere(this.#recorded(ids))
    while (!this.#stop.aborted && this.#recorded(ids).length > 0 && systemClock.now() < until) {
      await systemClock.sleep(againMs, this.#stop)
      this.#recorder.flush()
    }
    const [unknown] = this.#recorded(ids)
    if (unknown === undefined || this.#stop.aborted) return
    const { name } = await settingsFor(this.#options.profile)
    throw new FarcallError(
      'JOB_UNKNOWN',
      `there is no job ${unknown} on record here, nor on the place of profile '${name}'`,
      { hint: 'name the profile that it was sent to' },
    )
  }

  #list({
    since,
    limit = most,
    state = ['NEW', 'QUEUED', 'ACTIVE'],
    ...filter
  }: Omit<JobFilter, 'until'>): void {
    const times = since ? { since: since.getTime() } : {}
    const asked: ListFilter = { ...filter, state, limit, maps: true, ...times }
    for (const { id } of this.#recorder.store.list(asked)) if (!this.#jobs.has(id)) this.#jobs.set(id, { id })
  }

  /** Takes up those that are on record; gives the others. */
  #recorded(ids: readonly JobId[]): JobId[] {
    return ids.filter((id) => {
      if (!this.#jobs.has(id) && this.#recorder.store.get(id)) this.#jobs.set(id, { id })
      return !this.#jobs.has(id)
    })
  }

  /** Jobs that this machine does not know may be on the place of a profile. */
  async #findElsewhere(ids: readonly JobId[]): Promise<void> {
    const { name, profile, sources } = await settingsFor(this.#options.profile)
    this.#requirePace(name, profile, sources)
    const found = await this.#lookOnAt(profile, new Map(ids.map((id) => [id, { state: 'NEW' }])))
    for (const id of ids) {
      const job = found.get(id)
      if (!job) this.#views.delete(id)
      else {
        const native = job.nativeId === undefined ? {} : { nativeId: job.nativeId }
        this.#jobs.set(id, { id, elsewhere: { name: job.spec.name, profile: name, ...native } })
      }
    }
  }

  /** The job, and where it is a map of several all of them. */
  #partsOf(id: JobId): JobRecord[] {
    const { store } = this.#recorder
    const parts: JobRecord[] = []
    for (let record = store.get(id); record; record = store.get(partId(id, parts.length))) {
      parts.push(record)
      if (!record.spec.part) break
    }
    return parts
  }

  /** At those that nobody else follows. */
  async #lookOn(records: readonly JobRecord[]): Promise<void> {
    const byPlace = new Map<string, JobRecord[]>()
    for (const record of records) {
      this.#requirePace(record.profile, record.profileSettings)
      if (isFinal(record.status.state)) continue
      // Whoever follows it records all; when that ends, it is looked at anew.
      if (isFollowedHere(record)) this.#views.delete(record.id)
      else if (!this.#views.has(record.id)) {
        const key = JSON.stringify(record.profileSettings)
        byPlace.set(key, [...(byPlace.get(key) ?? []), record])
      }
    }
    for (const [key, some] of byPlace) {
      const now = systemClock.now()
      if (now < (this.#triedAgain.get(key) ?? 0)) continue
      const [{ profileSettings: profile }] = some as [JobRecord]
      try {
        await this.#lookOnAt(profile, new Map(some.map(({ id, status }) => [id, status])))
        this.#trouble = undefined
      } catch (error) {
        const isNamed = Array.isArray(this.#wanted) && ![...this.#jobs.values()].some(({ last }) => last)
        if (isNamed || !(error instanceof FarcallError && error.transient)) throw error
        this.#triedAgain.set(key, now + queryMs(profile))
        void this.#tell(error)
      }
    }
  }

  /** `known`: as they were last heard of. */
  async #lookOnAt(profile: Profile, known: ReadonlyMap<JobId, JobStatus>) {
    const ids = [...known.keys()]
    const session = await sessionFor(profile)
    let watched = this.#places.get(session)
    if (!watched) {
      session.guests++
      watched = new Set()
      this.#places.set(session, watched)
    }
    for (const id of ids) watched.add(id)
    // Ends of what is over there are told while it is looked for.
    const early: JobEvent[] = []
    const onEarly = (event: JobEvent) => {
      early.push(event)
    }
    this.#early.add(onEarly)
    try {
      const found = (await unlessStopped(session.lookOn(ids, this.#onEvent), this.#stop)) ?? new Map()
      for (const id of ids) {
        const job = found.get(id)
        const view =
          job?.nativeId === undefined ? undefined : new JobView(job.spec, openStatus(known.get(id)))
        if (!view)
          this.#views.set(id, new JobView({ members: 0 }, goneFrom(session.executor.name, job !== undefined)))
        else {
          this.#views.set(id, view)
          for (const event of early) if (event.type !== 'trouble' && event.id === id) view.handle(event)
        }
      }
      return found
    } finally {
      this.#early.delete(onEarly)
    }
  }

  readonly #onEvent = (event: JobEvent): void => {
    for (const hear of this.#early) hear(event)
    if (event.type === 'trouble') {
      if (event.error instanceof FarcallError && event.error.transient) void this.#tell(event.error)
      else this.#failure = event.error
    } else {
      if (event.type !== 'state' && event.type !== 'end') return
      this.#trouble = undefined
      this.#views.get(event.id)?.handle(event)
    }
    this.#wake.abort()
  }

  /** Once, until something is heard again. */
  async #tell(error: FarcallError): Promise<void> {
    if (this.#trouble === error.message) return
    this.#trouble = error.message
    try {
      await this.#options.onTrouble?.(error)
    } catch (thrown) {
      // It ends the loop that it belongs to, and nobody else's following.
      this.#failure = thrown
      this.#wake.abort()
    }
  }

  #jobOf({ id, elsewhere }: Watched, parts: readonly JobRecord[]): WatchedJob {
    const [first] = parts
    if (!first) return { ...elsewhere!, id, status: this.#views.get(id)!.status }
    const { nativeId, name, profile } = first
    const statuses = parts.map((part) =>
      isFinal(part.status.state) ? part.status : (this.#views.get(part.id)?.status ?? part.status),
    )
    const status = statuses.length === 1 ? statuses[0]! : wholeStatus(statuses)
    return { id, name, profile, status, ...(nativeId === undefined ? {} : { nativeId }) }
  }

  #requirePace(name: string, profile: Profile, sources?: Parameters<typeof watchPace>[0]['sources']): void {
    const key = JSON.stringify([name, profile.queryInterval])
    if (!this.#paces.has(key))
      this.#paces.set(key, watchPace({ name, profile, ...(sources && { sources }) }, this.#options.interval))
  }
}

/** What was submitted waits, as far as is known. */
function openStatus(known: JobStatus | undefined): JobStatus {
  return known === undefined || known.state === 'NEW' ? { state: 'QUEUED' } : known
}

function goneFrom(place: string, isThere: boolean): JobStatus {
  if (isThere)
    return {
      state: 'FAILED',
      reason: 'submit-failed',
      message: `its program ended before it was submitted on ${place}`,
    }
  return { state: 'FAILED', reason: 'lost', message: `its files are not on ${place}` }
}
