import type { Work } from '../src/core/protocol.ts'

// Taken before user code can replace it with a fake.
const now = performance.now.bind(performance)

/** Times items, also several at once; what the next map of the function is planned by. */
export class Stopwatch {
  readonly #begun = new Map<number, number>()
  #items = 0
  #seconds = 0
  #squares = 0

  begin(item: number): void {
    this.#begun.set(item, now())
  }

  /** An item that has not begun here counts for nothing. */
  end(item: number): void {
    const begun = this.#begun.get(item)
    if (begun === undefined) return
    this.#begun.delete(item)
    const seconds = (now() - begun) / 1000
    this.#items++
    this.#seconds += seconds
    this.#squares += seconds ** 2
  }

  read(): { work?: Work } {
    if (this.#items === 0) return {}
    return { work: { items: this.#items, seconds: rounded(this.#seconds), squares: rounded(this.#squares) } }
  }
}

/** To microseconds: it travels with each end. */
const rounded = (value: number) => Math.round(value * 1e6) / 1e6
