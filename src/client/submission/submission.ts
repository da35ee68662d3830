import { type Deferred, deferred } from '../../core/deferred.ts'
import { TransportError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { LazyMap, LazySet } from '../../core/lazy.ts'
import type { RecordKind } from '../../core/pack.ts'
import { type JobSpec, type MapPart, type MemberEnd, memberItems } from '../../core/protocol.ts'
import { resolveRetry } from '../../core/resolve-retry.ts'
import { isFinal, type JobStatus, mayFollow } from '../../core/status.ts'
import type { TaskProgress } from '../../core/task.ts'
import type { JobEvent } from '../../executor/executor.ts'
import type { Telling } from '../notify/telling.ts'
import type { Attempt } from '../outcome/attempt.ts'
import { functionKey } from '../outcome/item-time.ts'
import { noMeasures, takeMeasures } from '../outcome/measures.ts'
import type { Decoder } from '../outcome/outcome.ts'
import { Retries } from '../retries/retries.ts'
import { makeAttempt } from './attempts.ts'
import type { Handle } from './handle.ts'
import { Intake, type MemberEndEvent } from './intake.ts'
import { type Item, isFailed, makeItem, type Submitted } from './item.ts'
import type { ParentItem } from './parents.ts'
import type { JobRecords } from './recorder.ts'
import { Tries } from './tries.ts'
import { Views } from './views.ts'
import { YieldReader } from './yield-reader.ts'

const noRetry = resolveRetry(0)

export type StatusListener = (status: JobStatus, items: readonly Item[]) => void

/** One submission as this process sees it: its items, and how far they are. */
export class Submission {
  /** What `attach` was given for one item of a map may be one of another of its jobs. */
  id: JobId
  /** How many submissions have to go before this one, since arguments of it are jobs of theirs. */
  level: number
  /** Of a map that has several jobs, or may get more. */
  part: MapPart | undefined
  /** The further parts of the map, where `attach` gave all of it by its first. */
  readonly rest: Handle[] = []
  /** Resolves when its files may go, where its own end does not say that: the other parts of its map need them. */
  heldUntil: Promise<void> | undefined
  /** No more of its map is to be submitted. */
  stop: ((reason: unknown) => void) | undefined
  readonly items: Item[] = []
  status: JobStatus = { state: 'NEW' }
  nativeId: string | undefined
  submitted: Submitted | undefined
  /** How records become values. */
  decoder: Omit<Decoder, 'from' | 'callSite'> | undefined
  /** Where it is written down what becomes of it. */
  records: JobRecords | undefined
  /** It is no job: its items are those of others, or known before. */
  front = false
  /** Who is told what becomes of it. */
  telling: Telling | undefined
  /** The site did not take it at once; it is tried again. */
  isHeldBack = false
  /** Why it runs on this machine and not where the call said. */
  kept: string | undefined
  /** A front whose one item several jobs answer, one after the other. */
  pieces = false
  /** Whether another process that lives follows the job too, and cleans up after it. */
  isGuest = (): boolean => false
  /** Resolves when every item is settled, or the job is let go. */
  readonly over = deferred<void>()
  /** Items whose outcome is not known yet. */
  open = 0
  failed = 0
  #canceling: unknown
  /** Made by the first that waits. */
  #cancel: AbortController | undefined
  /** Why it never ran, or cannot be followed any more. */
  abandoned: { readonly error: unknown; readonly status: JobStatus } | undefined
  /** Members that another program has canceled, as the record says; -1: all of them. */
  canceledBefore: ReadonlySet<number> = new Set()
  /** Its files stay for a while when it is over, however it ended. */
  keeps = false
  /** An item counts as canceled here and runs on there. */
  runsOn = false
  /** Where outputs go, when it is not what the call said. */
  outputBase: string | undefined
  /** While it waits for jobs whose values are arguments of it: what ends the wait. */
  waiting: Deferred<void> | undefined
  /** Jobs followed here whose values its items need, by what stands for them. */
  readonly parents = new LazyMap<string, ParentItem>()
  /** The program ends: nobody is told any more. */
  muted = false
  /** Who may still want its files, when all else of it is here. */
  readonly readers: { readonly isUnread: boolean }[] = []
  /** Those that may have to be given its values from here: as long as there are any, it is followed. */
  readonly neededBy = new LazySet<Submission>()
  /** Items that nobody here waits for any more. */
  readonly letGo = new LazySet<Item>()
  readonly #listeners = new Set<StatusListener>()
  /** Items that `attach` gave for those of ours. */
  readonly views = new Views(this)
  readonly #early: JobEvent[] = []
  readonly #intake = new Intake(this)
  readonly tries = new Tries()
  retries: Retries | undefined
  readonly measures = noMeasures()
  readonly #measured = new LazyMap<number, Deferred<void>>()

  constructor(id: JobId, level = 0, part?: MapPart) {
    this.id = id
    this.level = level
    this.part = part
  }

  /** Why all of it is to be canceled. */
  get canceling(): unknown {
    return this.#canceling
  }

  set canceling(reason: unknown) {
    this.#canceling = reason
    if (reason !== undefined) this.#cancel?.abort()
  }

  /** Aborts when all of it is to be canceled. */
  get canceled(): AbortSignal {
    this.#cancel ??= new AbortController()
    if (this.#canceling !== undefined) this.#cancel.abort()
    return this.#cancel.signal
  }

  /** It goes after so many others, and waits for them. */
  needs(level: number): void {
    this.level = Math.max(this.level, level)
    if (level > 0) this.waiting ??= deferred()
  }

  /** The number of its first item in the map. */
  get first(): number {
    return this.part?.first ?? 0
  }

  /** Whether what becomes of a job that it needs will be known here. */
  awaitsParent(key: string): boolean {
    const { submission, item } = this.parents.get(key) ?? {}
    if (!submission || !item || submission.letGo.has(item)) return false
    return !isFinal(item.status.state)
  }

  add(callSite: { readonly stack?: string }, input?: string): Item {
    const item = makeItem(this.items.length, callSite)
    if (input !== undefined) item.input = input
    this.items.push(item)
    this.open++
    return item
  }

  /** An item's number in the map. */
  indexOf(item: Item): number {
    return this.first + item.index
  }

  /** A further part of the map. */
  follows(rest: Handle): void {
    this.rest.push(rest)
    rest.submission.listen((status) => this.tell(status, []))
  }

  /** Items of a member whose outcome is not known yet. */
  openItems(member: number): Item[] {
    const { from, to } = memberItems(this.submitted!.spec, member)
    return this.items.slice(from, to).filter((item) => !isFinal(item.status.state))
  }

  /** Those of them whose result is asked for here. */
  askedItems(member: number): Item[] {
    return this.openItems(member).filter((item) => !item.notAsked)
  }

  /** Nobody here waits for what is still open. */
  get isLetGo(): boolean {
    if (this.letGo.size === 0 || this.open === 0 || this.neededBy.size > 0) return false
    return this.items.every((item) => this.letGo.has(item) || isFinal(item.status.state))
  }

  listen(listener: StatusListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** It never ran, or can no longer be followed: every open item gets this error. */
  abandon(error: unknown, status: JobStatus): void {
    this.retries?.stop()
    this.abandoned = { error, status }
    for (const item of this.items) this.settle(item, status, () => item.settled.reject(error))
  }

  /** From here on events are understood; those that came before (of a job that was attached to) are caught up on. */
  begin(submitted: Submitted): void {
    this.submitted = submitted
    const { spec, tools } = submitted
    if (this.tries.none) this.tries.add(spec)
    if (spec.stream) for (const item of this.items) item.yields ??= new YieldReader(this, item, spec.stream)
    if (tools) this.retries = new Retries(this, spec.retry ?? noRetry, tools)
    for (const event of this.#early.splice(0)) this.handle(event)
  }

  /** Nothing of it was submitted: its items go to other members than those of before. */
  dealtAnew(spec: JobSpec): void {
    this.submitted = { ...this.submitted!, spec }
    this.tries.startAnew(spec)
    this.records?.dealtAnew(spec)
  }

  /** The record of a call that is the same as this item's. */
  deliver(item: Item, kind: RecordKind, bytes: Uint8Array): void {
    this.#intake.take(item, kind, bytes)
  }

  /** How far the job is that an item stands for. */
  observe(item: Item, status: JobStatus): void {
    if (isFinal(status.state) || !mayFollow(status, item.status)) return
    item.status = status
    if (mayFollow(status, this.status)) this.status = status
    this.tell(status, [item])
  }

  handle(event: JobEvent): void {
    if (!this.submitted) {
      this.#early.push(event)
      return
    }
    if (event.type === 'item') this.#intake.read(event.record)
    if (event.type === 'state') {
      this.records?.status(event.status, event.member)
      this.#observe(this.#withPlace(event.status), event.member)
    }
    if (event.type === 'progress') this.#progress(event.item, event.progress)
    if (event.type === 'yield') this.items[event.report.item]?.yields?.take(event)
    if (event.type === 'end') {
      const end = this.#asCanceled(event)
      this.#tellReaders(end)
      this.records?.end(end, this.submitted.spec.members)
      this.#intake.end(end)
    }
  }

  /** The executor knows only of what this program has canceled. */
  #asCanceled(event: MemberEndEvent): MemberEndEvent {
    const { member, status } = event
    const wasCanceled = this.canceledBefore.has(member) || this.canceledBefore.has(-1)
    if (!wasCanceled || status.reason !== 'signal') return event
    return { ...event, status: { ...status, state: 'CANCELED', reason: 'by-user' } }
  }

  #tellReaders(event: MemberEndEvent): void {
    if (!this.submitted?.spec.stream) return
    const { from, to } = memberItems(this.submitted.spec, event.member)
    for (const item of this.items.slice(from, to)) item.yields?.end(event)
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
    for (const item of changed) item.status = withProgress(status, item.status)
    if (mayFollow(status, this.status)) this.status = withProgress(status, this.status)
    this.tell(status, changed)
  }

  #progress(index: number, progress: TaskProgress): void {
    const item = this.items[index]
    if (!item || isFinal(item.status.state)) return
    const { native } = item.status.state === 'ACTIVE' ? item.status : {}
    item.status = { state: 'ACTIVE', ...(native === undefined ? {} : { native }), progress }
    if (this.items.length === 1 || this.status.state !== 'ACTIVE') this.status = item.status
    this.tell(item.status, [item])
  }

  /** The scheduler has this attempt. */
  made(spec: JobSpec, nativeId: string): void {
    this.tries.made(spec, nativeId)
    this.nativeId = nativeId
  }

  /** What the member's last attempt asked for. */
  specOf(member: number): JobSpec {
    return this.tries.lastOf(member, this.nativeId)?.spec ?? this.submitted!.spec
  }

  /** The item's current try. */
  attemptOf(item: Item, status: JobStatus, end: MemberEnd | undefined): Attempt {
    const { spec, nativeId } = this.tries.lastOf(
      Math.floor(item.index / this.submitted!.spec.chunk),
      this.nativeId,
    )!
    return makeAttempt(item.earlier.length + 1, status, spec, nativeId, end)
  }

  /** They wait for their next attempt. */
  requeued(items: readonly Item[], status: JobStatus): void {
    for (const item of items) item.status = status
    if (mayFollow(status, this.status)) this.status = status
    this.tell(status, items)
  }

  /** It failed; whether that is the last word is for the retries to say. */
  fail(item: Item, status: JobStatus, error: unknown, end?: MemberEnd): void {
    if (this.retries?.hold(item, status, error, end)) return
    this.settle(item, status, () => item.settled.reject(error))
  }

  /** What a member's end tells of it. The result may have been here before, and with it the job's end. */
  measured(event: MemberEndEvent): void {
    const { member, status, end } = event
    this.#tellReaders(event)
    takeMeasures(this.measures, member, status, end)
    this.#measured.get(member)?.resolve()
    const over = this.submitted !== undefined && this.open === 0
    if (over && this.isMeasured) this.records?.over(this.status, this.measures)
  }

  /** How long items took is kept for the next map of the function. */
  worked(end: MemberEnd | undefined): void {
    const key = this.submitted && functionKey(this.submitted.spec.function)
    if (end?.work && key !== undefined && !this.isGuest()) this.records?.worked(key, end.work)
  }

  get isMeasured(): boolean {
    return this.measures.ended.size === this.submitted?.spec.members
  }

  /** Resolves once the member's end is here. */
  whenMeasured(member: number): Promise<void> {
    if (this.measures.ended.has(member)) return Promise.resolve()
    const waiting = this.#measured.get(member) ?? deferred<void>()
    this.#measured.set(member, waiting)
    return waiting.promise
  }

  memberEnded(member: number, end: MemberEnd | undefined): void {
    this.retries?.memberEnded(member, end)
  }

  settle(item: Item, status: JobStatus, settle: () => void): void {
    if (isFinal(item.status.state)) return
    // A job that was quicker than the queue's answer was active all the same.
    if (item.status.state !== 'ACTIVE' && status.state === 'COMPLETED') this.tell({ state: 'ACTIVE' }, [item])
    item.status = this.#withPlace(status)
    if (status.state !== 'COMPLETED') this.failed++
    if (!this.muted) settle()
    this.open--
    this.#count()
    const over = this.open === 0
    if (over && !isFinal(this.status.state))
      this.status = this.failed === 0 ? { state: 'COMPLETED' } : (this.items.find(isFailed)?.status ?? status)
    this.tell(status, [item])
    if (!over) return
    this.#recordEnd()
    this.over.resolve()
  }

  /** Where there is nothing else to say. */
  #withPlace(status: JobStatus): JobStatus {
    return this.kept === undefined || status.message !== undefined
      ? status
      : { ...status, message: this.kept }
  }

  #count(): void {
    if (!this.#isUnknown) this.records?.counted(this.items.length - this.open - this.failed, this.failed)
  }

  /** A connection that broke leaves open what became of the job: whoever looks for it will see. */
  get #isUnknown(): boolean {
    if (!this.abandoned) return false
    const { error, status } = this.abandoned
    return status.reason !== 'submit-failed' || error instanceof TransportError
  }

  #recordEnd(): void {
    if (this.#isUnknown) this.records?.letGo()
    else this.records?.over(this.status, this.measures)
  }

  /** What the user knows this item's job by. */
  itemId(item: Item): string {
    if (item.ranAs !== undefined) return item.ranAs
    if (this.items.length === 1 && !this.part) return this.id
    return `${this.part?.of ?? this.id}[${this.indexOf(item)}]`
  }

  /** Who listens hears of it. */
  tell(status: JobStatus, items: readonly Item[]): void {
    for (const listener of this.#listeners) listener(status, items)
    for (const item of this.views.update(items))
      for (const listener of this.#listeners) listener(item.status, [item])
  }
}

/** The scheduler's word changes, what the function said of itself stays. */
function withProgress(status: JobStatus, { progress }: JobStatus): JobStatus {
  return progress && status.state === 'ACTIVE' ? { ...status, progress } : status
}
