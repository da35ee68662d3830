import type { Answer, Parcel } from './post.ts'

/** A notification on its way to one endpoint. */
export interface Letter {
  readonly parcel: Parcel
  /** Of what, for a warning. */
  readonly of: string
  /** It arrived. */
  told(): void
  /** It will not. */
  dropped(): void
}

export interface LaneTools {
  send(parcel: Parcel, signal: AbortSignal): Promise<Answer>
  /** Keeps no program alive; resolves at once when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  random(): number
  warn(message: string): void
}

/** More wait for no endpoint: the oldest go. */
export const mostWaiting = 1_000
const tries = 6
const firstWaitMs = 1_000
/** A server that wants to be left alone for longer is not waited for. */
const longestWaitMs = 120_000

/** Before try `next`, the second is 2; half of it is chance, so that many programs do not come back at once. */
export function backoffMs(next: number, random: () => number): number {
  return firstWaitMs * 2 ** (next - 2) * (0.5 + random() / 2)
}

/** One endpoint: letters go to it one after the other, in their order. */
export class Lane {
  readonly #name: string
  readonly #tools: LaneTools
  readonly #waiting: Letter[] = []
  #stop = new AbortController()
  #running: Promise<void> | undefined
  /** The last one could not be delivered: the next ones are tried once each. */
  #down = false
  #warned = false

  constructor(name: string, tools: LaneTools) {
    this.#name = name
    this.#tools = tools
  }

  add(letter: Letter): void {
    if (this.#waiting.length >= mostWaiting) this.#drop(this.#waiting.shift()!, 'too many are waiting')
    this.#waiting.push(letter)
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is on its way. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  /** What has not arrived is dropped; what comes later is not. */
  async end(): Promise<void> {
    this.#stop.abort()
    await this.idle
    this.#stop = new AbortController()
  }

  async #run(): Promise<void> {
    for (let letter = this.#waiting.shift(); letter; letter = this.#waiting.shift()) {
      const { signal } = this.#stop
      const why = signal.aborted ? 'the program has ended' : await this.#deliver(letter, signal)
      if (why === undefined) letter.told()
      else this.#drop(letter, why)
      this.#down = why !== undefined
      // Between two letters a program that has nothing else to do may end, and then waits for a while, and no longer.
      await this.#tools.sleep(0, signal)
    }
    this.#running = undefined
  }

  /** Why it was not delivered; undefined when it was. */
  async #deliver({ parcel }: Letter, signal: AbortSignal): Promise<string | undefined> {
    for (let next = 2; ; next++) {
      const answer = await this.#tools.send(parcel, signal)
      if (answer.kind === 'taken') return undefined
      if (signal.aborted) return 'the program has ended'
      const last = this.#down || next > tries
      if (answer.kind === 'refused' || last) return answer.why
      const wait = backoffMs(next, this.#tools.random)
      const { afterMs = 0 } = answer
      if (afterMs > longestWaitMs)
        return `${answer.why}, and wants to be asked in ${Math.round(afterMs / 1000)} s`
      await this.#tools.sleep(Math.max(wait, afterMs), signal)
    }
  }

  #drop(letter: Letter, why: string): void {
    letter.dropped()
    if (this.#warned) return
    this.#warned = true
    this.#tools.warn(`${this.#name} was not told of ${letter.of}: ${why}; the jobs are not concerned`)
  }
}
