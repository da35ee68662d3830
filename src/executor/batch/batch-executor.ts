import type { BuildRequest } from '../../archive/build.ts'
import { AsyncQueue } from '../../core/async-queue.ts'
import { ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { chooseLauncher } from '../../core/launcher.ts'
import type { Environment } from '../../core/profile.ts'
import { blobName, type JobSpec, type PackagesRef, paths } from '../../core/protocol.ts'
import { isFinal } from '../../core/status.ts'
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
import type { LearnedLimits } from '../learned-limits.ts'
import { adoptJobs } from './adopt.ts'
import { agesOf, cleanPlace, isDue } from './clean.ts'
import { listScript } from './find-scripts.ts'
import { renderJobScript } from './job-script.ts'
import { noticesOfOthers } from './leftovers.ts'
import { Limits } from './limits.ts'
import { parseList } from './list.ts'
import { measureJob } from './measure.ts'
import type { MemberFiles } from './member-files.ts'
import { type OpenedPlace, openPlace, type PlaceParts, type ScriptPlace } from './opened-place.ts'
import { makePackages } from './packages.ts'
import { type Persist, persist } from './persist.ts'
import { placeFailed } from './place.ts'
import { askQueue } from './queue.ts'
import { type RuntimeFile, readRuntime } from './runtime-file.ts'
import { SiteTalk } from './site-talk.ts'
import { standingOf } from './standing.ts'
import type { TrackedJob } from './tracked-job.ts'

export interface BatchOptions extends PlaceParts {
  /** What is known of the place's limits from before; without it nothing is. */
  readonly learned?: LearnedLimits
}

/** Jobs as folders of files on a machine with a scheduler: Scheduler × Transport. */
export class BatchExecutor implements Executor {
  readonly name: string
  readonly #options: BatchOptions
  readonly #events = new AsyncQueue<JobEvent>()
  readonly #closing = new AbortController()
  readonly #limits: Limits
  readonly #site: SiteTalk
  readonly #persist: Persist
  #opening: Promise<OpenedPlace> | undefined
  /** Once it is open. */
  #at: OpenedPlace | undefined
  #runtime: RuntimeFile | undefined
  #makingRoom: Promise<unknown> | undefined

  constructor(options: BatchOptions) {
    const { scheduler, profile, clock, random } = options
    this.#limits = new Limits(options.learned)
    this.#options = { ...options, scheduler: scheduler.site?.adapt(undefined, profile) ?? scheduler }
    this.#site = new SiteTalk(this.#options, () => this.#opening?.then((at) => at.scheduler))
    this.#persist = (work) => persist(work, { clock, random, stop: this.#closing.signal })
    this.name = `${options.scheduler.name} on ${options.transport.name}`
  }

  get traits(): ExecutorTraits {
    const scheduler = this.#scheduler
    const slots = scheduler.immediate && this.#at ? { slots: this.#at.facts.cores } : {}
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

  /** In the dialect of the site, once that is known. */
  get #scheduler(): Scheduler {
    return this.#at?.scheduler ?? this.#options.scheduler
  }

  directivesIn(script: string): readonly ScriptDirective[] {
    return directivesIn(this.#scheduler.name, script)
  }

  async open(): Promise<void> {
    await this.#open()
  }

  #open(): Promise<OpenedPlace> {
    this.#opening ??= openPlace({
      ...this.#options,
      name: this.name,
      limits: this.#limits,
      events: this.#events,
      persist: this.#persist,
      stop: this.#closing.signal,
      script: (spec, at, after) => this.#script(spec, at, after),
      makeRoom: () => this.#makeRoom(),
      tracked: (id, member) => this.#tracked(id, member).job,
    }).then(
      (at) => {
        this.#at = at
        return at
      },
      (error: unknown) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  async submit({ spec, args, ...payload }: JobPayload): Promise<{ nativeId: string }> {
    const { submitter } = await this.#open()
    const { nativeId } = await submitter.submit(spec, args, payload)
    return { nativeId }
  }

  async countJobs(): Promise<number> {
    const { snapshot } = await askQueue(await this.#open(), [], 0)
    return [...snapshot.values()].filter(({ status }) => !isFinal(status.state)).length
  }

  async retry(spec: JobSpec, payload: RetryPayload = {}): Promise<{ nativeId: string; spec: JobSpec }> {
    const { watcher, submitter } = await this.#open()
    if (watcher.of(spec.id).length === 0) await this.find([spec.id])
    this.#tracked(spec.id)
    return submitter.submit(spec, undefined, payload)
  }

  async find(ids: readonly JobId[]): Promise<Map<JobId, FoundJob | undefined>> {
    const { clock } = this.#options
    return adoptJobs(await this.#open(), ids, () => clock.now())
  }

  async standing(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, Standing>> {
    const at = await this.#open()
    const interval = parseDuration(this.#options.profile.queryInterval ?? '10s', 'queryInterval')
    // An answer that another program has had lately is good enough: the site is asked no more for it.
    return standingOf(at, () => at.look(ids), Math.max(1, Math.floor(interval) - 1))
  }

  async list(): Promise<ListedJobs> {
    const { transport, scheduler, workdir } = await this.#open()
    const argv = ['sh', '-c', listScript, 'farcall', workdir]
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
    return this.#tracked(id).at.files
  }

  async measure(id: JobId): Promise<ReadonlyMap<number, Measured>> {
    const { at } = this.#tracked(id)
    return this.#persist(() => measureJob(at, at.watcher.of(id)))
  }

  async cancel(targets: readonly CancelTarget[]): Promise<void> {
    await Promise.all(targets.map((target) => this.#cancel(target)))
    this.#at?.watcher.askSoon()
  }

  async #cancel({ id, members }: CancelTarget): Promise<void> {
    const { watcher, canceler } = this.#tracked(id).at
    const sent: Promise<void>[] = []
    for (const job of watcher.of(id)) {
      const asked = [...job.open()].filter((member) => !members || members.includes(member))
      for (const member of asked) job.canceled.add(member)
      if (asked.length > 0) sent.push(canceler.cancel(job, asked))
    }
    await Promise.all(sent)
  }

  async release(ids: readonly JobId[], outcome: 'completed' | 'failed' | 'detached'): Promise<void> {
    const keep = this.#options.profile.keep ?? 'failed'
    const stays = outcome === 'detached' || keep === 'all' || (keep === 'failed' && outcome === 'failed')
    // Of a map over nothing: there is no job, and nobody has connected for its sake.
    if (!this.#at) return
    const { watcher, leftovers } = this.#at
    const notices = outcome === 'detached' ? [] : ids.flatMap((id) => noticesOfOthers(id, watcher.of(id)))
    for (const id of ids) watcher.forget(id)
    const mark = keep === 'all' ? 'kept' : 'collected'
    const marked = outcome === 'detached' ? [] : ids.map((id) => `${mark} ${id}`)
    await leftovers.remove([...(stays ? marked : ids.map(paths.job)), ...watcher.takeRecorded(), ...notices])
  }

  async clean(request: CleanRequest): Promise<Cleaned> {
    if (request.when === 'daily' && !this.#isCleaningDue()) return { jobs: [], blobs: [], bytes: 0 }
    return cleanPlace(await this.#open(), agesOf(this.#options.profile, request), request)
  }

  #isCleaningDue(): boolean {
    const { facts, openedAt } = this.#at ?? {}
    return facts !== undefined && isDue(facts.cleanedAgo, this.#options.clock.now() - openedAt!)
  }

  /** Calls that were refused together are helped together. */
  #makeRoom(): Promise<unknown> {
    this.#makingRoom ??= this.clean({ when: 'scarce' }).finally(() => {
      this.#makingRoom = undefined
    })
    return this.#makingRoom
  }

  async makePackages(request: BuildRequest, environment: Environment): Promise<PackagesRef> {
    const { transport, workdir, runtime, known } = await this.#open()
    const path = `${workdir}/blobs/${blobName(runtime.ref)}`
    if (!known.has(blobName(runtime.ref))) await transport.put([{ path, content: runtime.bytes }])
    const made = await makePackages(transport, { workdir, runtime: path }, environment, request)
    known.add(blobName(made.archive))
    return made
  }

  resources(): Promise<PlaceResources> {
    return this.#site.resources()
  }

  get queue() {
    return this.#scheduler.queue ? (mine: boolean) => this.#site.queue(mine) : undefined
  }

  async script(spec: JobSpec): Promise<string> {
    if (this.#at) return this.#script(spec, this.#at)
    this.#runtime ??= await readRuntime()
    const workdir = this.#options.profile.workdir ?? '$HOME/.farcall'
    return this.#script(spec, { scheduler: this.#options.scheduler, workdir, runtime: this.#runtime })
  }

  #script(spec: JobSpec, at: ScriptPlace, after: readonly AfterJob[] = []): string {
    const { scheduler, workdir } = at
    if (spec.ranks) chooseLauncher(spec.ranks, scheduler)
    const runtime = `${workdir}/blobs/${blobName(at.runtime.ref)}`
    return renderJobScript(spec, scheduler, this.#options.profile, { workdir, runtime }, after)
  }

  /** The last submission of the job, or of one of its members, and where it is. */
  #tracked(id: JobId, member?: number): { job: TrackedJob; at: OpenedPlace } {
    const at = this.#at
    const job = at?.watcher.of(id).findLast((one) => member === undefined || one.has(member))
    if (at && job) return { job, at }
    throw new ResultError(
      'JOB_UNKNOWN',
      `job ${id} is not followed by this process, or its files were removed`,
      {
        hint: "`attach(id)` follows it; `keep: 'all'` in the profile keeps the files of jobs that are done",
      },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#at?.watcher.stop()
    this.#events.close()
    await this.#at?.leftovers.tidy()
    await this.#options.transport[Symbol.asyncDispose]()
  }
}
