import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BundleModule } from '../capture/types.ts'
import { decode, encode, encodeError } from '../codec/codec.ts'
import type { DecodeOptions, EncodeOptions } from '../codec/types.ts'
import { AsyncQueue } from '../core/async-queue.ts'
import { ResultError } from '../core/errors.ts'
import type { JobId } from '../core/ids.ts'
import { decodeTable, isPackFile } from '../core/pack.ts'
import { type JobSpec, type MemberEnd, memberItems, membersOf, parentValues } from '../core/protocol.ts'
import type { JobStatus } from '../core/status.ts'
import { makeTask, type TaskProgress, taskKey } from '../core/task.ts'
import type { YieldPosition } from '../core/yields.ts'
import type {
  CancelTarget,
  Executor,
  ExecutorTraits,
  FoundJob,
  JobEvent,
  JobPayload,
  ResultRecord,
  StreamItem,
} from '../executor/executor.ts'
import { MemoryStream } from './memory-stream.ts'

interface MemoryJob extends JobPayload {
  readonly args: readonly Uint8Array[]
  readonly attempts: JobSpec[]
  records: ResultRecord[]
  readonly cancel: AbortController
  over: boolean
  readonly streams: Map<number, MemoryStream>
}

/** Thrown in place of `process.exit()` while a function of ours runs in this process. */
class Exit {
  readonly code: number
  constructor(code: number) {
    this.code = code
  }
}

/**
 * Runs jobs inside this process and pushes its events: for tests of what stands above executors.
 * There is no isolation: `process.exit()` in a function ends its member by an exception, a canceled function
 * runs on unheard, and logs are not kept apart.
 * @example
 * import { MemoryExecutor } from 'farcall/testing'
 *
 * await using executor = new MemoryExecutor()
 * await executor.open()
 */
export class MemoryExecutor implements Executor {
  readonly name = 'memory'
  readonly traits: ExecutorTraits = {
    sharedFiles: false,
    arrays: true,
    dependencies: false,
    streaming: true,
    cancelsMembers: false,
    slots: 1,
  }
  readonly #jobs = new Map<JobId, MemoryJob>()
  readonly #events = new AsyncQueue<JobEvent>()

  async open(): Promise<void> {}

  async submit(payload: JobPayload): Promise<{ nativeId: string }> {
    const { id } = payload.spec
    if (!this.#jobs.has(id)) {
      const job: MemoryJob = {
        ...payload,
        args: isPackFile(payload.args) ? decodeTable(readFileSync(payload.args.localPath)) : payload.args,
        attempts: [payload.spec],
        records: [],
        cancel: new AbortController(),
        over: false,
        streams: new Map(),
      }
      this.#jobs.set(id, job)
      void this.#run(job, payload.spec)
    }
    return { nativeId: `memory:${id}` }
  }

  async retry(spec: JobSpec): Promise<{ nativeId: string; spec: JobSpec }> {
    const job = this.#job(spec.id)
    job.attempts.push(spec)
    void this.#run(job, spec)
    return { nativeId: `memory:${spec.id}`, spec }
  }

