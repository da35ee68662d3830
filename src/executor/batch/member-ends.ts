import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { type MemberEnd, paths } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { JobEvent } from '../executor.ts'
import { tailScript } from './member-scripts.ts'
import type { WatchedPlace } from './queue.ts'
import { runOf } from './runs.ts'
import type { Question, TrackedJob } from './tracked-job.ts'
import { verdict } from './verdict.ts'

/** What became known of a member. */
export interface News {
  readonly end?: MemberEnd | undefined
  /** All of its records have come. */
  readonly complete?: boolean
  readonly accounting?: JobStatus | undefined
}

/** Ends members when the evidence suffices; else leaves a question, which the queue and accounting answer. */
export class MemberEnds {
  readonly #place: WatchedPlace
  readonly #graceMs: number
  readonly #clock: Clock
  readonly #events: AsyncQueue<JobEvent>
  readonly #onEnd: (job: TrackedJob, member: number) => void

  constructor(
    place: WatchedPlace,
    graceMs: number,
    clock: Clock,
    events: AsyncQueue<JobEvent>,
    onEnd: (job: TrackedJob, member: number) => void,
  ) {
    this.#place = place
    this.#graceMs = graceMs
    this.#clock = clock
    this.#events = events
    this.#onEnd = onEnd
  }

  /** Whether that was the end of it. */
  consider(job: TrackedJob, member: number, { end, complete, accounting }: News): boolean {
    const now = this.#clock.now()
    const question: Question = job.questions.get(member) ?? { since: now }
    if (end) question.end = end
    if (question.end) {
      job.runs.set(member, question.end.attempt)
      job.packSizes.set(member, question.end.bytes)
    }
    const status = verdict({
      end: question.end,
      doomed: job.doomed.get(member),
      accounting,
      canceledByUs: job.canceled.has(member),
      waitedMs: now - question.since,
      graceMs: this.#graceMs,
      hasAccounting: this.#place.scheduler.history !== undefined,
    })
    if (!status) {
      job.questions.set(member, question)
      return false
    }
    job.questions.delete(member)
    job.ended.add(member)
    this.#onEnd(job, member)
    void this.#tell(job, member, status, question.end, complete ?? false)
    return true
  }

  async #tell(
    job: TrackedJob,
    member: number,
    status: JobStatus,
    end: MemberEnd | undefined,
    complete: boolean,
  ): Promise<void> {
    const stderrTail = status.state === 'COMPLETED' ? undefined : await this.#tail(job, member)
    this.#events.push({
      type: 'end',
      id: job.spec.id,
      member,
      status,
      complete,
      ...(end ? { end } : {}),
      ...(stderrTail ? { stderrTail } : {}),
    })
  }

  async #tail(job: TrackedJob, member: number): Promise<string> {
    const folder = `${this.#place.workdir}/${paths.job(job.spec.id)}`
    try {
      const run = await runOf(this.#place.transport, folder, job, member)
      const argv = ['sh', '-c', tailScript, 'farcall', folder, `${run}.${member}`]
      const result = await this.#place.transport.exec({ argv })
      return Buffer.from(result.stdout).toString('utf8')
    } catch (error) {
      return `(stderr could not be read: ${error instanceof Error ? error.message : String(error)})`
    }
  }
}
