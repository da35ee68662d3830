/** A signal that can be given again and again: each `ring` ends the waits of those who took `signal` before. */
export class Alarm {
  #controller = new AbortController()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  ring(): void {
    const rung = this.#controller
    this.#controller = new AbortController()
    rung.abort()
  }
}
