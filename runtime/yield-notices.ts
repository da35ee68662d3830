import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { type JobSpec, noticeLimit, paths, type YieldNews, yieldMagic } from '../src/core/protocol.ts'
import { noYields, type YieldPosition, type YieldReport } from '../src/core/yields.ts'
import type { Place } from './arguments.ts'
import { writeWhole } from './output.ts'

// Taken before user code can replace them with fakes.
const { setTimeout, clearTimeout } = globalThis
const { now } = performance

/** All members together write at most this many in a second, and each no more than that: at first, and after a minute. */
const mostPerSecond = 50
const [firstMs, laterMs, youngMs] = [100, 1_000, 60_000]

/** Tells the client how far an item is with what it yields, small values with it. One that it has not seen is replaced. */
export class YieldNotices {
  readonly #place: Place
  readonly #client: string
  readonly #leastMs: number
  readonly #begun = now.call(performance)
  #next = 0
  #sequence = 0
  #written: string | undefined
  #timer: NodeJS.Timeout | undefined
  /** What was told last, and what there is to tell. */
  #told: YieldPosition = noYields
  #toldDiffers: number | undefined
  #report: YieldReport | undefined
  /** Records since `from`, while they are few; those that were told may be unseen. */
  #from: YieldPosition = noYields
  #small: { readonly end: YieldPosition; readonly bytes: Buffer }[] = []
  #size = 0

  constructor(place: Place, spec: JobSpec) {
    this.#place = place
    this.#client = spec.client
    const members = Math.min(spec.only?.length ?? spec.members, spec.concurrency ?? Number.POSITIVE_INFINITY)
    this.#leastMs = (members / mostPerSecond) * 1_000
  }

  /** No client has taken the last one away. */
  get isUnseen(): boolean {
    return this.#written !== undefined && existsSync(this.#written)
  }

  /** Without parts the client may have it already, of an earlier attempt. `flush`: what is told of is then on the disk. */
  add(report: YieldReport, parts: readonly Uint8Array[] | undefined, flush: () => void): void {
    const { count, bytes } = report
    this.#report = report
    const length = parts?.reduce((sum, part) => sum + part.length, 0) ?? Number.POSITIVE_INFINITY
    if (this.#size + length > noticeLimit) this.#carryFrom({ count, bytes })
    else {
      // A copy: the function may change the memory that the parts show.
      this.#small.push({ end: { count, bytes }, bytes: Buffer.concat(parts!) })
      this.#size += length
    }
    const wait = this.#next - now.call(performance)
    if (wait <= 0) this.tell(report, flush)
    else this.#timer ??= setTimeout(() => this.tell(this.#report!, flush), wait).unref()
  }

  /** Unless that was told already. */
  tell(report: YieldReport, flush: () => void): void {
    const isKnown = report.count === this.#told.count && report.differs === this.#toldDiffers
    if (isKnown && this.#written !== undefined) this.#rest()
    else this.ask(report, flush)
  }

  /** Tells it all the same: whether anybody takes it away shows who is there. */
  ask(report: YieldReport, flush: () => void): void {
    this.#rest()
    const { count, bytes, differs } = report
    const time = now.call(performance)
    this.#next = time + Math.max(this.#leastMs, time - this.#begun < youngMs ? firstMs : laterMs)
    const { id, attempt, member, workdir } = this.#place
    if (!this.isUnseen) this.#carryFrom(this.#told)
    const news: YieldNews = { id, attempt, member, sequence: ++this.#sequence, ...report, from: this.#from }
    const line = Buffer.from(`${JSON.stringify(news)}\n`)
    const header = Buffer.from(`${yieldMagic} ${line.length} ${this.#size}\n`)
    const inbox = `${workdir}/${paths.inbox(this.#client)}`
    const name = paths.yields(news)
    flush()
    try {
      mkdirSync(inbox, { recursive: true, mode: 0o700 })
      const records = this.#small.map((one) => one.bytes)
      writeWhole(`${inbox}/.${name}`, `${inbox}/${name}`, [header, line, ...records])
      if (this.#written !== undefined) rmSync(this.#written, { force: true })
      this.#written = `${inbox}/${name}`
      this.#told = { count, bytes }
      this.#toldDiffers = differs
    } catch {
      // A disk that is full ends no job for the sake of a notice: the next one tells more, or the end does.
      rmSync(`${inbox}/.${name}`, { force: true })
    }
  }

  /** Other items of the member may go on for long. */
  close(report: YieldReport, flush: () => void): void {
    if (report.count > this.#told.count) this.tell(report, flush)
    this.#rest()
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** What ends before that does not travel any more. */
  #carryFrom(position: YieldPosition): void {
    if (position.count < this.#from.count) return
    this.#small = this.#small.filter(({ end }) => end.count > position.count)
    this.#size = this.#small.reduce((sum, { bytes }) => sum + bytes.length, 0)
    this.#from = position
  }
}
