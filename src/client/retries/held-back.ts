import type { Clock } from '../../core/clock.ts'
import { isFinal } from '../../core/status.ts'
import { canceledBefore } from '../outcome/failures.ts'
import type { Item } from '../submission/item.ts'
import type { Submission } from '../submission/submission.ts'

export interface Asked {
  readonly submission: Submission
  /** Those that are told that they wait. */
  readonly items: readonly Item[]
  readonly clock: Clock
  readonly random: () => number
}

/** A submission that is not taken yet, and is tried again. */
export class HeldBack {
  readonly #asked: Asked
  #over: AbortController | undefined

  constructor(asked: Asked) {
    this.#asked = asked
  }

  /** The scheduler's words, and what is done about them. */
  tell({ message }: Error, what: string): void {
    const { submission, items } = this.#asked
    const open = items.filter(({ status }) => !isFinal(status.state))
    const [said] = message.split('\n')
    submission.requeued(open, {
      state: 'QUEUED',
      ...(open[0]?.status.reason === 'requeued' ? { reason: 'requeued' } : {}),
      message: `${said}: ${what}`,
    })
  }

  /** So long, or half as long again. @throws JobCanceledError when it is canceled meanwhile, or over */
  async wait(ms: number): Promise<void> {
    const { submission, clock, random } = this.#asked
    const over = this.#end()
    submission.isHeldBack = true
    if (!over.aborted) await clock.sleep(ms * (1 + random() / 2), over)
    if (over.aborted) throw canceledBefore(submission)
  }

  #end(): AbortSignal {
    if (this.#over) return this.#over.signal
    const { submission } = this.#asked
    this.#over = new AbortController()
    const end = () => this.#over!.abort()
    if (submission.canceled.aborted) end()
    submission.canceled.addEventListener('abort', end)
    void submission.over.promise.then(end)
    return this.#over.signal
  }
}
