import type { Clock } from '../core/clock.ts'
import { SubmitError } from '../core/errors.ts'
import type { JobSpec } from '../core/protocol.ts'
import { isFinal } from '../core/status.ts'
import type { Executor } from '../executor/executor.ts'
import { canceledBefore } from './failures.ts'
import type { Item } from './item.ts'
import type { Submission } from './submission.ts'

/** What was refused because so many jobs are under way is tried again after so long, at the earliest. */
export const refusedMs = 10_000

export interface WithinLimit {
  readonly submission: Submission
  readonly executor: Pick<Executor, 'traits' | 'countJobs'>
  /** As it is asked for now. */
  readonly spec: () => Pick<JobSpec, 'members' | 'only'>
  /** Those that are told that they wait. */
  readonly items: readonly Item[]
  readonly clock: Clock
  readonly random: () => number
}

/**
 * Submits what the site's limit on submitted jobs leaves room for, if not now, then once other jobs of the user have
 * ended: it waits for that. Refused although there are none, it is another limit that is meant, and that is an error.
 * @throws SubmitError, JobCanceledError
 */
export async function submitWithinLimit<T>(asked: WithinLimit, submit: () => Promise<T>): Promise<T> {
  const { submission, executor, items, clock, random } = asked
  const over = new AbortController()
  const end = () => over.abort()
  let isAlone = false
  for (let times = 0; ; times++) {
    try {
      return await submit()
    } catch (error) {
      if (!isSubmitLimit(error) || !fits(asked)) throw error
      const wasAlone = isAlone
      isAlone = (await executor.countJobs?.()) === 0
      if (wasAlone && isAlone) throw error
      if (times === 0) {
        submission.canceled.addEventListener('abort', end)
        void submission.over.promise.then(end)
      }
      tell(submission, items, error)
    }
    await clock.sleep(refusedMs * (1 + random() / 2), over.signal)
    if (over.signal.aborted) throw canceledBefore(submission)
  }
}

export function isSubmitLimit(error: unknown): error is SubmitError {
  return error instanceof SubmitError && error.code === 'SUBMIT_LIMIT'
}

/** Whether it is the others that are in its way: by itself it has no more members than the user may have submitted. */
function fits({ executor, spec }: WithinLimit): boolean {
  const { members, only } = spec()
  const { maxSubmitted, maxSubmissions } = executor.traits
  if (maxSubmissions !== undefined) return true
  return maxSubmitted !== undefined && (only?.length ?? members) <= maxSubmitted
}

function tell(submission: Submission, items: readonly Item[], { message }: SubmitError): void {
  const open = items.filter(({ status }) => !isFinal(status.state))
  const [said] = message.split('\n')
  submission.requeued(open, {
    state: 'QUEUED',
    ...(open[0]?.status.reason === 'requeued' ? { reason: 'requeued' } : {}),
    message: `${said}: the site lets you have no more jobs submitted; it is submitted once some of yours have ended`,
  })
}
