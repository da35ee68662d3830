import type { JobSpec } from '../../core/protocol.ts'
import { type JobStatus, mayFollow } from '../../core/status.ts'
import type { JobEvent } from '../../executor/executor.ts'

/** Where a job stands, by what its place tells of it; nothing of its results is taken. */
export class JobView {
  readonly #members: number
  readonly #ended = new Map<number, JobStatus>()
  #status: JobStatus

  constructor({ members }: Pick<JobSpec, 'members'>, status: JobStatus) {
    this.#members = members
    this.#status = status
  }

  handle(event: JobEvent): void {
    if (event.type === 'end') this.#ended.set(event.member, event.status)
    if (event.type === 'state' && mayFollow(event.status, this.#status)) this.#status = event.status
  }

  get status(): JobStatus {
    const ends = [...this.#ended.values()]
    if (ends.length > 0 && ends.length >= this.#members)
      return ends.find(({ state }) => state !== 'COMPLETED') ?? ends[0]!
    // Some have ended, and the others wait: it is under way.
    if (ends.length > 0 && this.#status.state !== 'ACTIVE') return { state: 'ACTIVE' }
    return this.#status
  }
}
