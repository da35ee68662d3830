import type { Session } from '../session/session.ts'
import type { Submission } from './submission.ts'

/** The client's handle of a submission: where it is, once that is known. @internal */
export interface Handle {
  readonly submission: Submission
  /** Closes the group of calls that travel together, so that ids are known. */
  seal(): void
  /** Rejects when the job could not be submitted. */
  readonly session: Promise<Session>
}

/** Of a group that takes no more calls. @internal */
export function alreadySealed(): void {}
