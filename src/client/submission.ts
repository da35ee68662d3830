import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ResultError } from '../core/errors.ts'
import type { JobId } from '../core/ids.ts'
import type { PackRecord, RecordKind } from '../core/pack.ts'
import { type JobSpec, memberItems } from '../core/protocol.ts'
import { isFinal, type JobStatus, mayFollow } from '../core/status.ts'
import type { Executor, JobEvent } from '../executor/executor.ts'
import { type Deferred, deferred } from './deferred.ts'
import { failureOf, type MemberFailure } from './failures.ts'
import { type Decoder, decodeOptions, type Outcome, outcomeOf, readOutcome } from './outcome.ts'
import {
  limits,
  localPathOf,
  type ResultFile,
  readResult,
  resultIsInFile,
  throughFile,
  writeResult,
} from './result-file.ts'

/** One input and what became of it. */
export interface Item {
  readonly index: number
  readonly settled: Deferred<unknown>
  /** Its `stack` is where the call was made; formatted only when an error needs it. */
  readonly callSite: { readonly stack?: string }
  status: JobStatus
  /** Why it is to be canceled. */
  canceling?: unknown
  /** Its value is to be written there, and not to be held in memory. */
  file?: ResultFile
}

/** What is known once a submission has a place to run. */
export interface Submitted {
  readonly spec: JobSpec
  readonly executor: Executor
  readonly decoder: Omit<Decoder, 'jobId' | 'callSite'>
}

export type StatusListener = (status: JobStatus, items: readonly Item[]) => void

/** An item that stands for one of ours, or for all of them: what `attach` gave before it knew how many there are. */
interface View {
  readonly item: Item
  readonly index: number | undefined
}

type MemberEndEvent = Extract<JobEvent, { type: 'end' }>

/** One submission as this process sees it: its items, and how far they are. */
export class Submission {
  readonly id: JobId
  readonly items: Item[] = []
  status: JobStatus = { state: 'NEW' }
  nativeId: string | undefined
  submitted: Submitted | undefined
  /** Resolves when every item is settled, or the job is let go. */
  readonly over = deferred<void>()
  /** Items whose outcome is not known yet. */
  open = 0
  failed = 0
  /** Why all of it is to be canceled. */
  canceling: unknown
  /** Inputs are still being read. */
  filling = false
  /** Why it never ran, or cannot be followed any more. */
  abandoned: { readonly error: unknown } | undefined
  /** An item counts as canceled here and runs on there. */
  runsOn = false
  /** Items that nobody here waits for any more. */
  readonly letGo = new Set<Item>()
  readonly #listeners = new Set<StatusListener>()
  readonly #views: View[] = []
  readonly #early: JobEvent[] = []
  #unread: MemberEndEvent[] = []
  #reading = false

  constructor(id: JobId) {
    this.id = id
  }

  add(callSite: { readonly stack?: string }): Item {
    const item: Item = { index: this.items.length, settled: deferred(), callSite, status: { state: 'NEW' } }
    // Jobs and arrays made from it report the failure; an item alone does not.
    item.settled.promise.catch(() => undefined)
    this.items.push(item)
    this.open++
    return item
  }

  addView(item: Item, index: number | undefined): void {
    this.#views.push({ item, index })
  }

  /** Our own items that an item stands for. */
  itemsBehind(item: Item): readonly Item[] {
    const view = this.#views.find((one) => one.item === item)
    if (!view) return [item]
    return view.index === undefined ? this.items : this.items.slice(view.index, view.index + 1)
  }

  /** What `attach` gave: its items are known once it is found. */
  get attached(): boolean {
    return this.#views.length > 0
  }

  /** Nobody here waits for what is still open. */
  get isLetGo(): boolean {
    if (this.letGo.size === 0 || this.open === 0) return false
    return this.items.every((item) => this.letGo.has(item) || isFinal(item.status.state))
  }

