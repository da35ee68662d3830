import type { Clock } from '../../core/clock.ts'
import { FarcallError } from '../../core/errors.ts'

/** What was answered, and when it was asked for. */
export interface Answer<T> {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly value: T
}

/** A question to a scheduler, asked no more often than its site allows, however many want to know. */
export class Paced<T> {
  readonly #ask: () => Promise<T>
  readonly #intervalMs: number
  readonly #clock: Pick<Clock, 'now'>
  #last: { readonly time: number; readonly value: Promise<T> } | undefined

  constructor(ask: () => Promise<T>, intervalMs: number, clock: Pick<Clock, 'now'>) {
    this.#ask = ask
    this.#intervalMs = intervalMs
    this.#clock = clock
  }

  /** The last answer while it is young enough, also when it was that there is none just now; else it is asked. */
  async get(): Promise<Answer<T>> {
    const now = this.#clock.now()
    if (!this.#last || now - this.#last.time >= this.#intervalMs) {
      const asked = { time: now, value: this.#ask() }
      this.#last = asked
      asked.value.catch((error: unknown) => {
        // What does not pass by itself may be mended meanwhile.
        const passes = error instanceof FarcallError && error.transient
        if (!passes && this.#last === asked) this.#last = undefined
      })
    }
    const { time, value } = this.#last
    return { time, value: await value }
  }
}
