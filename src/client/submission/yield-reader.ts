import { systemClock } from '../../core/clock.ts'
import { type Deferred, deferred } from '../../core/deferred.ts'
import { FarcallError, ResultError } from '../../core/errors.ts'
import { recordHeader } from '../../core/pack.ts'
import { submissionOf } from '../../core/protocol.ts'
import { isFinal } from '../../core/status.ts'
import { noYields, type StreamWindow, type YieldPosition, type YieldReport } from '../../core/yields.ts'
import type { JobEvent } from '../../executor/executor.ts'
import type { MemberEndEvent } from './intake.ts'
import type { Item } from './item.ts'
import type { Submission } from './submission.ts'

export type YieldEvent = Extract<JobEvent, { type: 'yield' }>

/** At most so much is asked for at once, and so much that came along is held before it is asked for. */
const [pullLimit, heldLimit] = [8_000_000, 1_000_000]
const firstPull = 100_000
/** Between two tries of what may pass, milliseconds: doubled each time. */
const [shortestMs, longestMs] = [500, 30_000]
/** Who asks for the result alone reads nothing, and has nothing to wait for. */
const everything = { count: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }

/** Reads what one item yields, in order, each value once, whatever becomes of connections and attempts. */
export class YieldReader {
  readonly #submission: Submission
  readonly #item: Item
  readonly #window: StreamWindow
  /** The run that news came of last. */
  #attempt: number | undefined
  /** What is known to be there; what of it is held here, up to `#at`; what was given out. */
  #known = noYields
  #held: Uint8Array[] = []
  #heldBytes = 0
  #at = noYields
  #read = noYields
  #told = noYields
  /** There may be values that nobody has told of. */
  #isUnsure: boolean
  #differs: number | undefined
  #pulling = false
  #telling = false
  #endedAttempt: number | undefined
  #stopped = false
  #news: Deferred<void> | undefined

