import { systemClock } from '../../core/clock.ts'
import { isFinal } from '../../core/status.ts'
import { canceledBefore } from '../outcome/failures.ts'
import { isSubmitLimit, refusedMs } from '../retries/submit-limit.ts'
import type { Submission } from '../submission/submission.ts'
import type { Send } from './submit.ts'

/**
 * Sends the parts of one map one after the other, so that together they keep to what one array would: at most
 * `concurrency` members run at once, and a limit of the site on submitted jobs is waited for.
 */
export class Turns {
  readonly #sent: Submission[] = []
  #last: Promise<unknown> = Promise.resolve()

  /** The turn of the next part, in the order of the calls. */
  next(submission: Submission): (send: Send) => Promise<void> {
    const before = this.#last
    let end = () => {}
    this.#last = new Promise<void>((resolve) => {
      end = resolve
    })
    void submission.over.promise.then(end)
    return async (send) => {
      await before
      try {
        await this.#send(submission, send)
        this.#sent.push(submission)
      } finally {
        end()
      }
    }
  }

  async #send(submission: Submission, send: Send): Promise<void> {
    const most = submission.submitted?.spec.concurrency
    // A straggler holds up no further part; the others are not to run beside a part that still has many.
    if (most !== undefined) await this.#until(submission, () => this.#openMembers() <= most / 4)
    for (;;) {
      const open = this.#openMembers()
      const rest = most === undefined || open === 0 ? undefined : Math.max(1, most - open)
      try {
        return await send(rest, open === 0)
      } catch (error) {
        if (!isSubmitLimit(error) || open === 0) throw error
        await this.#until(submission, () => this.#openMembers() < open)
        await systemClock.sleep(refusedMs, submission.canceled)
        if (submission.canceling !== undefined) throw canceledBefore(submission)
      }
    }
  }

  /** Members that run or will. */
  #openMembers(): number {
    const open = this.#sent.filter((submission) => submission.open > 0)
    this.#sent.splice(0, this.#sent.length, ...open)
    let count = 0
    for (const { items, submitted } of open) {
      const chunk = submitted?.spec.chunk ?? 1
      const members = new Set<number>()
      for (const item of items) if (!isFinal(item.status.state)) members.add(Math.floor(item.index / chunk))
      count += members.size
    }
    return count
  }

  /** @throws JobCanceledError */
  async #until(submission: Submission, isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (submission.canceling !== undefined) throw canceledBefore(submission)
      await new Promise<void>((resolve) => {
        const stops = [...this.#sent, submission].map((one) =>
          one.listen((status) => {
            if (!isFinal(status.state)) return
            for (const stop of stops) stop()
            resolve()
          }),
        )
        void submission.over.promise.then(() => resolve())
      })
      // Of many that end together, one count is enough.
      await systemClock.sleep(50)
    }
  }
}
