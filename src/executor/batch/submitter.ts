import type { LimitFunction } from 'p-limit'
import type { Clock } from '../../core/clock.ts'
import { SubmitError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { chooseLauncher } from '../../core/launcher.ts'
import type { Profile } from '../../core/profile.ts'
import { type BlobRef, blobName, describeParents, type JobSpec, membersOf } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { AfterJob, Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import type { JobPayload, RetryPayload } from '../executor.ts'
import { type EarlierSubmission, jobsBefore } from './after.ts'
import type { parseFound } from './found.ts'
import { directivesOf } from './job-script.ts'
import type { Leftovers } from './leftovers.ts'
import type { Limits } from './limits.ts'
import type { Persist } from './persist.ts'
import { roomOf } from './room.ts'
import type { RuntimeSupply } from './runtime-supply.ts'
import { requireScriptSize } from './script-size.ts'
import { sendInputs } from './staging.ts'
import { type Blob, lateBlob, sharedBlob, submitJob } from './submission.ts'
import { TrackedJob } from './tracked-job.ts'
import type { Watcher } from './watcher.ts'

export interface SubmitterOptions {
  readonly profile: Profile
  readonly scheduler: Scheduler
  readonly transport: Transport
  readonly clock: Clock
  readonly workdir: string
  readonly runtime: { readonly ref: BlobRef; readonly bytes: Uint8Array }
  readonly supply: RuntimeSupply
  readonly limits: Limits
  readonly watcher: Watcher
  readonly leftovers: Leftovers
  /** Names of blobs that lie there already. */
  readonly known: Set<string>
  /** As many submissions as travel at once. */
  readonly sending: LimitFunction
  readonly persist: Persist
  /** What files say of jobs. */
  readonly look: (ids: readonly JobId[]) => Promise<ReturnType<typeof parseFound>>
  readonly script: (spec: JobSpec, after: readonly AfterJob[]) => string
  /** Frees space where there is little. */
  readonly makeRoom: () => Promise<unknown>
  /** Of an attempt that is not for all members, only those are told of. */
  readonly tell: (job: TrackedJob, status: JobStatus) => void
}

/** Sends jobs, each once, and has them watched. */
export class Submitter {
  readonly #options: SubmitterOptions

  constructor(options: SubmitterOptions) {
    this.#options = options
  }

  async submit(
    asked: JobSpec,
    args: JobPayload['args'] | undefined,
    { bundle, secrets, archive, shared = {} }: RetryPayload,
  ): Promise<{ nativeId: string; spec: JobSpec }> {
    const { profile, scheduler, transport, clock, workdir, runtime } = this.#options
    const { supply, limits, watcher, leftovers, known, sending, persist, makeRoom } = this.#options
    const before = watcher.of(asked.id).find((job) => job.spec.attempt === asked.attempt)
    if (before) return { nativeId: before.nativeId, spec: before.spec }
    const supplied = await supply.before(asked)
    const { ranks } = asked
    const spec: JobSpec = {
      ...asked,
      ...(ranks && { ranks: { ...ranks, launcher: chooseLauncher(ranks, scheduler) } }),
      scheduler: scheduler.name,
      runtime: runtime.ref,
      ...(supplied && { interpreter: supplied.interpreter }),
    }
    const blobs: Blob[] = [
      { ref: runtime.ref, content: runtime.bytes },
      { ref: spec.bundle, content: bundle },
      ...(spec.packages ? [lateBlob(spec.packages.archive, archive)] : []),
      ...(spec.shared ?? []).map((ref) => sharedBlob(ref, shared[blobName(ref)])),
    ]
    const after = await this.#after(spec)
    const directives = directivesOf(spec, workdir, after)
    const script = () => {
      const text = this.#options.script(spec, after)
      requireScriptSize(text, spec, limits.scriptBytes)
      return text
    }
    const room = roomOf(profile)
    const submission = { spec, args, script, directives, blobs, room, secrets, runtime: supplied }
    leftovers.note(spec.client)
    if (spec.stage && spec.stage.in.length > 0) await sendInputs(transport, workdir, spec.stage.in)
    const submit = () =>
      persist(() => submitJob(transport, scheduler, workdir, submission, known, clock, sending))
    const {
      nativeId,
      time,
      spec: made = spec,
    } = await submit().catch(async (error: unknown) => {
      limits.refused(scheduler, error, spec.only?.length ?? spec.members)
      if (!(error instanceof SubmitError && error.code === 'DISK_LOW')) throw error
      await makeRoom()
      return submit()
    })
    limits.taken(clock.now())
    this.#watch(made, nativeId, time, made.client !== spec.client, after)
    return { nativeId, spec: made }
  }

  /** `adopted`: another client's, which had submitted it before. */
  #watch(spec: JobSpec, nativeId: string, time: number, adopted: boolean, after: readonly AfterJob[]): void {
    const { scheduler, clock, watcher, leftovers, tell } = this.#options
    const tracked = new TrackedJob(spec, nativeId, time, clock.now(), adopted)
    tracked.restarted = adopted
    leftovers.note(spec.client)
    if (adopted) watcher.supersede(spec)
    watcher.add(tracked)
    if (scheduler.immediate && after.length > 0)
      tracked.after = spec.parents!.jobs.flatMap(({ id }) => watcher.of(id))
    const now = clock.now()
    const status: JobStatus = tracked.isWaiting
      ? { state: 'QUEUED', reason: 'held', message: describeParents(spec.parents!.jobs)!, time: now }
      : { state: scheduler.immediate ? 'ACTIVE' : 'QUEUED', time: now }
    tracked.status = status
    tell(tracked, status)
  }

  /** What is to be over before it starts. Of jobs that this process does not follow the files tell. */
  async #after(spec: JobSpec): Promise<readonly AfterJob[]> {
    const { watcher, look } = this.#options
    const { jobs = [] } = spec.parents ?? {}
    if (jobs.length === 0) return []
    const submissions = new Map<JobId, EarlierSubmission[]>()
    for (const { id } of jobs) {
      const followed = watcher.of(id)
      if (followed.length > 0)
        submissions.set(
          id,
          followed.map((job) => ({ spec: job.spec, nativeId: job.nativeId, open: new Set(job.open()) })),
        )
    }
    const unknown = jobs.map(({ id }) => id).filter((id) => !submissions.has(id))
    for (const { attempts } of unknown.length > 0 ? await look(unknown) : [])
      for (const { spec: own, nativeId, ends } of attempts) {
        if (nativeId === undefined) continue
        const open = new Set(membersOf(own))
        for (const { member } of ends) open.delete(member)
        submissions.set(own.id, [...(submissions.get(own.id) ?? []), { spec: own, nativeId, open }])
      }
    return jobsBefore(spec, (id) => submissions.get(id) ?? [])
  }
}