  async #run(job: MemoryJob, spec: JobSpec): Promise<void> {
    this.#events.push({ type: 'state', id: spec.id, status: { state: 'ACTIVE' } })
    const loading = loadBundle(job)
    // The user's own top-level code threw: so does each call.
    await loading.catch(() => undefined)
    for (const member of membersOf(spec)) {
      const status = await this.#runMember(job, spec, loading, member)
      const end = { ...endOf(job, spec, member) }
      this.#events.push({
        type: 'end',
        id: spec.id,
        member,
        status,
        complete: status.state === 'COMPLETED',
        ...(spec.stream ? { end } : {}),
      })
    }
    job.over = true
  }

  async #runMember(
    job: MemoryJob,
    spec: JobSpec,
    loading: Promise<BundleModule>,
    member: number,
  ): Promise<JobStatus> {
    const { from, to } = memberItems(job.spec, member)
    const canceled = new Promise<'canceled'>((resolve) => {
      job.cancel.signal.addEventListener('abort', () => resolve('canceled'))
    })
    let skipped = false
    for (let index = from; index < to; index++) {
      const done = job.records.find((record) => record.index === index)
      if (done && (done.kind === 'value' || !spec.again?.includes(index))) continue
      if (!done && spec.skip?.includes(index)) {
        skipped = true
        continue
      }
      job.records = job.records.filter((record) => record !== done)
      if (job.cancel.signal.aborted) return { state: 'CANCELED', reason: 'by-user' }
      this.#setTask(spec, member, index)
      const stream = spec.stream && this.#stream(job, spec, member, index)
      const record = await Promise.race([runItem(job, loading, index, stream), canceled])
      stream?.end()
      if (record === 'canceled') return { state: 'CANCELED', reason: 'by-user' }
      if (record instanceof Exit) return { state: 'FAILED', reason: 'exit-code', exitCode: record.code }
      job.records.push(record)
      this.#events.push({ type: 'item', id: job.spec.id, record })
    }
    return skipped ? { state: 'FAILED', reason: 'timeout' } : { state: 'COMPLETED' }
  }

  #stream(job: MemoryJob, { id, attempt, stream }: JobSpec, member: number, item: number): MemoryStream {
    const opened = new MemoryStream(item, stream!, job.streams.get(item), (report, from, records) =>
      this.#events.push({ type: 'yield', id, member, attempt, report, from, records }),
    )
    job.streams.set(item, opened)
    return opened
  }

  async yields({ id, item }: StreamItem, from: number, limit: number): Promise<readonly Uint8Array[]> {
    return this.#job(id).streams.get(item)?.read(from, limit) ?? []
  }

  async acknowledge({ id, item }: StreamItem, read: YieldPosition): Promise<void> {
    this.#job(id).streams.get(item)?.acknowledge(read)
  }

  /** Of this process as a whole: jobs that run side by side see the one that began last. */
  #setTask(spec: JobSpec, member: number, item: number): void {
    const { id, items, resources, part, retried = 0 } = spec
    const first = part?.first ?? 0
    const granted = {
      rank: 0,
      size: 1,
      localRank: 0,
      cores: resources.cores ?? 1,
      memory: resources.memoryBytes,
      gpus: [],
    }
    const which = {
      id: part?.of ?? id,
      index: member,
      item: first + item,
      items: part?.total ?? first + items,
    }
    const facts = { ...which, attempt: retried + 1, ...granted }
    const report = (progress: TaskProgress) =>
      this.#events.push({ type: 'progress', id, member, item, progress })
    Reflect.set(globalThis, taskKey, makeTask(facts, report))
  }

  async find(ids: readonly JobId[]): Promise<Map<JobId, FoundJob | undefined>> {
    return new Map(
      ids.map((id) => {
        const job = this.#jobs.get(id)
        const state = job?.over ? 'COMPLETED' : 'ACTIVE'
        const nativeId = `memory:${id}`
        const attempts = job?.attempts.map((spec) => ({ spec, nativeId, ends: [] })) ?? []
        return [id, job && { spec: job.spec, status: { state }, nativeId, attempts }]
      }),
    )
  }

  async *events(signal: AbortSignal): AsyncIterable<JobEvent> {
    signal.addEventListener('abort', () => this.#events.close(), { once: true })
    yield* this.#events
  }

  async *fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord> {
    const job = this.#job(id)
    const ranges = members.map((member) => memberItems(job.spec, member))
    for (const record of job.records)
      if (ranges.some(({ from, to }) => record.index >= from && record.index < to)) yield record
  }

  async logs(id: JobId): Promise<{ bytes: Uint8Array; ended: boolean }> {
    return { bytes: new Uint8Array(), ended: this.#job(id).over }
  }

  async cancel(targets: readonly CancelTarget[]): Promise<void> {
    for (const { id } of targets) this.#job(id).cancel.abort()
  }

  async release(ids: readonly JobId[], outcome: 'completed' | 'failed' | 'detached'): Promise<void> {
    if (outcome !== 'detached') for (const id of ids) this.#jobs.delete(id)
  }

  async script(): Promise<string> {
    return '# the memory executor runs functions inside this process\n'
  }

  #job(id: JobId): MemoryJob {
    const job = this.#jobs.get(id)
    if (!job) throw new ResultError('JOB_UNKNOWN', `job ${id} was not submitted to this executor`)
    return job
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const job of this.#jobs.values()) job.cancel.abort()
    this.#events.close()
  }
}

