import { open } from 'node:fs/promises'
import { homedir } from 'node:os'
import pLimit from 'p-limit'
import { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { ConfigError, ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { KubernetesSettings } from '../../core/kubernetes-settings.ts'
import { encodeRecord, isPackFile } from '../../core/pack.ts'
import type { Profile } from '../../core/profile.ts'
import { type BlobRef, type JobSpec, memberItems, membersOf } from '../../core/protocol.ts'
import type { QueuedJobs } from '../../core/queued-job.ts'
import { parseDuration } from '../../core/units.ts'
import { readRuntime } from '../batch/batch-executor.ts'
import { persist } from '../batch/persist.ts'
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
} from '../executor.ts'
import { Api } from './api.ts'
import { readCapacity } from './capacity.ts'
import { IdentitySource } from './credentials.ts'
import { jobObject } from './job-object.ts'
import { findJobs, listJobs, tidyJobs } from './kept-jobs.ts'
import { findAccess, thisMachine } from './kubeconfig.ts'
import { MemberEnds } from './member-ends.ts'
import { annotations, labels } from './names.ts'
import type { Pod } from './objects.ts'
import { type OpenFile, payloadOf, type StreamedFile } from './payload.ts'
import { planOf } from './plan.ts'
import { viewOf } from './pod-status.ts'
import { PodWatch } from './pod-watch.ts'
import { readQueue } from './queue.ts'
import { keeperSays, letGo, logOf, recordsOf, saveRecord } from './results.ts'
import { scriptsOf } from './script.ts'
import { awaitPods, createClaims, createJob, createSecret, deleteJob, patchJob } from './submission.ts'
import { TrackedJob } from './tracked-job.ts'
import { upload } from './upload.ts'

export interface KubernetesOptions {
  readonly profile: Profile
  readonly clock: Clock
  readonly random: () => number
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** What one Job may have: the server's controller makes some ten pods in a second. */
const maxMembers = 500
/** Of earlier attempts' results, what goes along with the next one. */
const earlierLimit = 500_000

/** Jobs of a Kubernetes cluster, by its API alone: no login, no shared folder. */
export class KubernetesExecutor implements Executor {
  readonly name: string
  readonly traits: ExecutorTraits = {
    sharedFiles: false,
    arrays: true,
    dependencies: false,
    streaming: false,
    cancelsMembers: false,
    maxMembers,
  }
  readonly #profile: Profile
  readonly #settings: KubernetesSettings
  readonly #clock: Clock
  readonly #random: () => number
  readonly #env: Readonly<Record<string, string | undefined>>
  readonly #events = new AsyncQueue<JobEvent>()
  readonly #closing = new AbortController()
  readonly #jobs = new Map<JobId, TrackedJob[]>()
  /** Arguments that lie in no Secret, for another attempt. */
  readonly #args = new Map<JobId, readonly Uint8Array[] | OpenFile>()
  readonly #bundles = new Map<JobId, Uint8Array>()
  readonly #streams = new Map<TrackedJob, readonly StreamedFile[]>()
  /** Pods that were seen before their submission was through. */
  readonly #early = new Map<string, Map<string, Pod>>()
  readonly #sending = pLimit(4)
  #opened: Promise<void> | undefined
  #api!: Api
  #watch!: PodWatch
  #ends!: MemberEnds
  #runtime!: { ref: BlobRef; bytes: Uint8Array }

  constructor({ profile, clock, random, env = process.env }: KubernetesOptions) {
    const { kubernetes = {} } = profile
    this.#profile = profile
    this.#settings = kubernetes
    this.#clock = clock
    this.#random = random
    this.#env = env
    this.name = `kubernetes${kubernetes.context ? ` ${kubernetes.context}` : ''}`
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
    const access = findAccess(this.#settings, thisMachine(this.#env, this.#env['HOME'] ?? homedir()))
    this.#api = new Api(access, new IdentitySource(access.credentials, this.#env))
    this.#ends = new MemberEnds(
      this.#api,
      this.#clock,
      this.#events,
      { startTimeout: this.#settings.startTimeout },
      (work) => this.#persist(work),
      () => this.#rest(),
    )
    this.#watch = new PodWatch(this.#api, this.#clock, {
      changed: (pod) => this.#onPod(pod),
      deleted: (pod) => this.#onDeleted(pod),
      listed: () => this.#onListed(),
      trouble: (error) => this.#events.push({ type: 'trouble', error }),
    })
  }

  async submit(payload: JobPayload): Promise<{ nativeId: string }> {
    const { args } = payload
    // The caller removes the file once this returns, and pods are sent to later.
    const kept = isPackFile(args) ? { handle: await open(args.localPath), size: args.size } : args
    const { nativeId } = await this.#submit(payload.spec, { ...payload, args: kept })
    return { nativeId }
  }

  async retry(spec: JobSpec, payload: RetryPayload = {}): Promise<{ nativeId: string; spec: JobSpec }> {
    await this.open()
    if (!this.#jobs.has(spec.id)) await this.find([spec.id])
    this.#tracked(spec.id)
    const args = this.#args.get(spec.id)
    if (!args)
      throw new ResultError(
        'RESULT_MISSING',
        `job ${spec.id} cannot be tried again by this process: its arguments went into pods that are gone`,
        {
          hint: 'call the function again',
        },
      )
    const bundle = payload.bundle
    return this.#submit(spec, { ...payload, ...(bundle ? { bundle } : {}), args }, await this.#earlier(spec))
  }

  async #submit(
    asked: JobSpec,
    payload: RetryPayload & { readonly args: readonly Uint8Array[] | OpenFile },
    earlier?: ReadonlyMap<number, Uint8Array>,
  ): Promise<{ nativeId: string; spec: JobSpec }> {
    await this.open()
    const known = this.#jobs.get(asked.id)?.find(({ spec }) => spec.attempt === asked.attempt)
    if (known) return { nativeId: known.name, spec: known.spec }
    const spec: JobSpec = { ...asked, runtime: this.#runtime.ref }
    this.#requireSendable(spec)
    const { args } = payload
    this.#args.set(spec.id, args)
    const bundle = payload.bundle ?? this.#bundles.get(spec.id)
    if (bundle) this.#bundles.set(spec.id, bundle)
    const files = await payloadOf({
      ...payload,
      ...(bundle ? { bundle } : {}),
      spec,
      runtime: this.#runtime.bytes,
      ...(earlier ? { earlier } : {}),
    })
    const plan = this.#plan(spec, files.streamed.length > 0)
    // Rendered first: what it refuses makes nothing there.
    scriptsOf(spec, this.#settings, plan, this.#profile.template)
    const object = jobObject(spec, this.#settings, plan)
    const made = await this.#persist(() => createJob(this.#api, object, spec))
    const name = made.job.metadata.name
    let claims: ReadonlyMap<string, number>
    try {
      await this.#persist(() => createSecret(this.#api, made.job, files.secret))
      const pods = await this.#persist(() => awaitPods(this.#api, made, this.#clock))
      const scripts = scriptsOf(
        made.spec,
        this.#settings,
        { ...plan, mark: made.mark, lanes: made.lanes },
        this.#profile.template,
      )
      claims = await this.#persist(() => createClaims(this.#api, made.job, pods, scripts))
    } catch (error) {
      // None of its pods can run.
      if (!made.before) await deleteJob(this.#api, name).catch(() => {})
      throw error
    }
    const job = new TrackedJob(made.spec, name, made.mark, made.lanes, claims)
    if (files.streamed.length > 0) this.#streams.set(job, files.streamed)
    this.#events.push({ type: 'state', id: spec.id, status: { state: 'QUEUED', time: this.#clock.now() } })
    this.#track(job)
    return { nativeId: name, spec: made.spec }
  }

  #plan(spec: JobSpec, streamed: boolean) {
    const keep = parseDuration(this.#profile.keepFor ?? '7d', 'keepFor')
    return planOf(spec, this.#settings, streamed, keep)
  }

  /** @throws ConfigError */
  #requireSendable({ id, stage, stream }: JobSpec): void {
    if (!this.#settings.image)
      throw new ConfigError(
        'CONFIG_INVALID',
        'kubernetes.image: expected an image that jobs run in, got nothing',
        {
          hint: "set it in the profile, for example `kubernetes: { image: 'node:22' }`; it must have a POSIX sh and Node 16 or newer",
        },
      )
    if (stage && stage.in.length + stage.out.length > 0)
      throw new ConfigError(
        'OPTION_INVALID',
        `job ${id}: files cannot be staged into pods yet (stage, and arguments that are files)`,
        {
          hint: 'put them on a PersistentVolumeClaim, kubernetes: { claim: … }, or send their bytes as an argument',
        },
      )
    if (stream)
      throw new ConfigError('OPTION_INVALID', `job ${id}: generators cannot stream out of pods yet`, {
        hint: 'return an array, or use map, whose results come one by one',
      })
  }

  /** What members have done before that need not be done again. */
  async #earlier(spec: JobSpec): Promise<ReadonlyMap<number, Uint8Array>> {
    const again = new Set(spec.again)
    const kept = new Map<number, Uint8Array>()
    let room = earlierLimit
    for (const member of membersOf(spec)) {
      const records: ResultRecord[] = []
      for await (const record of this.fetch(spec.id, [member])) records.push(record)
      const done = records.filter(({ kind, index }) => kind === 'value' || !again.has(index))
      const bytes = Buffer.concat(done.flatMap((record) => encodeRecord(record)))
      if (bytes.length === 0 || bytes.length > room) continue
      room -= bytes.length
      kept.set(member, bytes)
    }
    return kept
  }

  #track(job: TrackedJob): void {
    const jobs = this.#jobs.get(job.spec.id) ?? []
    // Of each attempt one.
    if (jobs.some(({ name }) => name === job.name)) return
    jobs.push(job)
    this.#jobs.set(job.spec.id, jobs)
    for (const pod of this.#early.get(job.name)?.values() ?? []) this.#onPod(pod)
    this.#early.delete(job.name)
    this.#watch.follow(job.spec.client)
  }

  /** Without a job that is open no connection is held: a program that has all its results may end. */
  #rest(): void {
    if ([...this.#jobs.values()].flat().every(({ over }) => over)) this.#watch.stop()
  }

  #jobOf(pod: Pod): [job: TrackedJob, lane: number] | undefined {
    const { labels: given = {}, uid } = pod.metadata
    const name = given[labels.submission] ?? ''
    const job = this.#jobs.get(given[labels.job] ?? '')?.find((one) => one.name === name)
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
    const { id } = job.spec
    for (const [member, status] of job.advance(lane, view.status))
      this.#events.push({ type: 'state', id, status, ...(member === undefined ? {} : { member }) })
    if (view.staging) this.#send(job, lane, pod)
    this.#ends.consider(job, lane, pod)
  }

  #onDeleted(pod: Pod): void {
    const { labels: given = {}, uid } = pod.metadata
    const found = this.#jobOf(pod)
    if (found) this.#ends.deleted(...found, pod)
    const name = given[labels.submission] ?? ''
    this.#early.get(name)?.delete(uid)
    if (this.#early.get(name)?.size === 0) this.#early.delete(name)
  }

  /** Pods that were gone before the watch began are in no list. */
  #onListed(): void {
    for (const job of [...this.#jobs.values()].flat())
      for (const lane of job.claims.values())
        if (!job.pods.has(lane) && job.open(lane).length > 0) this.#ends.missing(job, lane)
  }

  /** Once for each pod; it is done again by whoever follows, when it fails. */
  #send(job: TrackedJob, lane: number, pod: Pod): void {
    const files = this.#streams.get(job)
    if (!files || job.sending.has(pod.metadata.uid)) return
    job.sending.add(pod.metadata.uid)
    const { namespace } = this.#api.access
    const send = () => upload(this.#api, namespace, pod.metadata.name, files, this.#closing.signal)
    this.#sending(() => this.#persist(send)).catch((error) => {
      if (this.#closing.signal.aborted || job.open(lane).length === 0) return
      this.#ends.doom(job, lane, {
        state: 'FAILED',
        reason: 'launch-failed',
        message: (error as Error).message,
      })
    })
  }

  async find(ids: readonly JobId[]): Promise<Map<JobId, FoundJob | undefined>> {
    await this.open()
    const found = new Map<JobId, FoundJob | undefined>(ids.map((id) => [id, undefined]))
    for (const { jobs, ...rest } of await this.#persist(() => findJobs(this.#api, ids, this.#clock))) {
      found.set(rest.spec.id, rest)
      const later = new Set<number>()
      for (const job of jobs.toReversed()) {
        // What became of them is the later attempt's matter.
        for (const member of membersOf(job.spec)) {
          if (later.has(member)) job.ended.add(member)
          later.add(member)
        }
      }
      for (const job of jobs) this.#track(job)
    }
    return found
  }

  async list(): Promise<ListedJobs> {
    await this.open()
    return this.#persist(() => listJobs(this.#api, this.#clock))
  }

  async *events(signal: AbortSignal): AsyncIterable<JobEvent> {
    signal.addEventListener('abort', () => this.#events.close(), { once: true })
    yield* this.#events
  }

  async *fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord> {
    for (const member of members) {
      const job = this.#tracked(id, member)
      const { from, to } = memberItems(job.spec, member)
      const lane = job.laneOf(member)
      const pod = job.pods.get(lane)
      if (!pod) continue
      const small = await this.#persist(() => keeperSays(this.#api, job, lane, pod))
      const came = small.notices.get(member)?.came ?? []
      const read = () => recordsOf(this.#api, job, member, pod)
      const records = came.length > 0 || !viewOf(pod).kept ? came : await this.#persist(read)
      for (const record of records) if (record.index >= from && record.index < to) yield record
    }
  }

  async save(id: JobId, member: number, item: number, localPath: string) {
    const job = this.#tracked(id, member)
    const pod = job.pods.get(job.laneOf(member))
    if (!pod) return undefined
    return this.#persist(() => saveRecord(this.#api, job, member, pod, item, localPath))
  }

  async logs(id: JobId, member: number, stream: 'stdout' | 'stderr', from: number) {
    const job = this.#tracked(id, member)
    // Asked before the log is read: what is written until the end is then in it.
    const ended = job.ended.has(member)
    const pod = job.pods.get(job.laneOf(member))
    const bytes = pod
      ? await this.#persist(() => logOf(this.#api, job, member, pod, stream, from))
      : new Uint8Array()
    return { bytes, ended }
  }

  async cancel(targets: readonly CancelTarget[]): Promise<void> {
    const sent: Promise<unknown>[] = []
    for (const { id } of targets) {
      this.#tracked(id)
      for (const job of this.#jobs.get(id)!) {
        if (job.over) continue
        job.canceled = true
        // Its pods go, and no other one comes. Those that have ended stay.
        const body = {
          metadata: { annotations: { [annotations.canceled]: 'by-user' } },
          spec: { parallelism: 0 },
        }
        sent.push(this.#persist(() => patchJob(this.#api, job.name, body)))
      }
    }
    await Promise.all(sent)
  }

  async release(ids: readonly JobId[], outcome: 'completed' | 'failed' | 'detached'): Promise<void> {
    if (!this.#api) return
    const keep = this.#profile.keep ?? 'failed'
    const limit = pLimit(8)
    const work: Promise<unknown>[] = []
    for (const id of ids) {
      const jobs = this.#jobs.get(id) ?? []
      this.#jobs.delete(id)
      this.#forgetArguments(id)
      this.#bundles.delete(id)
      if (outcome === 'detached') continue
      for (const job of jobs) {
        const stays = (keep === 'all' || (keep === 'failed' && outcome === 'failed')) && !job.canceled
        work.push(
          limit(() => this.#persist(() => (stays ? this.#keep(job) : deleteJob(this.#api, job.name)))),
        )
      }
    }
    this.#rest()
    await Promise.all(work)
  }

  #forgetArguments(id: JobId): void {
    const args = this.#args.get(id)
    this.#args.delete(id)
    if (args && 'handle' in args) void args.handle.close()
  }

  /** Its pods need not wait any longer; the server removes it in time. */
  async #keep(job: TrackedJob): Promise<void> {
    await patchJob(this.#api, job.name, { metadata: { labels: { [labels.collected]: 'true' } } })
    for (const pod of job.pods.values()) if (viewOf(pod).kept) await letGo(this.#api, pod)
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
    return readCapacity(this.#api, this.#settings)
  }

  async queue(mine: boolean): Promise<QueuedJobs> {
    await this.open()
    return readQueue(this.#api, mine, this.#settings.gpuResource ?? 'nvidia.com/gpu')
  }

  async script(spec: JobSpec): Promise<string> {
    this.#runtime ??= await readRuntime()
    const asked = { ...spec, runtime: this.#runtime.ref }
    const plan = { ...this.#plan(asked, false), mark: 'farcall-…' }
    const { stringify } = await import('yaml')
    const object = stringify(jobObject(asked, this.#settings, plan))
    const { 'main.sh': main } = scriptsOf(
      asked,
      this.#settings,
      { ...plan, mark: 'farcall-mark' },
      this.#profile.template,
    )
    return `${object}---\n# main.sh\n${main}`
  }

  /** The last submission of the job, or of one of its members. */
  #tracked(id: JobId, member?: number): TrackedJob {
    const job = this.#jobs.get(id)?.findLast((one) => member === undefined || one.has(member))
    if (job) return job
    throw new ResultError('JOB_UNKNOWN', `job ${id} is not followed by this process, or it was removed`, {
      hint: "`attach(id)` follows it; `keep: 'all'` in the profile keeps jobs that are done",
    })
  }

  #persist<T>(work: () => Promise<T>): Promise<T> {
    return persist(work, { clock: this.#clock, random: this.#random, stop: this.#closing.signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#watch?.stop()
    this.#ends?.stop()
    this.#events.close()
    for (const id of this.#args.keys()) this.#forgetArguments(id)
    this.#api?.close()
  }
}
