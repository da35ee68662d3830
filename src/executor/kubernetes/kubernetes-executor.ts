import { open } from 'node:fs/promises'
import { homedir } from 'node:os'
import pLimit from 'p-limit'
import { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { isPackFile, type RecordKind } from '../../core/pack.ts'
import type { Profile } from '../../core/profile.ts'
import { type JobSpec, membersOf } from '../../core/protocol.ts'
import type { QueuedJobs } from '../../core/queued-job.ts'
import { parseDuration } from '../../core/units.ts'
import type { YieldPosition } from '../../core/yields.ts'
import { persist } from '../batch/persist.ts'
import { readRuntime } from '../batch/runtime-file.ts'
import type {
  CancelTarget,
  Cleaned,
  CleanRequest,
  Executor,
  ExecutorTraits,
  FoundJob,
  JobEvent,
  JobPayload,
  ListedJobs,
  PlaceResources,
  ResultRecord,
  RetryPayload,
  Standing,
  StreamItem,
} from '../executor.ts'
import { Api } from './api.ts'
import { readCapacity } from './capacity.ts'
import { IdentitySource } from './credentials.ts'
import { earlierRecords } from './earlier.ts'
import { Following } from './following.ts'
import { keepJob } from './keep.ts'
import { KeptArguments } from './kept-arguments.ts'
import { findJobs, listJobs, standings, tidyJobs } from './kept-jobs.ts'
import { findAccess, thisMachine } from './kubeconfig.ts'
import { MemberCancel } from './member-cancel.ts'
import { annotations } from './names.ts'
import type { Pod } from './objects.ts'
import { Outputs } from './outputs.ts'
import { readQueue } from './queue.ts'
import { Sending } from './sending.ts'
import { type Version, versionOf } from './server.ts'
import { deleteJob, patchJob } from './submission.ts'
import { describeJob, type Runtime, type Sent, submitJob } from './submitter.ts'
import type { TrackedJob } from './tracked-job.ts'
import { YieldFiles } from './yield-files.ts'

export interface KubernetesOptions {
  readonly profile: Profile
  readonly clock: Clock
  readonly random: () => number
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** What one Job may have: the server's controller makes some ten pods in a second. */
const maxMembers = 500

/** Jobs of a Kubernetes cluster, by its API alone: no login, no shared folder. */
export class KubernetesExecutor implements Executor {
  readonly name: string
  readonly traits: ExecutorTraits = {
    sharedFiles: false,
    arrays: true,
    dependencies: false,
    streaming: true,
    cancelsMembers: true,
    maxMembers,
  }
  readonly #profile: Profile
  readonly #clock: Clock
  readonly #random: () => number
  readonly #env: Readonly<Record<string, string | undefined>>
  readonly #events = new AsyncQueue<JobEvent>()
  readonly #closing = new AbortController()
  readonly #kept = new KeptArguments()
  #opened: Promise<void> | undefined
  #version: Promise<Version> | undefined
  #api!: Api
  #following!: Following
  #memberCancel!: MemberCancel
  #sending!: Sending
  #outputs!: Outputs
  #yieldFiles!: YieldFiles
  #runtime!: Runtime

  constructor({ profile, clock, random, env = process.env }: KubernetesOptions) {
    this.#profile = profile
    this.#clock = clock
    this.#random = random
    this.#env = env
    const context = profile.kubernetes?.context
    this.name = `kubernetes${context ? ` ${context}` : ''}`
  }

  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #open(): Promise<void> {
    this.#runtime = await readRuntime()
    const { kubernetes = {} } = this.#profile
    const access = findAccess(kubernetes, thisMachine(this.#env, this.#env['HOME'] ?? homedir()))
    this.#api = new Api(access, new IdentitySource(access.credentials, this.#env))
    this.#memberCancel = new MemberCancel(this.#api, kubernetes, this.#persist)
    this.#sending = new Sending(this.#api, this.#persist, this.#closing.signal)
    this.#following = new Following({
      api: this.#api,
      clock: this.#clock,
      events: this.#events,
      startTimeout: kubernetes.startTimeout,
      persist: this.#persist,
      onStaging: (job, lane, pod) => void this.#send(job, lane, pod),
      onCanceled: (job, lane) => this.#applyCancel(job, lane),
    })
    this.#outputs = new Outputs(this.#api, this.#following, this.#persist)
    this.#yieldFiles = new YieldFiles(this.#api, this.#following, this.#persist)
  }

  async submit(payload: JobPayload): Promise<{ nativeId: string }> {
    const { args } = payload
    // The caller removes the file once this returns, and pods are sent to later.
    const kept = isPackFile(args) ? { handle: await open(args.localPath), size: args.size } : args
    try {
      const { nativeId } = await this.#submit(payload.spec, { ...payload, args: kept })
      return { nativeId }
    } finally {
      // It came to nothing, or was submitted before.
      if ('handle' in kept && this.#kept.argsOf(payload.spec.id) !== kept) await kept.handle.close()
    }
  }

  async retry(spec: JobSpec, payload: RetryPayload = {}): Promise<{ nativeId: string; spec: JobSpec }> {
    await this.open()
    if (this.#following.of(spec.id).length === 0) await this.find([spec.id])
    this.#following.last(spec.id)
    const args = this.#kept.argsOf(spec.id)
    if (!args)
      throw new ResultError(
        'RESULT_MISSING',
        `job ${spec.id} cannot be tried again by this process: its arguments went into pods that are gone`,
        {
          hint: 'call the function again',
        },
      )
    const earlier = await earlierRecords(spec, (id, members) => this.#outputs.fetch(id, members))
    const earlierYields = await this.#yieldFiles.earlier(spec)
    const made = await this.#submit(spec, { ...payload, args, earlier, earlierYields })
    await this.#yieldFiles.letGoEarlier(spec)
    return made
  }

  async #submit(asked: JobSpec, payload: Sent): Promise<{ nativeId: string; spec: JobSpec }> {
    await this.open()
    const known = this.#following.of(asked.id).find(({ spec }) => spec.attempt === asked.attempt)
    if (known) return { nativeId: known.name, spec: known.spec }
    const bundle = payload.bundle ?? this.#kept.bundleOf(asked.id)
    this.#kept.keep(asked.id, payload.args, bundle)
    const { job, streamed } = await submitJob(
      this.#api,
      this.#profile,
      this.#runtime,
      asked,
      { ...payload, ...(bundle ? { bundle } : {}) },
      this.#persist,
      this.#clock,
      () => this.#server(),
    )
    this.#sending.prepare(job, streamed)
    this.#events.push({ type: 'state', id: asked.id, status: { state: 'QUEUED', time: this.#clock.now() } })
    this.#following.add(job)
    return { nativeId: job.name, spec: job.spec }
  }

  /** Asked once. */
  #server(): Promise<Version> {
    this.#version ??= versionOf(this.#api).catch((error) => {
      this.#version = undefined
      throw error
    })
    return this.#version
  }

  async #send(job: TrackedJob, lane: number, pod: Pod): Promise<void> {
    const error = await this.#sending.send(job, pod)
    if (!error || job.open(lane).length === 0) return
    this.#following.ends.doom(job, lane, {
      state: 'FAILED',
      reason: 'launch-failed',
      message: error.message,
    })
  }

  #applyCancel(job: TrackedJob, lane: number): void {
    this.#memberCancel.apply(job, lane).catch((error) => {
      if (!this.#closing.signal.aborted) this.#events.push({ type: 'trouble', error })
    })
  }

  async find(ids: readonly JobId[]): Promise<Map<JobId, FoundJob | undefined>> {
    await this.open()
    const found = new Map<JobId, FoundJob | undefined>(ids.map((id) => [id, undefined]))
    for (const { jobs, counts: _, ...rest } of await this.#persist(() =>
      findJobs(this.#api, ids, this.#clock),
    )) {
      found.set(rest.spec.id, rest)
      const later = new Set<number>()
      for (const job of jobs.toReversed()) {
        // What became of them is the later attempt's matter.
        for (const member of membersOf(job.spec)) {
          if (later.has(member)) job.ended.add(member)
          later.add(member)
        }
      }
      for (const job of jobs) this.#following.add(job)
    }
    return found
  }

  async standing(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, Standing>> {
    await this.open()
    return this.#persist(() => standings(this.#api, ids, this.#clock))
  }

  async list(): Promise<ListedJobs> {
    await this.open()
    return this.#persist(() => listJobs(this.#api, this.#clock))
  }

  async *events(signal: AbortSignal): AsyncIterable<JobEvent> {
    signal.addEventListener('abort', () => this.#events.close(), { once: true })
    yield* this.#events
  }

  fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord> {
    return this.#outputs.fetch(id, members)
  }

  save(id: JobId, member: number, item: number, localPath: string): Promise<RecordKind | undefined> {
    return this.#outputs.save(id, member, item, localPath)
  }

  yields(stream: StreamItem, from: number, limit: number): Promise<readonly Uint8Array[]> {
    return this.#yieldFiles.read(stream, from, limit)
  }

  acknowledge(stream: StreamItem, read: YieldPosition): Promise<void> {
    return this.#yieldFiles.acknowledge(stream, read)
  }

  logs(id: JobId, member: number, stream: 'stdout' | 'stderr', from: number) {
    return this.#outputs.logs(id, member, stream, from)
  }

  async cancel(targets: readonly CancelTarget[]): Promise<void> {
    await Promise.all(targets.map((target) => this.#cancel(target)))
  }

  async #cancel({ id, members }: CancelTarget): Promise<void> {
    this.#following.last(id)
    const sent: Promise<unknown>[] = []
    for (const job of this.#following.of(id)) {
      if (job.over) continue
      const open = [...membersOf(job.spec)].filter((member) => !job.ended.has(member))
      const asked = members && open.filter((member) => members.includes(member))
      if (asked?.length === 0) continue
      if (asked && asked.length < open.length) {
        sent.push(this.#memberCancel.cancel(job, asked))
        continue
      }
      job.canceled = true
      // Its pods go, and no other one comes. Those that have ended stay.
      const body = {
        metadata: { annotations: { [annotations.canceled]: 'by-user' } },
        spec: { parallelism: 0 },
      }
      sent.push(this.#persist(() => patchJob(this.#api, job.name, body)))
    }
    await Promise.all(sent)
  }

  async release(ids: readonly JobId[], outcome: 'completed' | 'failed' | 'detached'): Promise<void> {
    if (!this.#api) return
    const keep = this.#profile.keep ?? 'failed'
    const limit = pLimit(8)
    const work: Promise<unknown>[] = []
    for (const id of ids) {
      const jobs = this.#following.of(id)
      this.#following.forget(id)
      this.#kept.forget(id)
      if (outcome === 'detached') continue
      for (const job of jobs) {
        const stays = (keep === 'all' || (keep === 'failed' && outcome === 'failed')) && !job.canceled
        work.push(
          limit(() =>
            this.#persist(() =>
              stays ? keepJob(this.#api, job, this.#clock) : deleteJob(this.#api, job.name),
            ),
          ),
        )
      }
    }
    this.#following.rest()
    await Promise.all(work)
  }

  async clean(request: CleanRequest): Promise<Cleaned> {
    const nothing = { jobs: [], blobs: [], bytes: 0 }
    // The server does that by itself, by the Jobs' time to live.
    if (request.when === 'daily') return nothing
    await this.open()
    const keepSeconds = request.olderThan ?? parseDuration(this.#profile.keepFor ?? '7d', 'keepFor')
    const jobs = await this.#persist(() => tidyJobs(this.#api, request, keepSeconds, this.#clock))
    return { ...nothing, jobs }
  }

  async resources(): Promise<PlaceResources> {
    await this.open()
    return readCapacity(this.#api, this.#profile.kubernetes ?? {})
  }

  async queue(mine: boolean): Promise<QueuedJobs> {
    await this.open()
    return readQueue(this.#api, mine, this.#profile.kubernetes?.gpuResource ?? 'nvidia.com/gpu')
  }

  async script(spec: JobSpec): Promise<string> {
    this.#runtime ??= await readRuntime()
    return describeJob(spec, this.#profile, this.#runtime.ref)
  }

  readonly #persist = <T>(work: () => Promise<T>): Promise<T> =>
    persist(work, { clock: this.#clock, random: this.#random, stop: this.#closing.signal })

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#following?.stop()
    this.#events.close()
    this.#kept.close()
    this.#api?.close()
  }
}
