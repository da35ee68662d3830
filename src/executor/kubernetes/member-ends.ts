/** When members are over, and how: by what their pod says, by what Kubernetes says of it, or by its being gone. */
import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { FarcallError } from '../../core/errors.ts'
import type { MemberEnd } from '../../core/protocol.ts'
import type { Duration } from '../../core/resources.ts'
import type { JobStatus } from '../../core/status.ts'
import { parseDuration } from '../../core/units.ts'
import type { Notice } from '../batch/notices.ts'
import { verdict } from '../batch/verdict.ts'
import type { JobEvent } from '../executor.ts'
import { type Api, ApiError, explained } from './api.ts'
import type { KeeperLog } from './container-log.ts'
import { annotations, canceledMembers, jobsPath } from './names.ts'
import type { JobObject, Pod } from './objects.ts'
import type { Persist } from './persistence.ts'
import { deletionOf, endOf, type PodView, viewOf } from './pod-status.ts'
import { keeperSays, stderrTail } from './results.ts'
import { patchJob } from './submission.ts'
import type { TrackedJob } from './tracked-job.ts'

/** An image that cannot be had is tried again by the kubelet: a registry may be down for a while. */
const imageMs = 300_000
/** The kubelet's own troubles, with a Secret that is late, pass within seconds. */
const neverMs = 20_000
/** What can come from no registry. */
const hopeless = ['ErrImageNeverPull', 'InvalidImageName']
/** A keeper has said all within that. */
const keeperMs = 60_000
/** A pod whose time to leave is over for so long has lost its node. */
const goneMs = 60_000
/** Between two tries of what is in the way, milliseconds. */
const [soonMs, latestMs] = [1_000, 30_000]

export class MemberEnds {
  readonly #api: Api
  readonly #clock: Clock
  readonly #events: AsyncQueue<JobEvent>
  readonly #startMs: number | undefined
  readonly #persist: Persist
  readonly #onEnd: () => void
  readonly #stop = new AbortController()

  constructor(
    api: Api,
    clock: Clock,
    events: AsyncQueue<JobEvent>,
    { startTimeout }: { startTimeout: Duration | undefined },
    persist: Persist,
    onEnd: () => void,
  ) {
    this.#onEnd = onEnd
    this.#api = api
    this.#clock = clock
    this.#events = events
    this.#startMs =
      startTimeout === undefined ? undefined : 1000 * parseDuration(startTimeout, 'kubernetes.startTimeout')
    this.#persist = persist
  }

  stop(): void {
    this.#stop.abort()
  }

  /** A pod has changed. */
  consider(job: TrackedJob, lane: number, pod: Pod): void {
    const view = viewOf(pod)
    if (view.over) this.#background(job, lane, () => this.#conclude(job, lane))
    else if (pod.metadata.deletionTimestamp) this.#watchLeaving(job, lane, pod)
    else this.#watchStart(job, lane, view)
  }

  /** It is not there any more. */
  deleted(job: TrackedJob, lane: number, pod: Pod): void {
    this.#background(job, lane, () => this.#concludeGone(job, lane, pod))
  }

  /** It went before anybody has seen it. */
  missing(job: TrackedJob, lane: number): void {
    this.#background(job, lane, () => this.#concludeGone(job, lane, undefined))
  }

  /** Its members cannot run. */
  doom(job: TrackedJob, lane: number, status: JobStatus): void {
    if (job.open(lane).length === 0) return
    for (const member of job.open(lane))
      this.#end(job, member, { ...status, time: this.#clock.now() }, undefined, false)
    if (!job.over) return
    this.#endPods(job)
  }

