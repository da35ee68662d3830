import type { JobId } from '../../core/ids.ts'
import type { TrackedJob } from './tracked-job.ts'

/** The jobs that are followed, and which of them are not over. What is asked at every look is kept, not counted. */
export class WatchedJobs {
  readonly #all = new Map<JobId, TrackedJob>()
  readonly #active = new Set<TrackedJob>()
  /** Who we are: the inbox of jobs that are not adopted. */
  client: string | undefined

  get(id: JobId): TrackedJob | undefined {
    return this.#all.get(id)
  }

  get active(): ReadonlySet<TrackedJob> {
    return this.#active
  }

  /** When the youngest that is not over came, milliseconds by our clock. */
  youngest(): number {
    let born = 0
    for (const job of this.#active) born = Math.max(born, job.born)
    return born
  }

  add(job: TrackedJob): void {
    const before = this.#all.get(job.spec.id)
    if (before) this.#active.delete(before)
    this.#all.set(job.spec.id, job)
    if (!job.over) this.#active.add(job)
    if (!job.adopted) this.client = job.spec.client
  }

  /** To be told of each member that ended. */
  ended(job: TrackedJob): void {
    if (job.over) this.#active.delete(job)
  }

  forget(id: JobId): void {
    const job = this.#all.get(id)
    if (job) this.#active.delete(job)
    this.#all.delete(id)
  }
}
