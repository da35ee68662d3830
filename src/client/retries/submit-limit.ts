import { SubmitError } from '../../core/errors.ts'
import type { JobSpec } from '../../core/protocol.ts'
import type { Executor } from '../../executor/executor.ts'
import { type Asked, HeldBack } from './held-back.ts'
import { outlastSilence } from './outlast-silence.ts'

/** What was refused because so many jobs are under way is tried again after so long, at the earliest. */
export const refusedMs = 10_000

export interface WithinLimit extends Asked {
  readonly executor: Pick<Executor, 'traits' | 'countJobs'>
  /** As it is asked for now. */
  readonly spec: () => Pick<JobSpec, 'members' | 'only'>
}

/**
 * Submits what the site's limit on submitted jobs leaves room for, if not now, then once other jobs of the user have
 * ended: it waits for that. Refused although there are none, it is another limit that is meant, and that is an error.
 * @throws SubmitError, JobCanceledError
 */
export async function submitWithinLimit<T>(asked: WithinLimit, submit: () => Promise<T>): Promise<T> {
  const held = new HeldBack(asked)
  let isAlone = false
  for (;;) {
    try {
      return await submit()
    } catch (error) {
      if (!isSubmitLimit(error) || !fits(asked)) throw error
      const wasAlone = isAlone
      isAlone = (await asked.executor.countJobs?.()) === 0
      if (wasAlone && isAlone) throw error
      held.tell(
        error,
        'the site lets you have no more jobs submitted; it is submitted once some of yours have ended',
      )
    }
    await held.wait(refusedMs)
  }
}

/** The same, where the scheduler may not answer either. @throws SubmitError, JobCanceledError */
export function submitOnceTaken<T>(asked: WithinLimit, submit: () => Promise<T>): Promise<T> {
  return submitWithinLimit(asked, () => outlastSilence(asked, submit))
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