async function loadBundle({ bundle, args }: MemoryJob): Promise<BundleModule> {
  const loaded = await importBundle(bundle)
  loaded.setValues(() => decode(args[0]!, loaded))
  return loaded
}

/** From a file, since what it imports is looked up from where it lies; each time anew, as a process of its own would. */
async function importBundle(code: Uint8Array): Promise<BundleModule> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-memory-'))
  try {
    const file = join(folder, 'bundle.mjs')
    writeFileSync(file, code)
    return (await import(pathToFileURL(file).href)) as BundleModule
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Instances of the bundle's classes by their fields. */
function referIn(bundle: BundleModule): NonNullable<EncodeOptions['reference']> {
  return (object) => {
    const type: unknown =
      typeof object === 'function' ? undefined : Object.getPrototypeOf(object)?.constructor
    const id = typeof type === 'function' ? bundle.identify(type) : undefined
    return id === undefined ? undefined : { kind: 'instance', id, fields: { ...object } }
  }
}

/** What stands in arguments for values of other jobs, and for those that many items hold. */
function elsewhereIn(job: MemoryJob, references: DecodeOptions): NonNullable<DecodeOptions['elsewhere']> {
  const { parents, items } = job.spec
  const give =
    parents &&
    parentValues(parents, (key) => {
      const at = parents.sent.indexOf(key)
      if (at < 0) throw new Error(`the value of job ${key} was not sent`)
      return decode(job.args[parents.from + at]!, references)
    })
  const elsewhere = (at: unknown): unknown => {
    const { entry, job: key } = at as { entry?: number; job?: string }
    if (entry !== undefined) return decode(job.args[1 + items + entry]!, { ...references, elsewhere })
    return key === undefined ? undefined : give?.(key)
  }
  return elsewhere
}

/** As the job's own files would say it. */
function endOf({ streams }: MemoryJob, spec: JobSpec, member: number): MemberEnd {
  const { protocol, id, attempt } = spec
  const { from, to } = memberItems(spec, member)
  const yields = [...streams].flatMap(([item, stream]) => (item >= from && item < to ? [stream.report] : []))
  return { protocol, id, attempt, member, bytes: 0, items: to - from, yields }
}

async function runItem(
  job: MemoryJob,
  loading: Promise<BundleModule>,
  index: number,
  stream: MemoryStream | undefined,
): Promise<ResultRecord | Exit> {
  let bundle: BundleModule | undefined
  const exit = process.exit
  process.exit = (code) => {
    throw new Exit(Number(code ?? process.exitCode ?? 0))
  }
  try {
    bundle = await loading
    const references: DecodeOptions = { resolve: bundle.resolve, instantiate: bundle.instantiate }
    const elsewhere = elsewhereIn(job, references)
    const { self, args } = decode(job.args[1 + index]!, { ...references, elsewhere }) as {
      self?: unknown
      args: unknown[]
    }
    const returned = bundle.main.apply(self, args)
    const value = await (stream ? stream.run(returned as AsyncGenerator) : returned)
    return { kind: 'value', index, bytes: encode(value, { root: 'result', reference: referIn(bundle) }) }
  } catch (error) {
    if (error instanceof Exit) return error
    return {
      kind: 'error',
      index,
      bytes: encodeError(error, { root: 'error', ...(bundle && { reference: referIn(bundle) }) }),
    }
  } finally {
    process.exit = exit
  }
}
