/** A queue that one reader iterates while others push: how events reach whoever awaits them. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  #items: T[] = []
  #wake: (() => void) | undefined
  #closed = false

  push(item: T): void {
    if (this.#closed) return
    this.#items.push(item)
    this.#wake?.()
  }

  /** What was pushed before is still read. */
  close(): void {
    this.#closed = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      const items = this.#items
      this.#items = []
      yield* items
      if (this.#items.length > 0) continue
      if (this.#closed) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }
}