  constructor(submission: Submission, item: Item, window: StreamWindow) {
    this.#submission = submission
    this.#item = item
    this.#window = window
    this.#isUnsure = submission.views.any
    item.settled.promise.then(this.#wake, this.#wake)
  }

  get #member(): number {
    return Math.floor(this.#item.index / this.#submission.submitted!.spec.chunk)
  }

  take({ attempt, report, from, records }: YieldEvent): void {
    if (attempt < (this.#attempt ?? 0)) return
    const isAgain = this.#attempt !== undefined && attempt > this.#attempt
    this.#attempt = attempt
    this.#learn(report)
    // The run before was told; this one has heard of nobody who reads it.
    if (isAgain && this.#told.count > 0) void this.#tell()
    const goesOn = from.count <= this.#at.count && this.#at.count < report.count
    if (goesOn && records.length > 0 && !this.#pulling && this.#heldBytes < heldLimit)
      this.#hold(records.slice(this.#at.count - from.count))
    this.#wake()
  }

  /** The member has ended. Where it could not say what was yielded, it is looked for. */
  end({ end }: MemberEndEvent): void {
    const attempt = end ? submissionOf(end.attempt) : this.#submission.specOf(this.#member).attempt
    // It is told of twice, where the result was not here before.
    if (attempt === this.#endedAttempt) return
    this.#endedAttempt = attempt
    const report = end?.yields?.find(({ item }) => item === this.#item.index)
    if (end) this.#attempt = Math.max(this.#attempt ?? 0, end.attempt)
    if (report) this.#learn(report)
    else this.#isUnsure = true
    this.#wake()
  }

  /** The next value; undefined: there are no more. @throws ResultError RESULT_CORRUPT, RESULT_MISSING, TransportError */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#stopped) return undefined
      this.#requireSame()
      const value = this.#held.shift()
      if (value) {
        this.#heldBytes -= value.length
        this.#read = after(this.#read, value)
        this.#acknowledge()
        return value
      }
      if (this.#isCutOff) return undefined
      this.#news ??= deferred<void>()
      const news = this.#news
      if (this.#at.bytes < this.#known.bytes || this.#isUnsure) await this.#pull()
      else if (this.#isOver) return undefined
      else await news.promise
    }
  }

  /** How many values were given out. */
  get count(): number {
    return this.#read.count
  }

  /** Nobody reads any more. */
  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  /** Nobody here reads, and the generator is not to wait for it. */
  async letRun(): Promise<void> {
    this.#told = everything
    await this.#tell()
  }

  readonly #wake = (): void => {
    this.#news?.resolve()
    this.#news = undefined
  }

  /** What is still there is of no interest, or cannot be had. */
  get #isCutOff(): boolean {
    const { canceling, status } = this.#item
    return isFinal(status.state) && (canceling !== undefined || this.#submission.abandoned !== undefined)
  }

  get #isOver(): boolean {
    if (!isFinal(this.#item.status.state)) return false
    return (this.#endedAttempt ?? 0) >= this.#submission.specOf(this.#member).attempt
  }

  #learn({ count, bytes, differs }: YieldReport): void {
    this.#known = { count, bytes }
    if (differs === undefined || differs === this.#differs) return
    this.#differs = differs
    // Held, and not given out: what the attempt before had to say.
    this.#held = []
    this.#heldBytes = 0
    this.#at = this.#read
  }

  #requireSame(): void {
    if (this.#differs === undefined || this.#read.count <= this.#differs) return
    const id = this.#submission.itemId(this.#item)
    throw new ResultError(
      'STREAM_CHANGED',
      `job ${id} began anew after ${this.#read.count} values were read, and value ${this.#differs} is another one now`,
      {
        hint: 'each attempt is to yield the same: take random numbers from currentTask().random(), or go on from lastCheckpoint(); requeue: false keeps it from beginning anew',
      },
    )
  }

  async #pull(): Promise<void> {
    const { executor } = this.#submission.submitted!
    const { bytes } = this.#at
    const wanted = this.#known.bytes > bytes ? this.#known.bytes - bytes : firstPull
    const isUnsure = this.#isUnsure
    const before = { at: this.#at, attempt: this.#attempt }
    this.#pulling = true
    try {
      const values = await this.#patiently(() =>
        executor.yields!(this.#stream, bytes, Math.min(wanted, pullLimit), this.#known.bytes),
      )
      if (this.#at !== before.at || this.#attempt !== before.attempt || this.#stopped) return
      if (values.length > 0) this.#hold(values)
      else if (this.#known.bytes > bytes) throw this.#missing(undefined)
      else if (isUnsure) this.#isUnsure = false
    } catch (error) {
      // How the job ended says more than that its values cannot be had any more.
      if (!isFinal(this.#item.status.state) || this.#item.status.state === 'COMPLETED') throw error
      this.stop()
    } finally {
      this.#pulling = false
    }
  }

  #missing(cause: unknown): ResultError {
    const id = this.#submission.itemId(this.#item)
    return new ResultError('RESULT_MISSING', `job ${id}: value ${this.#at.count} could not be read`, {
      ...(cause === undefined ? {} : { cause }),
      hint: 'its files are kept; attach(id, { stream: true }) reads them again',
    })
  }

  get #stream() {
    const { id } = this.#submission
    const attempt = this.#attempt === undefined ? {} : { attempt: this.#attempt }
    return { id, member: this.#member, item: this.#item.index, ...attempt }
  }

  #hold(values: readonly Uint8Array[]): void {
    for (const value of values) {
      this.#at = after(this.#at, value)
      this.#heldBytes += value.length
      this.#held.push(value)
    }
  }

  /** Half a window before it would wait. */
  #acknowledge(): void {
    const { items, bytes } = this.#window
    const isTime =
      this.#read.count - this.#told.count >= items / 2 || this.#read.bytes - this.#told.bytes >= bytes / 2
    if (!isTime) return
    this.#told = this.#read
    void this.#tell()
  }

  async #tell(): Promise<void> {
    if (this.#telling) return
    this.#telling = true
    const { executor } = this.#submission.submitted!
    for (let told = noYields; told.count < this.#told.count; ) {
      const next = this.#told
      const isOver = await this.#patiently(() => executor.acknowledge!(this.#stream, next)).then(
        () => false,
        () => true,
      )
      // A place that cannot be reached any more is told of where values are read.
      if (isOver) break
      told = next
    }
    this.#telling = false
  }

  /** What passes is waited out. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let wait = shortestMs; ; wait = Math.min(longestMs, 2 * wait)) {
      try {
        return await work()
      } catch (error) {
        const passes = error instanceof FarcallError && error.transient
        if (!passes || this.#stopped || this.#isCutOff) throw error
        await systemClock.sleep(wait)
        if (isFinal(this.#item.status.state) && this.#item.status.state !== 'COMPLETED') throw error
      }
    }
  }
}

function after({ count, bytes }: YieldPosition, value: Uint8Array): YieldPosition {
  return { count: count + 1, bytes: bytes + recordHeader + value.length }
}
