interface Asked<A, B> {
  readonly what: A
  resolve(answer: B): void
  reject(error: unknown): void
}

/** What is asked within one turn of the event loop is one piece of work. It gives an answer for each, in order. */
export class Together<A, B> {
  readonly #work: (asked: readonly A[]) => Promise<readonly B[]>
  #waiting: Asked<A, B>[] = []

  constructor(work: (asked: readonly A[]) => Promise<readonly B[]>) {
    this.#work = work
  }

  ask(what: A): Promise<B> {
    return new Promise<B>((resolve, reject) => {
      this.#waiting.push({ what, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => void this.#run())
    })
  }

  async #run(): Promise<void> {
    const asked = this.#waiting
    this.#waiting = []
    try {
      const answers = await this.#work(asked.map(({ what }) => what))
      for (const [n, { resolve }] of asked.entries()) resolve(answers[n]!)
    } catch (error) {
      for (const { reject } of asked) reject(error)
    }
  }
}
