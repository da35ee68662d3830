import pLimit from 'p-limit'
import type { BuildRequest } from '../../archive/build.ts'
import { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { FarcallError, ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { NodeNeed } from '../../core/interpreter.ts'
import { chooseLauncher } from '../../core/launcher.ts'
import type { Environment, Profile } from '../../core/profile.ts'
import {
  type BlobRef,
  blobName,
  type JobSpec,
  membersOf,
  type PackagesRef,
  paths,
} from '../../core/protocol.ts'
import type { Duration } from '../../core/resources.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import { parseDuration } from '../../core/units.ts'
import type { Measured } from '../../core/usage.ts'
import type { YieldPosition } from '../../core/yields.ts'
import type { AfterJob, Scheduler } from '../../scheduler/scheduler.ts'
import { directivesIn, type ScriptDirective } from '../../scheduler/script-directives.ts'
import type { Transport } from '../../transport/transport.ts'
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
  MemberOutputs,
  PlaceResources,
  ResultRecord,
  RetryPayload,
  Standing,
  StreamItem,
} from '../executor.ts'
import type { Provider } from '../interpreter/provide.ts'
import type { LearnedLimits } from '../learned-limits.ts'
import { Canceler } from './cancel.ts'
import { agesOf, cleanPlace, isDue } from './clean.ts'
import { findScript, listScript } from './find-scripts.ts'
import { parseFound } from './found.ts'
import { renderJobScript } from './job-script.ts'
import { Leftovers, noticesOfOthers } from './leftovers.ts'
import { askLimits, Limits } from './limits.ts'
import { parseList } from './list.ts'
import { measureJob } from './measure.ts'
import { MemberFiles } from './member-files.ts'
import { makePackages } from './packages.ts'
import { type Persist, persist } from './persist.ts'
import { type Place, placeFailed, probePlace } from './place.ts'
import { askQueue } from './queue.ts'
import { readRuntime } from './runtime-file.ts'
import { RuntimeSupply } from './runtime-supply.ts'
import { adaptScheduler } from './site.ts'
import { SiteTalk } from './site-talk.ts'
import { standingOf } from './standing.ts'
import { Submitter } from './submitter.ts'
import { TrackedJob } from './tracked-job.ts'
import { Watcher } from './watcher.ts'

export interface BatchOptions {
  readonly profile: Profile
  readonly scheduler: Scheduler
  readonly transport: Transport
  readonly clock: Clock
  /** Of [0, 1): spreads the tries of those who failed together. */
  readonly random: () => number
  /** Where a Node comes from for machines that have none; without it none is sent. */
  readonly provider?: Provider
  /** What is known of the place's limits from before; without it nothing is. */
  readonly learned?: LearnedLimits
}

const milliseconds = (name: string, value: Duration): number => 1000 * parseDuration(value, name)

/** Jobs as folders of files on a machine with a scheduler: Scheduler × Transport. */
export class BatchExecutor implements Executor {
  readonly name: string
  /** Of the scheduler, once connected, the dialect of the site. */
  #options: BatchOptions
  readonly #events = new AsyncQueue<JobEvent>()
  /** Names of blobs that lie there already. */
  readonly #known = new Set<string>()
  readonly #closing = new AbortController()
  #opened: Promise<void> | undefined
  #place!: Place
  #runtime!: { ref: BlobRef; bytes: Uint8Array }
  #watcher!: Watcher
  #canceler!: Canceler
  #supply!: RuntimeSupply
  #submitter!: Submitter
  #files!: MemberFiles
  #leftovers: Leftovers | undefined
  readonly #limits: Limits
  readonly #site: SiteTalk
  #openedAt = 0
  #makingRoom: Promise<unknown> | undefined

  constructor(options: BatchOptions) {
    const { scheduler, profile } = options
    this.#limits = new Limits(options.learned)
    this.#options = { ...options, scheduler: scheduler.site?.adapt(undefined, profile) ?? scheduler }
    this.#site = new SiteTalk(this.#options, () => this.#opened?.then(() => this.#options.scheduler))
    this.name = `${options.scheduler.name} on ${options.transport.name}`
  }

  get traits(): ExecutorTraits {
    const { scheduler } = this.#options
    const slots = scheduler.immediate && this.#place ? { slots: this.#place.cores } : {}
    return {
      sharedFiles: true,
      arrays: true,
      dependencies: scheduler.directives.after !== 'unsupported',
      streaming: true,
      cancelsMembers: (scheduler.array ?? scheduler.memberId) !== undefined,
      ...this.#limits.traits,
      ...slots,
    }
  }

  get transport(): Transport {
    return this.#options.transport
  }

  directivesIn(script: string): readonly ScriptDirective[] {
    return directivesIn(this.#options.scheduler.name, script)
  }

  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #open(): Promise<void> {
    const { profile, transport, clock, random } = this.#options
    this.#runtime = await readRuntime()
    const runtimeName = blobName(this.#runtime.ref)
    const [place, limits, scheduler] = await Promise.all([
      probePlace(transport, profile.workdir ?? '$HOME/.farcall', [runtimeName]),
      askLimits(this.#options.scheduler, transport),
      adaptScheduler(this.#options),
    ])
    this.#options = { ...this.#options, scheduler }
    this.#place = place
    this.#openedAt = clock.now()
    this.#limits.told(scheduler, limits, this.#openedAt)
    if (this.#place.blobs.get(runtimeName) === this.#runtime.ref.size) this.#known.add(runtimeName)
    const persist: Persist = (work) => this.#persist(work)
    const { workdir } = place
    const watched = { transport, scheduler, workdir }
    const leftovers = new Leftovers(transport, workdir)
    this.#leftovers = leftovers
    this.#supply = new RuntimeSupply(transport, place, this.#options.provider, persist)
    this.#canceler = new Canceler(watched, persist)
    const graceMs = milliseconds('grace', profile.grace ?? (scheduler.immediate ? '2s' : '120s'))
    const workersOf = ({ concurrency, resources }: JobSpec) =>
      concurrency ?? Math.max(1, Math.floor(place.cores / (resources.cores ?? 1)))
    const settings = {
      onNeed: (job: TrackedJob, need: NodeNeed) => this.#sendRuntime(job, need),
      ...(scheduler.immediate ? { workersOf } : {}),
      queryIntervalMs: milliseconds('queryInterval', profile.queryInterval ?? '10s'),
      filePollMs: milliseconds('filePoll', profile.filePoll ?? '2s'),
      graceMs,
    }
    this.#watcher = new Watcher(watched, this.#canceler, settings, clock, random, this.#events)
    this.#files = new MemberFiles({
      ...watched,
      clock,
      persist,
      graceMs,
      stop: this.#closing.signal,
      tracked: (id, member) => this.#tracked(id, member),
    })
    this.#submitter = new Submitter({
      ...watched,
      profile,
      clock,
      persist,
      leftovers,
      runtime: this.#runtime,
      supply: this.#supply,
      limits: this.#limits,
      watcher: this.#watcher,
      known: this.#known,
      sending: pLimit(transport.concurrency),
      look: (ids) => this.#look(ids),
      script: (spec, after) => this.#script(spec, workdir, after),
      makeRoom: () => this.#makeRoom(),
      tell: (job, status) => this.#tell(job, status),
    })
  }

  async submit({ spec, args, ...payload }: JobPayload): Promise<{ nativeId: string }> {
    await this.open()
    const { nativeId } = await this.#submitter.submit(spec, args, payload)
    return { nativeId }
  }

  async countJobs(): Promise<number> {
    await this.open()
    const { transport, scheduler } = this.#options
    const { snapshot } = await askQueue({ transport, scheduler, workdir: this.#place.workdir }, [], 0)
    return [...snapshot.values()].filter(({ status }) => !isFinal(status.state)).length
  }

  async retry(spec: JobSpec, payload: RetryPayload = {}): Promise<{ nativeId: string; spec: JobSpec }> {
    await this.open()
    if (this.#watcher.of(spec.id).length === 0) await this.find([spec.id])
    this.#tracked(spec.id)
    return this.#submitter.submit(spec, undefined, payload)
  }

  /** Until it is there, or surely does not come, the member waits. */
  #sendRuntime(job: TrackedJob, need: NodeNeed): void {
    const { id } = job.spec
    const message = `${need.platform.host} has no Node that will do; one is sent`
    this.#events.push({ type: 'state', id, member: need.member, status: { state: 'ACTIVE', message } })
    this.#supply.on(job.spec, need).catch((cause: unknown) => {
      const options = { cause, transient: true }
      const error = new FarcallError(
        'COMMAND_FAILED',
        `${this.name}: sending a Node: ${String(cause)}`,
        options,
      )
      this.#events.push({ type: 'trouble', error })
    })
  }

  /** Of an attempt that is not for all members, only those are told of. */
  #tell({ spec }: TrackedJob, status: JobStatus): void {
    const { id, only } = spec
    if (!only) this.#events.push({ type: 'state', id, status })
    else for (const member of only) this.#events.push({ type: 'state', id, member, status })
  }

  async find(ids: readonly JobId[]): Promise<Map<JobId, FoundJob | undefined>> {
    await this.open()
    const { clock } = this.#options
    const found = new Map<JobId, FoundJob | undefined>(ids.map((id) => [id, undefined]))
    for (const { status, attempts } of await this.#look(ids)) {
      const [first] = attempts
      if (!first) continue
      const submitted = attempts.flatMap(({ spec, nativeId, ends }) =>
        nativeId === undefined ? [] : [{ spec, nativeId, ends }],
      )
      const nativeId = submitted.at(-1)?.nativeId
      const more = nativeId === undefined ? {} : { nativeId }
      found.set(first.spec.id, { spec: first.spec, status, attempts: submitted, ...more })
      const later = new Set<number>()
      for (const { spec, nativeId, ends } of submitted.toReversed()) {
        this.#leftovers!.note(spec.client)
        const job = new TrackedJob(spec, nativeId, 0, clock.now(), true)
        for (const end of ends) job.runs.set(end.member, end.attempt)
        job.restarted = true
        // What became of them is the later attempt's matter.
        for (const member of membersOf(spec)) {
          if (later.has(member)) job.ended.add(member)
          later.add(member)
        }
        this.#watcher.adopt(job, ends)
      }
    }
    return found
  }

  /** What files say of jobs. */
  async #look(ids: readonly JobId[]) {
    const { transport, scheduler } = this.#options
    const argv = ['sh', '-c', findScript, 'farcall', this.#place.workdir, ...ids]
    const result = await this.#persist(() => transport.exec({ argv }))
    if (result.exitCode !== 0)
      throw new FarcallError(
        'COMMAND_FAILED',
        `${this.name}: looking for jobs failed: ${result.stderr.trim()}`,
      )
    return parseFound(Buffer.from(result.stdout).toString('utf8'), scheduler)
  }

  async standing(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, Standing>> {
    await this.open()
    const { transport, scheduler, profile } = this.#options
    const interval = parseDuration(profile.queryInterval ?? '10s', 'queryInterval')
    const place = { transport, scheduler, workdir: this.#place.workdir }
    // An answer that another program has had lately is good enough: the site is asked no more for it.
    return standingOf(place, await this.#look(ids), Math.max(1, Math.floor(interval) - 1))
  }

  async list(): Promise<ListedJobs> {
    await this.open()
    const { transport, scheduler } = this.#options
    const argv = ['sh', '-c', listScript, 'farcall', this.#place.workdir]
    const result = await transport.exec({ argv }, { timeoutMs: 600_000 })
    if (result.exitCode !== 0) throw placeFailed(result, this.name)
    return parseList(Buffer.from(result.stdout).toString('utf8'), scheduler)
  }

  async *events(signal: AbortSignal): AsyncIterable<JobEvent> {
    const close = () => this.#events.close()
    signal.addEventListener('abort', close, { once: true })
    yield* this.#events
  }

  async *fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord> {
    yield* this.#filesOf(id).fetch(id, members)
  }

  async save(id: JobId, member: number, item: number, localPath: string) {
    return this.#filesOf(id).save(id, member, item, localPath)
  }

  async saveOutputs(
    id: JobId,
    members: readonly MemberOutputs[],
    place: (item: number, failed: boolean, path: string) => string | undefined,
  ): Promise<ReadonlyMap<number, readonly string[]>> {
    return this.#filesOf(id).saveOutputs(id, members, place)
  }

  async logs(id: JobId, member: number, stream: 'stdout' | 'stderr', from: number, rank = 0) {
    return this.#filesOf(id).logs(id, member, stream, from, rank)
  }

  async yields(stream: StreamItem, from: number, limit: number, known: number) {
    return this.#filesOf(stream.id).yields(stream, from, limit, known)
  }

  async acknowledge(stream: StreamItem, read: YieldPosition): Promise<void> {
    return this.#filesOf(stream.id).acknowledge(stream, read)
  }

  #filesOf(id: JobId): MemberFiles {
    this.#tracked(id)
    return this.#files
  }

  async measure(id: JobId): Promise<ReadonlyMap<number, Measured>> {
    this.#tracked(id)
    const { transport, scheduler } = this.#options
    const place = { transport, scheduler, workdir: this.#place.workdir }
    return this.#persist(() => measureJob(place, this.#watcher.of(id)))
  }

  async cancel(targets: readonly CancelTarget[]): Promise<void> {
    await Promise.all(targets.map((target) => this.#cancel(target)))
    this.#watcher?.askSoon()
  }

  async #cancel({ id, members }: CancelTarget): Promise<void> {
    this.#tracked(id)
    const sent: Promise<void>[] = []
    for (const job of this.#watcher.of(id)) {
      const asked = [...job.open()].filter((member) => !members || members.includes(member))
      for (const member of asked) job.canceled.add(member)
      if (asked.length > 0) sent.push(this.#canceler.cancel(job, asked))
    }
    await Promise.all(sent)
  }

  async release(ids: readonly JobId[], outcome: 'completed' | 'failed' | 'detached'): Promise<void> {
    const keep = this.#options.profile.keep ?? 'failed'
    const stays = outcome === 'detached' || keep === 'all' || (keep === 'failed' && outcome === 'failed')
    // Of a map over nothing: there is no job, and nobody has connected for its sake.
    if (!this.#watcher) return
    const notices =
      outcome === 'detached' ? [] : ids.flatMap((id) => noticesOfOthers(id, this.#watcher.of(id)))
    for (const id of ids) this.#watcher.forget(id)
    const mark = keep === 'all' ? 'kept' : 'collected'
    const marked = outcome === 'detached' ? [] : ids.map((id) => `${mark} ${id}`)
    await this.#leftovers!.remove([
      ...(stays ? marked : ids.map(paths.job)),
      ...this.#watcher.takeRecorded(),
      ...notices,
    ])
  }

  async clean(request: CleanRequest): Promise<Cleaned> {
    const { profile, transport, scheduler, clock } = this.#options
    if (
      request.when === 'daily' &&
      !(this.#place && isDue(this.#place.cleanedAgo, clock.now() - this.#openedAt))
    )
      return { jobs: [], blobs: [], bytes: 0 }
    await this.open()
    const place = { transport, scheduler, workdir: this.#place.workdir }
    return cleanPlace(place, agesOf(profile, request), request)
  }

  /** Calls that were refused together are helped together. */
  #makeRoom(): Promise<unknown> {
    this.#makingRoom ??= this.clean({ when: 'scarce' }).finally(() => {
      this.#makingRoom = undefined
    })
    return this.#makingRoom
  }

  async makePackages(request: BuildRequest, environment: Environment): Promise<PackagesRef> {
    await this.open()
    const { transport } = this.#options
    const { workdir } = this.#place
    const { ref, bytes } = this.#runtime
    const runtime = `${workdir}/blobs/${blobName(ref)}`
    if (!this.#known.has(blobName(ref))) await transport.put([{ path: runtime, content: bytes }])
    const made = await makePackages(transport, { workdir, runtime }, environment, request)
    this.#known.add(blobName(made.archive))
    return made
  }

  resources(): Promise<PlaceResources> {
    return this.#site.resources()
  }

  get queue() {
    return this.#options.scheduler.queue ? (mine: boolean) => this.#site.queue(mine) : undefined
  }

  async script(spec: JobSpec): Promise<string> {
    this.#runtime ??= await readRuntime()
    return this.#script(spec, this.#place?.workdir ?? this.#options.profile.workdir ?? '$HOME/.farcall')
  }

  #script(spec: JobSpec, workdir: string, after: readonly AfterJob[] = []): string {
    const { scheduler, profile } = this.#options
    if (spec.ranks) chooseLauncher(spec.ranks, scheduler)
    const runtime = `${workdir}/blobs/${blobName(this.#runtime.ref)}`
    return renderJobScript(spec, scheduler, profile, { workdir, runtime }, after)
  }

  /** The last submission of the job, or of one of its members. */
  #tracked(id: JobId, member?: number): TrackedJob {
    const job = this.#watcher?.of(id).findLast((one) => member === undefined || one.has(member))
    if (job) return job
    throw new ResultError(
      'JOB_UNKNOWN',
      `job ${id} is not followed by this process, or its files were removed`,
      {
        hint: "`attach(id)` follows it; `keep: 'all'` in the profile keeps the files of jobs that are done",
      },
    )
  }

  #persist<T>(work: () => Promise<T>): Promise<T> {
    const { clock, random } = this.#options
    return persist(work, { clock, random, stop: this.#closing.signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#watcher?.stop()
    this.#events.close()
    await this.#leftovers?.tidy()
    await this.#options.transport[Symbol.asyncDispose]()
  }
}
