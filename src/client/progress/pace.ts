/** How fast items end. */
export class Pace {
  readonly #marks: { readonly time: number; readonly ended: number }[] = []
  readonly #begin: number

  constructor(now: number) {
    this.#begin = now
  }

  /** So many have ended by now. */
  note(ended: number, now: number): void {
    const last = this.#marks.at(-1)
    if (last && now - last.time < 1_000) return
    this.#marks.push({ time: now, ended })
    if (this.#marks.length > 120) this.#marks.shift()
  }

  /** Items a second, of late: over half a minute, or as long as twenty items took. Undefined before any has ended. */
  rate(ended: number, now: number): number | undefined {
    if (ended === 0) return undefined
    const from = this.#marks.findLast((mark) => now - mark.time >= 30_000 && ended - mark.ended >= 20)
    const { time, ended: before } = from ?? { time: this.#begin, ended: 0 }
    return ((ended - before) * 1000) / Math.max(1, now - time)
  }
}
