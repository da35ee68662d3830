import { TransportError } from '../../core/errors.ts'
import { deepFreeze } from '../../core/freeze.ts'
import type { JobNotification } from '../../core/notification.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import type { Measures } from '../outcome/measures.ts'
import type { Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import type { Submission } from '../submission/submission.ts'
import { willTell } from './outbox.ts'
import { type Telling, tell } from './telling.ts'
import { usedBy, whenAllMeasured } from './used.ts'

type Counts = NonNullable<JobNotification['items']>
type Facts = Pick<JobNotification, 'id' | 'name' | 'function' | 'profile'> & { nativeId?: string }

export interface TellerOptions {
  readonly counts: () => Counts
  /** Another process has submitted it, and told that. */
  readonly attached?: boolean
}

/** One line of a message is enough to be told by. */
const mostMessage = 500

/** Tells of one job, which may be a map of several submissions, what becomes of it: each event once, in order. */
export class Teller {
  readonly #counts: () => Counts
  readonly #attached: boolean
  #telling: Telling | undefined
  #facts: Facts | undefined
  #isArray = false
  #attempt = 1
  /** The scheduler has it, as far as this process knows. */
  #submitted = false
  #active: JobStatus | undefined
  #toldStart = false
  #times: { submittedAt?: number; startedAt?: number; endedAt?: number } = {}
  /** The first item that failed, and the first that was canceled. */
  #failed: { status: JobStatus; message?: string } | undefined
  #canceled: JobStatus | undefined
  /** What became of it is not known here: whoever follows it later tells. */
  #isLost = false
  /** Of the only submission; a map of several keeps none of them. */
  #only: { submission: Submission; measures: Measures } | undefined
  #parts = 0

  constructor({ counts, attached = false }: TellerOptions) {
    this.#counts = counts
    this.#attached = attached
  }

  /** A submission of the job. */
  follow({ submission, session }: Handle): void {
    this.#only = this.#parts++ === 0 ? { submission, measures: submission.measures } : undefined
    submission.listen((status, items) => this.#hear(submission, status, items))
    session.then(
      () => {
        if (submission.nativeId !== undefined) this.#begin(submission)
      },
      // Its items tell.
      () => undefined,
    )
  }

  /** It ends when `over` does; what `complete` rejects with is why not all of it was submitted. */
  endsWith(over: Promise<void>, complete: Promise<unknown> = Promise.resolve()): void {
    const ending = async () => {
      await over
      const incomplete = await complete.then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      if (incomplete && this.#submitted)
        this.#failed ??= { status: { state: 'FAILED' }, ...messageOf(incomplete.error) }
      this.#ended()
    }
    void ending()
  }

  #begin(submission: Submission): void {
    this.#know(submission)
    if (this.#submitted || !this.#telling) return
    this.#submitted = true
    if (!this.#attached) this.#times.submittedAt = Date.now()
    else {
      const { submittedAt } = this.#telling.recorder?.store.get(submission.id) ?? {}
      if (submittedAt !== undefined) this.#times.submittedAt = submittedAt
    }
    if (!this.#attached) this.#tell('submit', { state: 'QUEUED' })
    if (this.#active) this.#start(this.#active)
  }

  /** What is to be said of the job, whatever happens to it. */
  #know(submission: Submission): void {
    const { telling } = submission
    if (this.#facts || !telling) return
    // A front's job is another one.
    const real = submission.items.find((item) => item.behind)?.behind?.handle.submission ?? submission
    const spec = real.submitted?.spec ?? submission.submitted?.spec
    if (!spec) return
    this.#telling = telling
    this.#isArray = !submission.pieces && (spec.map || spec.items > 1)
    this.#attempt = attemptOf(submission, this.#isArray)
    this.#facts = {
      id: real.part?.of ?? real.id,
      ...(real.nativeId === undefined ? {} : { nativeId: real.nativeId }),
      name: spec.name,
      function: spec.function.name,
      profile: telling.profile,
    }
  }

  #hear(submission: Submission, status: JobStatus, items: readonly Item[]): void {
    if (submission.abandoned) this.#abandoned(submission)
    if (status.state === 'ACTIVE') this.#heardActive(status)
    if (status.state === 'QUEUED' && status.reason === 'requeued') this.#requeued(submission, status)
    if (!isFinal(status.state)) return
    // Of one that was attached to, now may be days later.
    const time = status.time ?? (this.#attached ? 0 : Date.now())
    this.#times.endedAt = Math.max(this.#times.endedAt ?? 0, time)
    if (status.state === 'COMPLETED' || (this.#failed && this.#canceled)) return
    for (const item of items) {
      if (item.status.state === 'FAILED') this.#failed ??= { status: item.status, ...errorOf(item) }
      if (item.status.state === 'CANCELED') this.#canceled ??= item.status
    }
  }

  #heardActive(status: JobStatus): void {
    if (this.#active) return
    // What stands before the end of an item whose run nobody saw; it may have ended long ago.
    const isSeen = status.native !== undefined || status.time !== undefined || status.progress !== undefined
    if (!isSeen && (this.#attached || !this.#submitted)) return
    this.#active = status
    if (this.#submitted) this.#start(status)
  }

  #start(status: JobStatus): void {
    if (this.#toldStart) return
    this.#toldStart = true
    // The two times come from two clocks.
    this.#times.startedAt = Math.max(status.time ?? Date.now(), this.#times.submittedAt ?? 0)
    this.#tell('start', { ...status, state: 'ACTIVE' })
  }

  /** A single call is to be tried once more; items of an array are not told of one by one. */
  #requeued(submission: Submission, status: JobStatus): void {
    if (!this.#submitted || this.#isArray) return
    const attempt = attemptOf(submission, false)
    if (attempt <= this.#attempt) return
    this.#attempt = attempt
    this.#active = undefined
    this.#toldStart = false
    delete this.#times.startedAt
    this.#tell('submit', status)
  }

  #abandoned(submission: Submission): void {
    const { error, status } = submission.abandoned!
    if (status.reason === 'lost' && error instanceof TransportError) this.#isLost = true
    // It was recorded and could not be submitted: a job that failed.
    this.#know(submission)
  }

  #ended(): void {
    const wasJob = this.#submitted || (this.#facts && (this.#failed || this.#canceled))
    if (!wasJob || !this.#telling || this.#isLost) return
    const final = this.#failed?.status ?? this.#canceled ?? { state: 'COMPLETED' }
    if (final.state === 'COMPLETED' && !this.#attached) this.#start({ state: 'ACTIVE' })
    const { startedAt = 0, endedAt } = this.#times
    this.#times.endedAt = Math.max(endedAt || Date.now(), startedAt)
    const event = final.state === 'FAILED' ? 'fail' : final.state === 'CANCELED' ? 'cancel' : 'complete'
    const message = this.#failed?.message
    const status = message === undefined ? final : { ...final, message }
    const measured = this.#only && whenAllMeasured(this.#only.submission)
    if (measured) willTell(measured.then(() => this.#tell(event, status)))
    else this.#tell(event, status)
  }

  #tell(event: JobNotification['event'], { state, reason, message }: JobStatus): void {
    const isEnd = isFinal(state)
    const usage = isEnd && this.#only ? usedBy(this.#only.measures) : undefined
    const { nativeId, ...facts } = this.#facts!
    const known = this.#only?.submission.nativeId ?? nativeId
    const { submittedAt, startedAt, endedAt } = this.#times
    const notification: JobNotification = {
      event,
      ...facts,
      // Of the next try it is not known yet.
      ...(known === undefined || reason === 'requeued' ? {} : { nativeId: known }),
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message: message.slice(0, mostMessage) }),
      attempt: this.#attempt,
      time: Date.now(),
      ...(submittedAt === undefined ? {} : { submittedAt }),
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(isEnd && endedAt !== undefined ? { endedAt } : {}),
      ...(this.#isArray ? { items: this.#counts() } : {}),
      ...(usage ? { usage } : {}),
    }
    tell(this.#telling!, deepFreeze(notification))
  }
}

/** Of a call as `job.attempts` counts; of an array, how often it was submitted as a whole. */
function attemptOf(submission: Submission, isArray: boolean): number {
  const [item] = submission.items
  return isArray || !item ? submission.tries.round : item.earlier.length + 1
}

function errorOf({ settled, status }: Item): { message?: string } {
  const { outcome } = settled
  return outcome?.status === 'rejected' ? messageOf(outcome.reason) : { ...pick(status.message) }
}

function messageOf(error: unknown): { message?: string } {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return pick(text.split('\n')[0])
}

const pick = (message: string | undefined) => (message === undefined || message === '' ? {} : { message })

/** Items of one submission, counted. */
export function countsOf({ items, open, failed }: Submission): Counts {
  return { total: items.length, done: items.length - open - failed, failed }
}