  /** Nothing of it runs any more; a pod that waits for what does not come holds its place all the same. */
  #endPods(job: TrackedJob): void {
    this.#persist(() => patchJob(this.#api, job.name, { spec: { parallelism: 0 } })).catch((error) => {
      if (!this.#stop.signal.aborted) this.#events.push({ type: 'trouble', error })
    })
  }

  #background(job: TrackedJob, lane: number, work: () => Promise<void>): void {
    if (job.concluding.has(lane)) return
    job.concluding.add(lane)
    this.#outlast(job, work).finally(() => job.concluding.delete(lane))
  }

  /** A pod that is over changes no more: what is in the way now would never be asked again. */
  async #outlast(job: TrackedJob, work: () => Promise<void>): Promise<void> {
    const stop = AbortSignal.any([this.#while(job), job.released.signal])
    for (let wait = soonMs; !stop.aborted; wait = Math.min(latestMs, wait * 2)) {
      try {
        return await work()
      } catch (error) {
        if (stop.aborted) return
        this.#events.push({ type: 'trouble', error })
        if (!(error instanceof FarcallError && error.transient)) return
        await this.#clock.sleep(wait, stop)
      }
    }
  }

  async #watchStart(job: TrackedJob, lane: number, { obstacle, status }: PodView): Promise<void> {
    if (!obstacle) {
      job.stuckSince.delete(lane)
      return
    }
    const since = job.stuckSince.get(lane) ?? this.#clock.now()
    job.stuckSince.set(lane, since)
    const patience = hopeless.includes(status.native ?? '')
      ? 0
      : obstacle === 'never'
        ? neverMs
        : obstacle === 'image'
          ? (this.#startMs ?? imageMs)
          : this.#startMs
    if (patience === undefined) return
    await this.#clock.sleep(since + patience - this.#clock.now(), this.#while(job))
    // It may have started meanwhile, or have begun to wait anew.
    const pod = job.pods.get(lane)
    if (this.#stop.signal.aborted || job.stuckSince.get(lane) !== since || !pod) return
    const now = viewOf(pod)
    if (now.obstacle !== obstacle) return
    const seconds = Math.round((this.#clock.now() - since) / 1000)
    const waited = seconds > 0 ? `, and after ${seconds} s still so` : ''
    this.doom(job, lane, {
      ...now.status,
      state: 'FAILED',
      reason: 'launch-failed',
      message: `${now.status.message}${waited}`,
    })
  }

  #while(job: TrackedJob): AbortSignal {
    return AbortSignal.any([this.#stop.signal, job.finished.signal])
  }

  /** A node that is gone tells nobody that its pod has ended. */
  async #watchLeaving(job: TrackedJob, lane: number, pod: Pod): Promise<void> {
    const due = Date.parse(pod.metadata.deletionTimestamp!) + goneMs
    await this.#clock.sleep(due - this.#clock.now(), this.#while(job))
    if (this.#stop.signal.aborted || job.open(lane).length === 0) return
    const last = job.pods.get(lane) ?? pod
    if (last.metadata.deletionTimestamp) this.deleted(job, lane, last)
  }

  async #conclude(job: TrackedJob, lane: number): Promise<void> {
    const until = this.#clock.now() + keeperMs
    let says: KeeperLog = { notices: new Map(), reports: new Map(), state: 'open' }
    for (let wait = 200; ; wait = Math.min(2_000, wait * 2)) {
      const pod = job.pods.get(lane)!
      // Of a container that never was there is nothing to keep: its keeper waits for it in vain.
      const neverBegan = endOf(pod).reason === 'launch-failed'
      const keeperOver = viewOf(pod).keeperOver || neverBegan
      // It mostly ends within a moment, and what it says then comes with the pod's status.
      if (keeperOver || wait > 200) says = await this.#persist(() => keeperSays(this.#api, job, lane, pod))
      if (says.state !== 'open' || keeperOver || this.#clock.now() > until) break
      await this.#clock.sleep(wait, this.#stop.signal)
      if (this.#stop.signal.aborted) return
    }
    const pod = job.pods.get(lane)!
    await this.#learnCancels(job, says, lane)
    // Its containers were ended since it is to go.
    const gone = pod.metadata.deletionTimestamp ? await this.#whyGone(job, pod) : undefined
    for (const member of job.open(lane)) {
      if (job.telling.has(member)) continue
      const notice = says.notices.get(member)
      const canceled = job.isCanceled(member)
      const accounting = gone?.(member) ?? endOf(pod)
      const status = notice
        ? verdict({
            end: notice.end,
            accounting,
            canceledByUs: canceled,
            waitedMs: 0,
            graceMs: 0,
            hasAccounting: false,
          })!
        : withoutEnd(accounting, canceled)
      await this.#tell(job, member, pod, status, notice)
    }
    if (job.over && !viewOf(pod).keeperOver && endOf(pod).reason === 'launch-failed') this.#endPods(job)
  }

  /** Members that have ended while others of their pod go on. Gives those; what a signal means is seen when the pod has ended. */
  async early(job: TrackedJob, lane: number, pod: Pod, { notices }: KeeperLog): Promise<number[]> {
    const told: number[] = []
    for (const member of job.open(lane)) {
      const notice = notices.get(member)
      const canceledByUs = job.isCanceled(member)
      if (!notice || job.telling.has(member) || (notice.end.reason === 'signal' && !canceledByUs)) continue
      job.telling.add(member)
      const facts = { canceledByUs, waitedMs: 0, graceMs: 0, hasAccounting: false }
      await this.#tell(job, member, pod, verdict({ end: notice.end, ...facts })!, notice)
      told.push(member)
    }
    return told
  }

  /** What others have canceled; asked only where a signal, or nothing, is all that is known. */
  async #learnCancels(job: TrackedJob, { notices }: KeeperLog, lane: number): Promise<void> {
    const isPlain = job.open(lane).every((member) => {
      const end = notices.get(member)?.end
      return job.isCanceled(member) || (end && end.reason !== 'signal')
    })
    if (!isPlain) noteCancels(job, await this.#persist(() => jobNow(this.#api, job.name)))
  }

  /** Of a pod that is gone, or going: what became of each member that has not said so. */
  async #whyGone(job: TrackedJob, last: Pod | undefined): Promise<(member: number) => JobStatus> {
    const there = await this.#persist(() => jobNow(this.#api, job.name))
    noteCancels(job, there)
    return (member) => {
      if (job.isCanceled(member)) return { state: 'CANCELED', reason: 'by-user' }
      if (there && !there.metadata.deletionTimestamp) return deletionOf(last)
      return { state: 'CANCELED', native: 'JobDeleted', message: 'somebody has deleted its Job' }
    }
  }

  async #concludeGone(job: TrackedJob, lane: number, pod: Pod | undefined): Promise<void> {
    if (job.open(lane).length === 0) return
    const last = pod ?? job.pods.get(lane)
    const message = last && viewOf(last).message
    const says = message ? await keeperSays(this.#api, job, lane, last) : undefined
    const gone = await this.#whyGone(job, last)
    for (const member of job.open(lane)) {
      if (job.telling.has(member)) continue
      const notice = says?.notices.get(member)
      if (notice) {
        const facts = { canceledByUs: job.isCanceled(member), waitedMs: 0, graceMs: 0, hasAccounting: false }
        await this.#tell(job, member, undefined, verdict({ end: notice.end, ...facts })!, notice)
      } else this.#end(job, member, { time: this.#clock.now(), ...gone(member) }, undefined, false)
    }
  }

  async #tell(
    job: TrackedJob,
    member: number,
    pod: Pod | undefined,
    status: JobStatus,
    notice: Notice | undefined,
  ): Promise<void> {
    const tail = status.state === 'COMPLETED' || !pod ? undefined : await this.#tail(job, member, pod)
    const { id } = job.spec
    if (notice?.records) job.delivered.add(member)
    for (const record of notice?.records ?? []) this.#events.push({ type: 'item', id, record })
    this.#end(job, member, status, notice?.end, notice?.records !== undefined, tail)
  }

  #end(
    job: TrackedJob,
    member: number,
    status: JobStatus,
    end: MemberEnd | undefined,
    complete: boolean,
    tail?: string,
  ): void {
    if (job.ended.has(member)) return
    job.ended.add(member)
    const { id } = job.spec
    this.#events.push({
      type: 'end',
      id,
      member,
      status,
      complete,
      ...(end ? { end } : {}),
      ...(tail ? { stderrTail: tail } : {}),
    })
    if (!job.over) return
    job.finished.abort()
    this.#onEnd()
  }

  async #tail(job: TrackedJob, member: number, pod: Pod): Promise<string> {
    try {
      return await stderrTail(this.#api, job, member, pod)
    } catch (error) {
      return `(stderr could not be read: ${error instanceof Error ? error.message : String(error)})`
    }
  }
}

function noteCancels(job: TrackedJob, there: JobObject | undefined): void {
  const noted = there?.metadata.annotations
  if (noted?.[annotations.canceled] !== undefined) job.canceled = true
  for (const member of canceledMembers(noted)) job.canceledMembers.add(member)
}

function withoutEnd(accounting: JobStatus, canceled: boolean): JobStatus {
  if (canceled) return { ...accounting, state: 'CANCELED', reason: 'by-user' }
  if (accounting.state === 'FAILED') return accounting
  return {
    ...accounting,
    state: 'FAILED',
    reason: 'lost',
    message: 'its pod ended without a word of how it went',
  }
}

/** Undefined: it was deleted. */
async function jobNow(api: Api, name: string): Promise<JobObject | undefined> {
  try {
    return await api.ask<JobObject>('GET', `${jobsPath(api.access.namespace)}/${name}`)
  } catch (error) {
    if (error instanceof ApiError && error.status.code === 404) return undefined
    throw explained(error, `asking for job ${name}`)
  }
}
