import type { Clock } from '../../core/clock.ts'
import { backoffMs } from './backoff.ts'

export interface WatchLoopOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly stop: AbortSignal
  /** Whether there is anything to watch. */
  busy(): boolean
  step(): Promise<void>
  /** A step failed. It changes nothing that is known; the next one comes after a wait. */
  trouble(error: unknown): void
}

/** Repeats a step while there is something to watch. */
export class WatchLoop {
  readonly #options: WatchLoopOptions
  #running = false

  constructor(options: WatchLoopOptions) {
    this.#options = options
  }

  /** Begins, if it does not run. */
  start(): void {
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    const { clock, random, stop, busy, step, trouble } = this.#options
    this.#running = true
    let failures = 0
    while (!stop.aborted && busy()) {
      try {
        await step()
        failures = 0
      } catch (error) {
        if (stop.aborted) break
        trouble(error)
        await clock.sleep(backoffMs(++failures, random), stop)
      }
    }
    this.#running = false
  }
}
