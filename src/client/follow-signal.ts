import type { Job } from './job/job.ts'
import type { JobArray } from './job/job-array.ts'
import type { Handle } from './submission/handle.ts'

/** Cancels what runs when the caller's signal says so, until it has ended. @internal */
export function followSignal(
  signal: AbortSignal,
  job: Job<unknown> | JobArray<unknown>,
  ended: Promise<void>,
): void {
  const cancel = () => {
    job
      .cancel(signal.reason)
      .catch((error) => process.emitWarning(`farcall: cancel failed: ${String(error)}`))
  }
  if (signal.aborted) {
    cancel()
    return
  }
  signal.addEventListener('abort', cancel, { once: true })
  // Not by the job's own promise: a failure that nobody awaits would then count as handled.
  void ended.then(() => signal.removeEventListener('abort', cancel))
}

/** Resolves when it is over, or was not even sent. @internal */
export function ended({ submission, session }: Handle): Promise<void> {
  return new Promise((resolve) => {
    void submission.over.promise.then(resolve)
    session.catch(() => resolve())
  })
}
