import type { QueuedJobs } from '../../core/queued-job.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { PlaceResources } from '../executor.ts'
import { adaptScheduler, type Place } from './site.ts'

/** What the scheduler tells of its site, without the work folder that jobs need. */
export class SiteTalk {
  readonly #place: Place
  /** The dialect that a place which is open has found. */
  readonly #opened: () => Promise<Scheduler> | undefined
  #spoken: Promise<Scheduler> | undefined

  constructor(place: Place, opened: () => Promise<Scheduler> | undefined) {
    this.#place = place
    this.#opened = opened
  }

  async resources(): Promise<PlaceResources> {
    const scheduler = await this.#asSpoken()
    const answer = await this.#place.transport.exec(scheduler.capacity())
    return { partitions: scheduler.parseCapacity(answer), notes: [] }
  }

  async queue(mine: boolean): Promise<QueuedJobs> {
    const { queue, parseQueue } = await this.#asSpoken()
    return parseQueue!(await this.#place.transport.exec(queue!(mine)))
  }

  #asSpoken(): Promise<Scheduler> {
    this.#spoken ??= (this.#opened() ?? this.#adapt()).catch((error) => {
      this.#spoken = undefined
      throw error
    })
    return this.#spoken
  }

  async #adapt(): Promise<Scheduler> {
    await this.#place.transport.open()
    return adaptScheduler(this.#place)
  }
}
