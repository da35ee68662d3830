import { clockTime } from '../core/clock.ts'
import { say } from './talk.ts'

/** What a command that watches ends with, beside what `farcall --help` says. */
export const watchExitCodes = { timedOut: 124, interrupted: 130, terminated: 143 } as const

/** Ends the watching on Ctrl-C, SIGTERM or after a time; a second signal ends the process at once, as ever. */
export class Stopper {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout | undefined
  /** Undefined: it ended by itself. */
  exitCode: number | undefined

  constructor(timeoutSeconds?: number) {
    process.once('SIGINT', this.#onInterrupt)
    process.once('SIGTERM', this.#onTerminate)
    if (timeoutSeconds !== undefined)
      // A timer of more fires at once; it is 24 days.
      this.#timer = setTimeout(
        () => this.#stop(watchExitCodes.timedOut),
        Math.min(timeoutSeconds * 1000, 2 ** 31 - 1),
      )
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  #stop(exitCode: number): void {
    this.exitCode ??= exitCode
    this.#controller.abort()
  }

  readonly #onInterrupt = () => this.#stop(watchExitCodes.interrupted)
  readonly #onTerminate = () => this.#stop(watchExitCodes.terminated)

  /** Nothing is left behind. */
  done(): void {
    clearTimeout(this.#timer)
    process.off('SIGINT', this.#onInterrupt)
    process.off('SIGTERM', this.#onTerminate)
  }
}

/** '30' and '30s', '5m': a number is seconds. */
export const duration = (text: string): string | number => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : text)

/** Words for people, on stderr: the time is that of this machine. */
export function sayNow(text: string): void {
  say(`${clockTime(Date.now())}  ${text}`)
}
