/** The jobs whose pods are watched, and what their pods say. */
import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { Duration } from '../../core/resources.ts'
import type { JobEvent } from '../executor.ts'
import type { Api } from './api.ts'
import type { KeeperLog } from './container-log.ts'
import { KeeperPoll } from './keeper-poll.ts'
import { MemberEnds } from './member-ends.ts'
import { labels } from './names.ts'
import type { Pod } from './objects.ts'
import type { Persist } from './persistence.ts'
import { type PodView, viewOf } from './pod-status.ts'
import { PodWatch } from './pod-watch.ts'
import { makeRoom } from './room.ts'
import { StreamListener } from './stream-listener.ts'
import type { TrackedJob } from './tracked-job.ts'

export interface FollowingOptions {
  readonly api: Api
  readonly clock: Clock
  readonly events: AsyncQueue<JobEvent>
  readonly startTimeout: Duration | undefined
  readonly persist: Persist
  /** A pod waits to be sent to. */
  readonly onStaging: (job: TrackedJob, lane: number, pod: Pod) => void
  /** Some of its members are to end. */
  readonly onCanceled: (job: TrackedJob, lane: number) => void
}

export class Following {
  readonly ends: MemberEnds
  readonly #api: Api
  readonly #persist: Persist
  readonly #events: AsyncQueue<JobEvent>
  readonly #watch: PodWatch
  readonly #poll: KeeperPoll
  readonly #streams: StreamListener
  readonly #stop = new AbortController()
  readonly #onStaging: FollowingOptions['onStaging']
  readonly #onCanceled: FollowingOptions['onCanceled']
  readonly #jobs = new Map<JobId, TrackedJob[]>()
  /** Pods that were seen before their submission was through. */
  readonly #early = new Map<string, Map<string, Pod>>()

  constructor({ api, clock, events, startTimeout, persist, onStaging, onCanceled }: FollowingOptions) {
    this.#api = api
    this.#persist = persist
    this.#events = events
    this.#onStaging = onStaging
    this.#onCanceled = onCanceled
    this.ends = new MemberEnds(api, clock, events, { startTimeout }, persist, () => this.rest())
    this.#poll = new KeeperPoll(api, clock, this.#stop.signal, this.#onLog)
    this.#streams = new StreamListener(api, clock, events, this.#stop.signal)
    this.#watch = new PodWatch(api, clock, {
      changed: (pod) => this.#onPod(pod),
      deleted: (pod) => this.#onDeleted(pod),
      listed: () => this.#onListed(),
      trouble: (error) => events.push({ type: 'trouble', error }),
    })
  }

  /** The submissions of a job, the latest last. */
  of(id: JobId): readonly TrackedJob[] {
    return this.#jobs.get(id) ?? []
  }

  /** The last submission of the job, or of one of its members. @throws ResultError JOB_UNKNOWN */
  last(id: JobId, member?: number): TrackedJob {
    const job = this.of(id).findLast((one) => member === undefined || one.has(member))
    if (job) return job
    throw new ResultError('JOB_UNKNOWN', `job ${id} is not followed by this process, or it was removed`, {
      hint: "`attach(id)` follows it; `keep: 'all'` in the profile keeps jobs that are done",
    })
  }

  add(job: TrackedJob): void {
    const jobs = this.#jobs.get(job.spec.id) ?? []
    // Of each attempt one.
    if (jobs.some(({ name }) => name === job.name)) return
    jobs.push(job)
    this.#jobs.set(job.spec.id, jobs)
    for (const pod of this.#early.get(job.name)?.values() ?? []) this.#onPod(pod)
    this.#early.delete(job.name)
    this.#watch.follow(job.spec.client)
  }

  /** Pods that only wait may have to give way. */
  makeRoom(): void {
    makeRoom(this.#api, [...this.#jobs.values()].flat(), this.#persist).catch((error) => {
      if (!this.#stop.signal.aborted) this.#events.push({ type: 'trouble', error })
    })
  }

  forget(id: JobId): void {
    for (const job of this.of(id)) job.released.abort()
    this.#jobs.delete(id)
  }

  /** Without a job that is open no connection is held: a program that has all its results may end. */
  rest(): void {
    if ([...this.#jobs.values()].flat().every(({ over }) => over)) this.#watch.stop()
  }

  stop(): void {
    this.#stop.abort()
    this.#watch.stop()
    this.ends.stop()
  }

  #jobOf(pod: Pod): [job: TrackedJob, lane: number] | undefined {
    const { labels: given = {}, uid } = pod.metadata
    const name = given[labels.submission] ?? ''
    const job = this.of(given[labels.job] ?? '').find((one) => one.name === name)
    if (!job) {
      const early = this.#early.get(name) ?? new Map<string, Pod>()
      this.#early.set(name, early.set(uid, pod))
      return undefined
    }
    const lane = job.claims.get(uid)
    return lane === undefined ? undefined : [job, lane]
  }

  #onPod(pod: Pod): void {
    const found = this.#jobOf(pod)
    if (!found) return
    const [job, lane] = found
    if (job.open(lane).length === 0) return
    job.pods.set(lane, pod)
    const view = viewOf(pod)
    this.#advance(job, lane, view)
    if (view.obstacle === 'node') this.makeRoom()
    if (view.staging) this.#onStaging(job, lane, pod)
    if (job.canceledMembers.size > 0) this.#onCanceled(job, lane)
    if (view.status.state === 'ACTIVE' && !view.over) {
      this.#poll.follow(job, lane)
      if (view.kept) this.#streams.follow(job, lane)
    }
    this.ends.consider(job, lane, pod)
  }

  #advance(job: TrackedJob, lane: number, { status: now }: PodView): void {
    const { id } = job.spec
    for (const [member, status] of job.advance(lane, now))
      this.#events.push({ type: 'state', id, status, ...(member === undefined ? {} : { member }) })
  }

  readonly #onLog = async (job: TrackedJob, lane: number, pod: Pod, log: KeeperLog): Promise<boolean> => {
    const { id } = job.spec
    let isNews = false
    for (const [member, { sequence, items }] of log.reports) {
      if (job.ended.has(member) || sequence <= (job.heard.get(member) ?? 0)) continue
      job.heard.set(member, sequence)
      isNews = true
      for (const { item, ...progress } of items)
        this.#events.push({ type: 'progress', id, member, item, progress })
    }
    if (job.lanes[lane]!.length === 1) return isNews
    const ended = await this.ends.early(job, lane, pod, log)
    // The next one has begun.
    if (ended.length > 0) this.#advance(job, lane, viewOf(pod))
    return isNews || ended.length > 0
  }

  #onDeleted(pod: Pod): void {
    const { labels: given = {}, uid } = pod.metadata
    const found = this.#jobOf(pod)
    if (found) this.ends.deleted(...found, pod)
    const name = given[labels.submission] ?? ''
    this.#early.get(name)?.delete(uid)
    if (this.#early.get(name)?.size === 0) this.#early.delete(name)
  }

  /** Pods that were gone before the watch began are in no list. */
  #onListed(): void {
    for (const job of [...this.#jobs.values()].flat())
      for (const lane of job.claims.values())
        if (!job.pods.has(lane) && job.open(lane).length > 0) this.ends.missing(job, lane)
  }
}
