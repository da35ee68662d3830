import type { JobId } from '../core/ids.ts'
import type { Executor, JobEvent } from '../executor/executor.ts'

/** Reads all events of an executor, once, and lets tests wait for what concerns their job. @internal */
export class EventLog {
  readonly events: JobEvent[] = []
  readonly #stop = new AbortController()
  #wake: (() => void)[] = []

  constructor(executor: Executor) {
    void (async () => {
      for await (const event of executor.events(this.#stop.signal)) {
        this.events.push(event)
        for (const wake of this.#wake.splice(0)) wake()
      }
    })()
  }

  of(id: JobId): JobEvent[] {
    return this.events.filter((event) => event.type !== 'trouble' && event.id === id)
  }

  ends(id: JobId) {
    return this.of(id).filter((event) => event.type === 'end')
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  stop(): void {
    this.#stop.abort()
  }
}
