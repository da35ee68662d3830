import { mapStack } from '../capture/stack.ts'
import { type FarcallError, JobCanceledError, JobFailedError } from '../core/errors.ts'
import type { JobSpec, MemberEnd } from '../core/protocol.ts'
import type { JobStatus } from '../core/status.ts'

export interface MemberFailure {
  readonly spec: JobSpec
  readonly jobId: string
  readonly status: JobStatus
  readonly end?: MemberEnd | undefined
  readonly stderrTail?: string | undefined
  /** The bundle's source map, for the stack that `end` may hold. */
  readonly map?: string | undefined
}

/** The error for a member that ended without a result: the reason in words, and what to do about it. */
export function failureOf(failure: MemberFailure): FarcallError {
  const { status, jobId, stderrTail, spec } = failure
  const text = `job ${jobId} (${spec.name}) ${describe(failure)}`
  if (status.state === 'CANCELED')
    return new JobCanceledError(text, {
      jobId,
      status,
      ...(status.reason === 'by-admin' ? { hint: 'an administrator ended it; ask your site why' } : {}),
    })
  const hint = adviceFor(failure)
  const error = new JobFailedError(
    status.reason === 'interpreter-missing' ? 'INTERPRETER_MISSING' : 'JOB_FAILED',
    text,
    {
      jobId,
      status,
      transient: status.reason === 'node-failure' || status.reason === 'preempted',
      ...(hint === undefined ? {} : { hint }),
      ...(stderrTail === undefined ? {} : { stderrTail }),
    },
  )
  const frames = framesOfEnd(failure)
  if (frames) error.stack += `\n    on the node:\n${frames}`
  return error
}

/** The frames of the call that ended the member, as lines of the user's TypeScript. */
function framesOfEnd({ end, map }: MemberFailure): string | undefined {
  if (!end?.stack) return undefined
  const stack = map === undefined ? end.stack : mapStack(end.stack, map)
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}

/** For what was canceled before anybody was told of it. */
export function canceledBefore({ id, canceling }: { id: string; canceling: unknown }): JobCanceledError {
  const status = { state: 'CANCELED', reason: 'by-user' } as const
  return new JobCanceledError(`job ${id} was canceled before it was submitted`, {
    jobId: id,
    status,
    cause: canceling,
  })
}

function describe(failure: MemberFailure): string {
  const { status, end } = failure
  const native = status.native ? `, ${status.native} in the scheduler's words` : ''
  const first = framesOfEnd(failure)?.split('\n')[0]?.trim()
  const message = status.message ? `: ${status.message}${first ? ` ${first}` : ''}` : ''
  const where = end?.host ? ` on ${end.host}` : ''
  switch (status.reason) {
    case 'by-user':
      return `was canceled${native}`
    case 'by-admin':
      return `was canceled by an administrator${native}`
    case 'timeout':
      return `ran into its time limit${where}${native}${message}`
    case 'out-of-memory':
      return `ran out of memory${where}${native}${message}`
    case 'signal':
      return `was ended by signal ${status.signal ?? '?'}${where}${native}${message}`
    case 'exit-code':
      return `ended${where} with exit code ${status.exitCode ?? '?'}${native}${message}`
    case 'node-failure':
      return `lost its node${where}${native}${message}`
    case 'preempted':
      return `was preempted${where}${native}${message}`
    case 'interpreter-missing':
      return `found no usable Node${where}${message}`
    case 'launch-failed':
      return `could not be started${where}${native}${message}`
    case 'lost':
      return `is lost${native}${message}`
    default:
      return `failed${where}${native}${message}`
  }
}

function adviceFor({ status, spec }: MemberFailure): string | undefined {
  const { memoryBytes, timeSeconds } = spec.resources
  switch (status.reason) {
    case 'out-of-memory': {
      const used = status.peakMemory === undefined ? undefined : `used ${gigabytes(status.peakMemory)}`
      if (memoryBytes === undefined)
        return used ? `${used}: ask for more with memory: '…GB'` : "ask for more with memory: '…GB'"
      const granted = gigabytes(memoryBytes)
      const more = `ask for memory: '${Math.ceil((memoryBytes / 2 ** 30) * 1.5)}GB'`
      return used ? `${used} of ${granted}: ${more}` : `it was granted ${granted}: ${more}`
    }
    case 'timeout':
      return timeSeconds === undefined
        ? "ask for more with time: '2h'"
        : `it was granted ${timeSeconds} s: ask for time: ${Math.ceil(timeSeconds * 2)}, or split the work with map`
    case 'signal':
      return status.signal === 9
        ? 'SIGKILL is most likely the memory limit; ask for more with memory, or look at the log of the node'
        : undefined
    case 'exit-code':
      return /ENOSPC|EDQUOT|No space left|quota/i.test(status.message ?? '')
        ? 'the disk is full, or your quota used up: free some space, or choose another workdir'
        : undefined
    case 'interpreter-missing':
      return "load Node 16 or newer with environment: { modules: ['…'] }, or name it with environment: { node: '/path/to/node' }"
    case 'preempted':
    case 'node-failure':
      return 'run it again: nothing of yours was at fault'
    case 'lost':
      return 'is the work folder shared between the login node and the compute nodes? see `workdir`, and the log of the scheduler'
    default:
      return undefined
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GB`
}
