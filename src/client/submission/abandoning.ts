import { JobCanceledError } from '../../core/errors.ts'
import type { Submission } from './submission.ts'

/** All items of a submission that cannot be made get the error. */
export async function abandoning<T>(submission: Submission, making: Promise<T>): Promise<T> {
  try {
    return await making
  } catch (error) {
    const canceled = error instanceof JobCanceledError
    // Where jobs among the arguments have failed each item has an error of its own.
    if (submission.open > 0 || submission.items.length === 0)
      submission.abandon(error, canceled ? error.status : { state: 'FAILED', reason: 'submit-failed' })
    throw error
  }
}