  listen(listener: StatusListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** It never ran, or can no longer be followed: every open item gets this error. */
  abandon(error: unknown, status: JobStatus): void {
    this.abandoned = { error }
    for (const item of this.items) this.settle(item, status, () => item.settled.reject(error))
  }

  /** From here on events are understood; those that came before (of a job that was attached to) are caught up on. */
  begin(submitted: Submitted): void {
    this.submitted = submitted
    for (const event of this.#early.splice(0)) this.handle(event)
  }

  handle(event: JobEvent): void {
    if (!this.submitted) {
      this.#early.push(event)
      return
    }
    if (event.type === 'item') this.#read(event.record)
    if (event.type === 'state') this.#observe(event.status, event.member)
    if (event.type === 'end') {
      this.#unread.push(event)
      void this.#readEnds()
    }
  }

  #observe(status: JobStatus, member: number | undefined): void {
    const { from, to } =
      member === undefined || !this.submitted
        ? { from: 0, to: this.items.length }
        : memberItems(this.submitted.spec, member)
    const changed = this.items.slice(from, to).filter((item) => mayFollow(status, item.status))
    // The state of an array as a whole is not that of each member, where members are told apart.
    if (member === undefined && (this.submitted?.spec.members ?? 1) > 1 && status.state !== 'QUEUED')
      changed.length = 0
    for (const item of changed) item.status = status
    if (mayFollow(status, this.status)) this.status = status
    this.#tell(status, changed)
  }

  #read(record: PackRecord): void {
    const item = this.items[record.index]
    if (!item || !this.submitted || isFinal(item.status.state)) return
    const file = this.#fileOf(item)
    if (file && record.kind === 'value') {
      const path = localPathOf(file, this.itemId(item))
      try {
        writeResult(path, record.bytes)
        this.#settleInFile(item, file, path)
      } catch (error) {
        this.settle(item, { state: 'FAILED', reason: 'lost' }, () =>
          item.settled.reject(this.#missing(item, error)),
        )
      }
    } else this.#settleWith(item, (decoder) => readOutcome(record, decoder))
  }

  #settleWith(item: Item, read: (decoder: Decoder) => Outcome): void {
    if (isFinal(item.status.state)) return
    const jobId = this.itemId(item)
    try {
      const callSite = framesOf(item.callSite)
      const outcome = read({ ...this.submitted!.decoder, jobId, callSite })
      if (outcome.ok) this.settle(item, { state: 'COMPLETED' }, () => item.settled.resolve(outcome.value))
      else
        this.settle(item, { state: 'FAILED', reason: 'exception' }, () => item.settled.reject(outcome.thrown))
    } catch (cause) {
      const error = new ResultError('RESULT_CORRUPT', `job ${jobId}: the result cannot be read`, {
        cause,
        hint: 'its files are kept; attach(id) reads them again',
      })
      this.settle(item, { state: 'FAILED', reason: 'lost' }, () => item.settled.reject(error))
    }
  }

