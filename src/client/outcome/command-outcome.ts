import { type CommandResult, type FailedCommand, failedCommandKey } from '../../core/command.ts'
import type { FarcallError } from '../../core/errors.ts'
import type { JobSpec } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import { failureOf } from './failures.ts'

/** A command's result, with what it has left as it lies here. */
export function withFiles(value: unknown, files: readonly string[] = []): CommandResult {
  return { ...(value as CommandResult), files }
}

/** What the runtime wrote of a command that failed; undefined for what is another failure. */
export function commandFailure(
  spec: JobSpec | undefined,
  jobId: string,
  thrown: unknown,
): { readonly status: JobStatus; readonly error: FarcallError } | undefined {
  if (!spec?.command || !(thrown instanceof Error)) return undefined
  const failed = Reflect.get(thrown, failedCommandKey) as FailedCommand | undefined
  if (!failed) return undefined
  const { stderrTail, hint, ...how } = failed
  const status: JobStatus = { state: 'FAILED', ...how }
  const error = failureOf({ spec, jobId, status, stderrTail, advice: hint })
  error.stack = `${error.name}: ${error.message}\n${framesHere(thrown.stack)}`
  return { status, error }
}

/** Where it was called; the frames of what ran it there say nothing. */
function framesHere(stack = ''): string {
  const lines = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return lines.slice(lines.findIndex((line) => /^\s+at <job /.test(line))).join('\n')
}
