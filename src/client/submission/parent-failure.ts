import { type FarcallError, JobCanceledError, JobFailedError } from '../../core/errors.ts'
import { type FailedParent, failedParentKey } from '../../core/protocol.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import type { Parent } from './parents.ts'

/** A job as messages name it. */
export interface Named {
  readonly id: string
  readonly name?: string | undefined
}

/** Why a job did not run: one whose value is an argument of it has failed, or was canceled. */
export function parentFailure(
  job: Named,
  parent: Named,
  status: JobStatus,
  cause: unknown,
): { error: FarcallError; status: JobStatus } {
  const canceled = status.state === 'CANCELED'
  const what = canceled ? 'was canceled' : `failed: ${firstLine(cause) ?? status.message ?? status.reason}`
  const message = `job ${parent.id}${inBrackets(parent.name)}, whose value is an argument of it, ${what}`
  const { reason, exitCode, signal } = status
  const own: JobStatus = {
    state: canceled ? 'CANCELED' : 'FAILED',
    ...(reason === undefined ? {} : { reason }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
    message,
  }
  const text = `job ${job.id}${inBrackets(job.name)} ${canceled ? 'was canceled' : 'did not run'}: ${message}`
  const details = { jobId: job.id, status: own, cause }
  const error = canceled
    ? new JobCanceledError(text, details)
    : new JobFailedError('PARENT_FAILED', text, {
        ...details,
        hint: '`cause` is its error; once that is mended, call both again',
      })
  return { error, status: own }
}

/** What became of it, as far as this process has heard: it may never have been submitted. */
export function statusOf({ status, handles }: Parent): JobStatus {
  if (isFinal(status.state)) return status
  const abandoned = handles.find(({ submission }) => submission.abandoned)?.submission.abandoned
  return abandoned?.status ?? { state: 'FAILED', reason: 'submit-failed' }
}

/** What the runtime wrote in place of an item's own error. */
export function failedParentOf(thrown: unknown): FailedParent | undefined {
  return thrown instanceof Error ? (Reflect.get(thrown, failedParentKey) as FailedParent) : undefined
}

const inBrackets = (name: string | undefined) => (name === undefined ? '' : ` (${name})`)

function firstLine(error: unknown): string | undefined {
  if (error === undefined) return undefined
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return text.split('\n')[0]
}
