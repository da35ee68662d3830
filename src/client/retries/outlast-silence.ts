import { SubmitError } from '../../core/errors.ts'
import { type Asked, HeldBack } from './held-back.ts'

/** A controller that is restarted is back within that; as long as a lost connection is waited for. */
export const patienceMs = 300_000

/** Controllers are asked no more often by one submission that they do not answer. */
export const silentMs = 10_000

/**
 * Submits, and where the scheduler does not answer, as one does that is just restarted, tries again for five minutes.
 * @throws SubmitError, JobCanceledError
 */
export async function outlastSilence<T>(asked: Asked, submit: () => Promise<T>): Promise<T> {
  const held = new HeldBack(asked)
  const begun = asked.clock.now()
  for (;;) {
    try {
      return await submit()
    } catch (error) {
      if (!isSilence(error) || asked.clock.now() - begun >= patienceMs) throw error
      held.tell(error, 'the scheduler does not answer just now; it is submitted once it does')
    }
    await held.wait(silentMs)
  }
}

/** It took nothing, and may take it later. */
function isSilence(error: unknown): error is SubmitError {
  return error instanceof SubmitError && error.code === 'SUBMIT_REFUSED' && error.transient
}
