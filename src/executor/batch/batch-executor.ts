import { readFile } from 'node:fs/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import type { BuildRequest } from '../../archive/build.ts'
import { AsyncQueue } from '../../core/async-queue.ts'
import { blobOf } from '../../core/blob.ts'
import type { Clock } from '../../core/clock.ts'
import { FarcallError, ResultError, SubmitError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { NodeNeed } from '../../core/interpreter.ts'
import { chooseLauncher } from '../../core/launcher.ts'
import type { Environment, Profile } from '../../core/profile.ts'
import {
  type BlobRef,
  blobName,
  describeParents,
  type JobSpec,
  logFile,
  memberItems,
  membersOf,
  type PackagesRef,
  paths,
} from '../../core/protocol.ts'
import type { QueuedJobs } from '../../core/queued-job.ts'
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
import { type EarlierSubmission, jobsBefore } from './after.ts'
import { Canceler } from './cancel.ts'
import { agesOf, cleanPlace, isDue } from './clean.ts'
import { inBatches, parsePacks } from './fetched.ts'
import { parseFound } from './found.ts'
import { directivesOf, renderJobScript } from './job-script.ts'
import { askLimits, Limits } from './limits.ts'
import { parseList } from './list.ts'
import { measureJob } from './measure.ts'
import { makePackages } from './packages.ts'
import { persist } from './persist.ts'
import { type Place, placeFailed, probePlace } from './place.ts'
import { askQueue } from './queue.ts'
import { roomOf } from './room.ts'
import { runOf } from './runs.ts'
import { RuntimeSupply } from './runtime-supply.ts'
import { saveRecord } from './save-record.ts'
import { requireScriptSize } from './script-size.ts'
import { exits, findScript, listScript, recordsScript, removeScript, tidyScript } from './scripts.ts'
import { adaptScheduler } from './site.ts'
import { fetchOutputs, type RunOutputs, sendInputs } from './staging.ts'
import { standingOf } from './standing.ts'
import { type Blob, lateBlob, sharedBlob, submitJob } from './submission.ts'
import { TrackedJob } from './tracked-job.ts'
import { Watcher } from './watcher.ts'
import { YieldFiles } from './yields.ts'

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

/** The runtime that runs on the node, as built; also its name under blobs/. */
export const runtimeFile = new URL('../../../dist/runtime/farcall-runtime.cjs', import.meta.url)

export async function readRuntime(): Promise<{ ref: BlobRef; bytes: Uint8Array }> {
  const bytes = await readFile(runtimeFile)
  return { ref: blobOf(bytes, 'cjs'), bytes }
}

/** Between two looks at a file that is not seen whole yet. */
const lookAgainMs = 250

/** Jobs as folders of files on a machine with a scheduler: Scheduler × Transport. */
export class BatchExecutor implements Executor {
  readonly name: string
  /** Of the scheduler, once connected, the dialect of the site. */
  #options: BatchOptions
  readonly #events = new AsyncQueue<JobEvent>()
  readonly #known = new Set<string>()
  readonly #closing = new AbortController()
  /** Whose inboxes we have made or read. */
  readonly #clients = new Set<string>()
  #opened: Promise<void> | undefined
  #place!: Place
  #runtime!: { ref: BlobRef; bytes: Uint8Array }
  #watcher!: Watcher
  #canceler!: Canceler
  #supply!: RuntimeSupply
  #yields!: YieldFiles
  readonly #limits: Limits
  /** As many submissions as travel at once. */
  #sending!: LimitFunction
  #openedAt = 0
  #spoken: Promise<Scheduler> | undefined
  #makingRoom: Promise<unknown> | undefined

  constructor(options: BatchOptions) {
    const { scheduler, profile } = options
    this.#limits = new Limits(options.learned)
    this.#options = { ...options, scheduler: scheduler.site?.adapt(undefined, profile) ?? scheduler }
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

  /** How long a file may take to be seen here. */
  get #graceMs(): number {
    const { profile, scheduler } = this.#options
    return 1000 * parseDuration(profile.grace ?? (scheduler.immediate ? '2s' : '120s'), 'grace')
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
    this.#sending = pLimit(transport.concurrency)
    this.#limits.told(scheduler, limits, this.#openedAt)
    if (this.#place.blobs.get(runtimeName) === this.#runtime.ref.size) this.#known.add(runtimeName)
    const workersOf = ({ concurrency, resources }: JobSpec) =>
      concurrency ?? Math.max(1, Math.floor(place.cores / (resources.cores ?? 1)))
    this.#supply = new RuntimeSupply(transport, place, this.#options.provider, (work) => this.#persist(work))
    const settings = {
      onNeed: (job: TrackedJob, need: NodeNeed) => this.#sendRuntime(job, need),
      ...(scheduler.immediate ? { workersOf } : {}),
      queryIntervalMs: 1000 * parseDuration(profile.queryInterval ?? '10s', 'queryInterval'),
      filePollMs: 1000 * parseDuration(profile.filePoll ?? '2s', 'filePoll'),
      graceMs: this.#graceMs,
    }
    const watched = { transport, scheduler, workdir: this.#place.workdir }
    this.#yields = new YieldFiles(watched, (work) => this.#persist(work))
    this.#canceler = new Canceler(watched, (work) => this.#persist(work))
    this.#watcher = new Watcher(watched, this.#canceler, settings, clock, random, this.#events)
  }

  async submit({ spec, args, ...payload }: JobPayload): Promise<{ nativeId: string }> {
    const { nativeId } = await this.#submit(spec, args, payload)
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
    return this.#submit(spec, undefined, payload)
  }

  async #submit(
    asked: JobSpec,
    args: JobPayload['args'] | undefined,
    { bundle, secrets, archive, shared = {} }: RetryPayload,
  ) {
    await this.open()
    const { scheduler, transport, clock } = this.#options
    const before = this.#watcher.of(asked.id).find((job) => job.spec.attempt === asked.attempt)
    if (before) return { nativeId: before.nativeId, spec: before.spec }
    const runtime = await this.#supply.before(asked)
    const { ranks } = asked
    const spec: JobSpec = {
      ...asked,
      ...(ranks && { ranks: { ...ranks, launcher: chooseLauncher(ranks, scheduler) } }),
      scheduler: scheduler.name,
      runtime: this.#runtime.ref,
      ...(runtime && { interpreter: runtime.interpreter }),
    }
    const blobs: Blob[] = [
      { ref: this.#runtime.ref, content: this.#runtime.bytes },
      { ref: spec.bundle, content: bundle },
      ...(spec.packages ? [lateBlob(spec.packages.archive, archive)] : []),
      ...(spec.shared ?? []).map((ref) => sharedBlob(ref, shared[blobName(ref)])),
    ]
    const { workdir } = this.#place
    const after = await this.#after(spec)
    const directives = directivesOf(spec, workdir, after)
    const script = () => {
      const text = this.#script(spec, workdir, after)
      requireScriptSize(text, spec, this.#limits.scriptBytes)
      return text
    }
    const room = roomOf(this.#options.profile)
    const submission = { spec, args, script, directives, blobs, room, secrets, runtime }
    this.#clients.add(spec.client)
    if (spec.stage && spec.stage.in.length > 0) await sendInputs(transport, workdir, spec.stage.in)
    const submit = () =>
      this.#persist(() =>
        submitJob(transport, scheduler, workdir, submission, this.#known, clock, this.#sending),
      )
    const {
      nativeId,
      time,
      spec: made = spec,
    } = await submit().catch(async (error: unknown) => {
      this.#limits.refused(scheduler, error, spec.only?.length ?? spec.members)
      if (!(error instanceof SubmitError && error.code === 'DISK_LOW')) throw error
      await this.#makeRoom()
      return submit()
    })
    this.#limits.taken(clock.now())
    const adopted = made.client !== spec.client
    const tracked = new TrackedJob(made, nativeId, time, clock.now(), adopted)
    tracked.restarted = adopted
    this.#clients.add(made.client)
    if (adopted) this.#watcher.supersede(made)
    this.#watcher.add(tracked)
    if (scheduler.immediate && after.length > 0)
      tracked.after = made.parents!.jobs.flatMap(({ id }) => this.#watcher.of(id))
    const now = clock.now()
    const status: JobStatus = tracked.isWaiting
      ? { state: 'QUEUED', reason: 'held', message: describeParents(made.parents!.jobs)!, time: now }
      : { state: scheduler.immediate ? 'ACTIVE' : 'QUEUED', time: now }
    tracked.status = status
    this.#tell(tracked, status)
    return { nativeId, spec: made }
  }

  /** What is to be over before it starts. Of jobs that this process does not follow the files tell. */
  async #after(spec: JobSpec): Promise<readonly AfterJob[]> {
    const { jobs = [] } = spec.parents ?? {}
    if (jobs.length === 0) return []
    const submissions = new Map<JobId, EarlierSubmission[]>()
    for (const { id } of jobs) {
      const followed = this.#watcher.of(id)
      if (followed.length > 0)
        submissions.set(
          id,
          followed.map((job) => ({ spec: job.spec, nativeId: job.nativeId, open: new Set(job.open()) })),
        )
    }
    const unknown = jobs.map(({ id }) => id).filter((id) => !submissions.has(id))
    for (const { attempts } of unknown.length > 0 ? await this.#look(unknown) : [])
      for (const { spec: own, nativeId, ends } of attempts) {
        if (nativeId === undefined) continue
        const open = new Set(membersOf(own))
        for (const { member } of ends) open.delete(member)
        submissions.set(own.id, [...(submissions.get(own.id) ?? []), { spec: own, nativeId, open }])
      }
    return jobsBefore(spec, (id) => submissions.get(id) ?? [])
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
        this.#clients.add(spec.client)
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

  async yields(stream: StreamItem, from: number, limit: number, known: number) {
    const read = () => this.#yields.read(this.#inRun(stream), from, limit)
    return this.#whenSeen(read, (values) => values.length > 0 || known <= from)
  }

  acknowledge(stream: StreamItem, read: YieldPosition): Promise<void> {
    return this.#yields.acknowledge(this.#inRun(stream), read)
  }

  /** In the run that it is known to be in. */
  #inRun(stream: StreamItem): StreamItem {
    const job = this.#tracked(stream.id, stream.member)
    const attempt = stream.attempt ?? job.runs.get(stream.member)
    return attempt === undefined ? stream : { ...stream, attempt }
  }

  async *fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord> {
    const { spec } = this.#tracked(id)
    const { transport } = this.#options
    const folder = `${this.#place.workdir}/${paths.job(id)}`
    const sizeOf = (member: number) => this.#tracked(id, member).packSizes.get(member) ?? 0
    for (const some of inBatches(members, sizeOf, { members: 500, bytes: 32 * 2 ** 20 })) {
      const runs: string[] = []
      for (const member of some) runs.push(`${await this.#runOf(id, member)}.${member}`)
      const argv = ['sh', '-c', recordsScript, 'farcall', folder, ...runs]
      const size = some.reduce((sum, member) => sum + sizeOf(member), 0)
      const read = async () => {
        const { stdout } = await this.#persist(() => transport.exec({ argv }, { timeoutMs: 3_600_000 }))
        return parsePacks(stdout)
      }
      const { records } = await this.#whenSeen(read, (seen) => seen.size >= size)
      const wanted = new Set<number>()
      for (const member of some) {
        const { from, to } = memberItems(spec, member)
        for (let item = from; item < to; item++) wanted.add(item)
      }
      for (const record of records) if (wanted.has(record.index)) yield record
    }
  }

  async save(id: JobId, member: number, item: number, localPath: string) {
    const run = paths.run(id, await this.#runOf(id, member), member)
    const pack = `${this.#place.workdir}/${run}/out.pack`
    const size = this.#tracked(id, member).packSizes.get(member) ?? 0
    const seen = () => this.#persist(() => this.#options.transport.stat(pack))
    await this.#whenSeen(seen, (stat) => (stat?.size ?? 0) >= size)
    return this.#persist(() => saveRecord(this.#options.transport, pack, item, localPath))
  }

  async saveOutputs(
    id: JobId,
    members: readonly MemberOutputs[],
    place: (item: number, failed: boolean, path: string) => string | undefined,
  ): Promise<ReadonlyMap<number, readonly string[]>> {
    const { spec } = this.#tracked(id)
    const { transport, clock } = this.#options
    const folder = `${this.#place.workdir}/${paths.job(id)}`
    const named: RunOutputs[] = []
    for (const { member, bytes } of members)
      named.push({ member, run: `run.${await this.#runOf(id, member)}.${member}`, bytes })
    const until = clock.now() + this.#graceMs
    for (;;) {
      try {
        return await this.#persist(() => fetchOutputs(transport, folder, spec, named, place))
      } catch (error) {
        // A shared folder may show files late.
        const late = error instanceof FarcallError && error.code === 'FILE_MISSING'
        if (!late || clock.now() >= until || this.#closing.signal.aborted) throw error
        await clock.sleep(lookAgainMs, this.#closing.signal)
      }
    }
  }

  /** A shared folder may show a file late, or empty at first: it is looked at again until it is whole, or the grace over. */
  async #whenSeen<T>(look: () => Promise<T>, isWhole: (seen: T) => boolean): Promise<T> {
    const { clock } = this.#options
    const until = clock.now() + this.#graceMs
    for (;;) {
      const seen = await look()
      if (isWhole(seen) || clock.now() >= until || this.#closing.signal.aborted) return seen
      await clock.sleep(lookAgainMs, this.#closing.signal)
    }
  }

  async logs(id: JobId, member: number, stream: 'stdout' | 'stderr', from: number, rank = 0) {
    // Asked before the file is read: what is written until the end is then in the file.
    const ended = this.#tracked(id, member).ended.has(member)
    const run = paths.run(id, await this.#runOf(id, member), member)
    const file = `${this.#place.workdir}/${run}/${logFile(stream, rank)}`
    const { transport } = this.#options
    const bytes = (await this.#persist(() => transport.get(file, { from }))) ?? new Uint8Array()
    return { bytes, ended }
  }

  async measure(id: JobId): Promise<ReadonlyMap<number, Measured>> {
    this.#tracked(id)
    const { transport, scheduler } = this.#options
    const place = { transport, scheduler, workdir: this.#place.workdir }
    return this.#persist(() => measureJob(place, this.#watcher.of(id)))
  }

  #runOf(id: JobId, member: number): Promise<number> {
    const folder = `${this.#place.workdir}/${paths.job(id)}`
    return runOf(this.#options.transport, folder, this.#tracked(id, member), member)
  }

  async cancel(targets: readonly CancelTarget[]): Promise<void> {
    const sent: Promise<void>[] = []
    for (const { id, members } of targets) {
      this.#tracked(id)
      for (const job of this.#watcher.of(id)) {
        const asked = [...job.open()].filter((member) => !members || members.includes(member))
        for (const member of asked) job.canceled.add(member)
        if (asked.length > 0) sent.push(this.#canceler.cancel(job, asked))
      }
    }
    await Promise.all(sent)
    this.#watcher?.askSoon()
  }

  async release(ids: readonly JobId[], outcome: 'completed' | 'failed' | 'detached'): Promise<void> {
    const keep = this.#options.profile.keep ?? 'failed'
    const stays = outcome === 'detached' || keep === 'all' || (keep === 'failed' && outcome === 'failed')
    // Of a map over nothing: there is no job, and nobody has connected for its sake.
    if (!this.#watcher) return
    const notices = outcome === 'detached' ? [] : ids.flatMap((id) => this.#noticesOfOthers(id))
    for (const id of ids) this.#watcher.forget(id)
    const mark = keep === 'all' ? 'kept' : 'collected'
    const marked = outcome === 'detached' ? [] : ids.map((id) => `${mark} ${id}`)
    await this.#remove([
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

  /** What lies in the inbox of the client whose job we took over: it may have ended before we looked there. */
  #noticesOfOthers(id: JobId): string[] {
    return this.#watcher.of(id).flatMap(({ spec, runs, adopted }) => {
      if (!adopted) return []
      const { client, attempt } = spec
      const notice = (member: number) => paths.notice(id, runs.get(member) ?? attempt, member)
      return [...membersOf(spec)].map((member) => `${paths.inbox(client)}/${notice(member)}`)
    })
  }

  /** Inboxes that are empty go; a job that ends later makes its own again. */
  async #tidy(): Promise<void> {
    if (this.#clients.size === 0) return
    const inboxes = [...this.#clients].map((client) => paths.inbox(client))
    this.#clients.clear()
    const argv = ['sh', '-c', tidyScript, 'farcall', this.#place.workdir, ...inboxes]
    await this.#options.transport.exec({ argv }, { timeoutMs: 5_000 }).catch(() => {
      // An empty folder that stays harms nobody, and whoever closes has no use for the news.
    })
  }

  async #remove(files: readonly string[]): Promise<void> {
    if (files.length === 0) return
    const argv = ['sh', '-c', removeScript, 'farcall', this.#place.workdir]
    const stdin = files.map((file) => `${file}\n`).join('')
    const result = await this.#options.transport.exec({ argv, stdin })
    if (result.exitCode !== 0 && result.exitCode !== exits.unusable)
      throw new FarcallError('COMMAND_FAILED', `${this.name}: cleaning up: ${result.stderr.trim()}`)
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

  async resources(): Promise<PlaceResources> {
    const scheduler = await this.#asSpoken()
    const answer = await this.#options.transport.exec(scheduler.capacity())
    return { partitions: scheduler.parseCapacity(answer), notes: [] }
  }

  get queue() {
    return this.#options.scheduler.queue ? (mine: boolean) => this.#queue(mine) : undefined
  }

  async #queue(mine: boolean): Promise<QueuedJobs> {
    const { queue, parseQueue } = await this.#asSpoken()
    return parseQueue!(await this.#options.transport.exec(queue!(mine)))
  }

  /** The scheduler's dialect there, without the work folder that jobs need. */
  #asSpoken(): Promise<Scheduler> {
    this.#spoken ??= (this.#opened ? this.#opened.then(() => this.#options.scheduler) : this.#adapt()).catch(
      (error) => {
        this.#spoken = undefined
        throw error
      },
    )
    return this.#spoken
  }

  async #adapt(): Promise<Scheduler> {
    await this.#options.transport.open()
    return adaptScheduler(this.#options)
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
    await this.#tidy()
    await this.#options.transport[Symbol.asyncDispose]()
  }
}
