import type { JobSpec } from '../src/core/protocol.ts'
import type { YieldReport } from '../src/core/yields.ts'
import type { Place } from './arguments.ts'
import { Yields } from './yields.ts'

/** What the items of a member yield, where its function is a generator. */
export class Streams {
  readonly #place: Place
  readonly #spec: JobSpec
  readonly #reports = new Map<number, YieldReport>()
  #open: Yields | undefined

  constructor(place: Place, spec: JobSpec) {
    this.#place = place
    this.#spec = spec
  }

  /** For an item that begins; undefined where it yields nothing. @throws OutputError */
  async begin(item: number): Promise<Yields | undefined> {
    if (!this.#spec.stream) return undefined
    this.#open = new Yields(this.#place, this.#spec, item)
    await this.#open.copyEarlier()
    return this.#open
  }

  /** An item that an earlier attempt has done. @throws OutputError */
  async keep(item: number): Promise<void> {
    const yields = await this.begin(item)
    yields?.keepEarlier()
    this.#close()
  }

  /** The item has ended. @throws OutputError */
  end(): YieldReport | undefined {
    this.#open?.end()
    return this.#close()
  }

  /** Told by the process that ran the item. */
  add(report: YieldReport): void {
    this.#reports.set(report.item, report)
  }

  /** The member ends, perhaps in the middle of an item. */
  close(): { yields?: readonly YieldReport[] } {
    this.#close()
    return this.#spec.stream ? { yields: [...this.#reports.values()] } : {}
  }

  #close(): YieldReport | undefined {
    const open = this.#open
    this.#open = undefined
    if (!open) return undefined
    this.#reports.set(open.report.item, open.report)
    open.close()
    return open.report
  }
}
