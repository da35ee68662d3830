import type { JobId } from '../../core/ids.ts'
import { type MemberEnd, submissionOf } from '../../core/protocol.ts'
import type { TrackedJob } from './tracked-job.ts'

/** The jobs that are followed, and which of them are not over. What is asked at every look is kept, not counted. */
export class WatchedJobs {
  /** The submissions of each job: the first one, then its retries. */
  readonly #all = new Map<JobId, readonly TrackedJob[]>()
  readonly #active = new Set<TrackedJob>()
  /** Who we are: the inbox of jobs that are not adopted. */
  client: string | undefined

  of(id: JobId): readonly TrackedJob[] {
    return this.#all.get(id) ?? []
  }

  /** The submission that an end, a report or a need is of. */
  ofEnd(end: Pick<MemberEnd, 'id' | 'attempt' | 'member'>): TrackedJob | undefined {
    const attempt = submissionOf(end.attempt)
    return this.of(end.id).find((job) => job.spec.attempt === attempt && job.has(end.member))
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
    const { id, attempt } = job.spec
    const before = this.of(id).find(({ spec }) => spec.attempt === attempt)
    if (before) this.#active.delete(before)
    const others = this.of(id).filter((one) => one !== before)
    this.#all.set(
      id,
      [...others, job].sort((a, b) => a.spec.attempt - b.spec.attempt),
    )
    if (!job.over) this.#active.add(job)
    if (!job.adopted) this.client = job.spec.client
  }

  /** To be told of each member that ended. */
  ended(job: TrackedJob): void {
    if (job.over) this.#active.delete(job)
  }

  forget(id: JobId): void {
    for (const job of this.of(id)) this.#active.delete(job)
    this.#all.delete(id)
  }
}
