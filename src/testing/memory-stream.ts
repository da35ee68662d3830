import { encode } from '../codec/codec.ts'
import { recordHeader } from '../core/pack.ts'
import { noYields, type StreamWindow, type YieldPosition, type YieldReport } from '../core/yields.ts'

type Tell = (report: YieldReport, from: YieldPosition, records: readonly Uint8Array[]) => void

/** What an item of a stream has yielded, in the memory of this process. */
export class MemoryStream {
  readonly #item: number
  readonly #window: StreamWindow
  readonly #tell: Tell
  readonly #earlier: readonly Uint8Array[]
  readonly #values: Uint8Array[] = []
  #at = noYields
  #differs: number | undefined
  #read = noYields
  #wake: () => void = () => {}

  /** `before`: what an earlier attempt has yielded. */
  constructor(item: number, window: StreamWindow, before: MemoryStream | undefined, tell: Tell) {
    this.#item = item
    this.#window = window
    this.#tell = tell
    this.#earlier = before ? before.#values : []
  }

  get report(): YieldReport {
    return {
      item: this.#item,
      ...this.#at,
      ...(this.#differs === undefined ? {} : { differs: this.#differs }),
    }
  }

  /** Gives what the generator returns. */
  async run(generator: AsyncGenerator | Generator): Promise<unknown> {
    for (;;) {
      const { done, value } = await generator.next()
      if (done) return value
      await this.#take(encode(await value, { root: `yielded[${this.#at.count}]` }))
    }
  }

  /** Values of an earlier attempt that did not come again differ, too. */
  end(): void {
    if (this.#at.count < this.#earlier.length) this.#differs ??= this.#at.count
  }

  read(from: number, limit: number): readonly Uint8Array[] {
    let start = 0
    return this.#values.filter((value) => {
      const at = start
      start += recordHeader + value.length
      return at >= from && (start - from <= limit || at === from)
    })
  }

  acknowledge(read: YieldPosition): void {
    if (read.count > this.#read.count) this.#read = read
    this.#wake()
  }

  async #take(value: Uint8Array): Promise<void> {
    const from = this.#at
    const before = this.#earlier[from.count]
    if (before && Buffer.compare(before, value) !== 0) this.#differs ??= from.count
    this.#values.push(value)
    this.#at = { count: from.count + 1, bytes: from.bytes + recordHeader + value.length }
    this.#tell(this.report, from, [value])
    while (this.#isFull) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  get #isFull(): boolean {
    const { items, bytes } = this.#window
    return this.#at.count - this.#read.count > items || this.#at.bytes - this.#read.bytes > bytes
  }
}
