/** What is waited for in this program, where nobody but farcall ends a wait that is interrupted: in Deno's kernel. */
class Waits {
  /** Elsewhere a wait is over with its program, or the kernel ends the cell. */
  areOurs = false
  readonly #ends = new Set<(reason: unknown) => void>()

  /** The same, and rejects once it is interrupted; `onInterrupt` keeps what then nobody has waited for. */
  of<T>(promise: Promise<T>, onInterrupt = () => {}): Promise<T> {
    if (!this.areOurs) return promise
    return new Promise((resolve, reject) => {
      const end = (reason: unknown) => {
        onInterrupt()
        reject(reason)
      }
      this.#ends.add(end)
      const forget = () => this.#ends.delete(end)
      promise.then(resolve, reject)
      promise.then(forget, forget)
    })
  }

  /** The same, and throws once it is interrupted. */
  over<T>(values: AsyncIterable<T>): AsyncIterable<T> {
    return this.areOurs ? this.#iterate(values) : values
  }

  async *#iterate<T>(values: AsyncIterable<T>): AsyncGenerator<T, void, void> {
    const iterator = values[Symbol.asyncIterator]()
    for (;;) {
      const next = await this.of(iterator.next())
      if (next.done) return
      yield next.value
    }
  }

  /** What was waited for goes on; whoever waited is told this. */
  interrupt(reason: unknown): void {
    for (const end of this.#ends) end(reason)
    this.#ends.clear()
  }
}

/** @internal */
export const waits = new Waits()