  /** What was asked of this item, or of what `attach` gave for it. */
  #fileOf(item: Item): ResultFile | undefined {
    return item.file ?? this.#views.find((view) => this.itemsBehind(view.item)[0] === item)?.item.file
  }

  #settleInFile(item: Item, file: ResultFile, path: string): void {
    this.settle(item, { state: 'COMPLETED' }, () => {
      file.done.resolve(path)
      item.settled.reject(resultIsInFile(this.itemId(item), path))
    })
  }

  /** Items of a member that ended whose records are copied to files, and read from there or left there. */
  async #readThroughFiles({ member, end }: MemberEndEvent): Promise<void> {
    const { executor, decoder } = this.submitted!
    if (!executor.save) return
    for (const item of this.#openItems(member)) {
      const file = this.#fileOf(item)
      if (!file && (end?.bytes ?? 0) < limits.largeResult) continue
      const settle = (path: string, kind: RecordKind) =>
        this.#settleWith(item, (full) => outcomeOf(kind, readResult(path, decodeOptions(decoder)), full))
      if (!file) await throughFile((path) => executor.save!(this.id, member, item.index, path), settle)
      else {
        const path = localPathOf(file, this.itemId(item))
        const kind = await executor.save(this.id, member, item.index, path)
        if (kind === 'value') this.#settleInFile(item, file, path)
        else if (kind) {
          settle(path, kind)
          rmSync(path)
        }
      }
    }
  }

  /** Ends come in crowds: what they did not carry is fetched for many of them at once. */
  async #readEnds(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    await Promise.resolve()
    while (this.#unread.length > 0) {
      const ends = this.#unread.splice(0)
      const wanted = ends.filter((end) => !end.complete && this.#openItems(end.member).length > 0)
      let trouble: unknown
      try {
        for (const end of wanted) await this.#readThroughFiles(end)
        const rest = wanted.map((end) => end.member).filter((member) => this.#openItems(member).length > 0)
        if (rest.length > 0)
          for await (const record of this.submitted!.executor.fetch(this.id, rest)) this.#read(record)
      } catch (error) {
        trouble = error
      }
      for (const end of ends) this.#conclude(end, trouble)
    }
    this.#reading = false
  }

  #openItems(member: number): Item[] {
    const { from, to } = memberItems(this.submitted!.spec, member)
    return this.items.slice(from, to).filter((item) => !isFinal(item.status.state))
  }

  #conclude(event: MemberEndEvent, trouble: unknown): void {
    const { spec } = this.submitted!
    for (const item of this.#openItems(event.member)) {
      const status: JobStatus =
        event.status.state === 'COMPLETED'
          ? { ...event.status, state: 'FAILED', reason: 'lost' }
          : event.status
      const error =
        event.status.state === 'COMPLETED' ? this.#missing(item, trouble) : this.#failure(item, event, spec)
      this.settle(item, status, () => item.settled.reject(error))
    }
  }

  #missing(item: Item, cause: unknown): ResultError {
    return new ResultError(
      'RESULT_MISSING',
      `job ${this.itemId(item)} ended well, but its result could not be read`,
      {
        ...(cause === undefined ? {} : { cause }),
        hint: 'its files are kept; attach(id) reads them again',
      },
    )
  }

  #failure(item: Item, event: MemberEndEvent, spec: JobSpec) {
    const failure: MemberFailure = {
      spec,
      jobId: this.itemId(item),
      status: event.status,
      end: event.end,
      stderrTail: event.stderrTail,
      map: this.submitted?.decoder.map,
    }
    const error = failureOf(failure)
    const cause = item.canceling ?? this.canceling
    if (event.status.state === 'CANCELED' && cause !== undefined)
      Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
    return error
  }

  settle(item: Item, status: JobStatus, settle: () => void): void {
    if (isFinal(item.status.state)) return
    // A job that was quicker than the queue's answer was active all the same.
    if (item.status.state !== 'ACTIVE' && status.state === 'COMPLETED')
      this.#tell({ state: 'ACTIVE' }, [item])
    item.status = status
    if (status.state !== 'COMPLETED') this.failed++
    settle()
    this.open--
    const over = this.open === 0
    if (over && !isFinal(this.status.state))
      this.status = this.failed === 0 ? { state: 'COMPLETED' } : (this.items.find(isFailed)?.status ?? status)
    this.#tell(status, [item])
    if (over) this.over.resolve()
  }

  /** What the user knows this item's job by. */
  itemId(item: Item): string {
    return this.items.length === 1 ? this.id : `${this.id}[${item.index}]`
  }

  #tell(status: JobStatus, items: readonly Item[]): void {
    for (const listener of this.#listeners) listener(status, items)
    for (const { item, index } of this.#views) {
      const next = index === undefined ? this.status : items.find((one) => one.index === index)?.status
      if (!next || !mayFollow(next, item.status)) continue
      item.status = next
      for (const listener of this.#listeners) listener(next, [item])
    }
  }
}

/** A stack's frames, without the command line's own below the user's program. */
function framesOf({ stack = '' }: { readonly stack?: string }): string {
  const frames = stack.split('\n').slice(1)
  return frames.filter((frame) => !frame.includes(ownCommands)).join('\n')
}

const ownCommands = fileURLToPath(new URL('../cli/', import.meta.url))

function isFailed(item: Item): boolean {
  return item.status.state === 'FAILED' || item.status.state === 'CANCELED'
}
