import { mapStack } from '../../capture/stack.ts'
import { type FarcallError, JobCanceledError, JobFailedError } from '../../core/errors.ts'
import type { JobSpec, MemberEnd } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import { formatMemory, formatSeconds } from '../../core/units.ts'
import { type JobUsage, mergeMeasured } from '../../core/usage.ts'
import { describeMemory, describeTime, raise, usageOf } from './usage.ts'

export interface MemberFailure {
  readonly spec: JobSpec
  readonly jobId: string
  readonly status: JobStatus
  readonly end?: MemberEnd | undefined
  readonly stderrTail?: string | undefined
  /** The bundle's source map, for the stack that `end` may hold. */
  readonly map?: string | undefined
  /** What to do, where it is known better than by the reason. */
  readonly advice?: string | undefined
}

/** The error for a member that ended without a result: the reason in words, what it used, and what to do about it. */
export function failureOf(failure: MemberFailure): FarcallError {
  const { status, jobId, stderrTail, spec, end } = failure
  const text = `job ${jobId} (${spec.name}) ${describe(failure)}`
  if (status.state === 'CANCELED')
    return new JobCanceledError(text, {
      jobId,
      status,
      ...(status.reason === 'by-admin' ? { hint: 'an administrator ended it; ask your site why' } : {}),
    })
  const usage = usageOf(spec, mergeMeasured(status, end?.gpu ? { gpu: end.gpu } : {}))
  const used = describeUsage(usage, status.reason)
  const hint = failure.advice ?? adviceFor(failure, usage)
  const error = new JobFailedError(
    status.reason === 'interpreter-missing' ? 'INTERPRETER_MISSING' : 'JOB_FAILED',
    used === '' ? text : `${text}\n  ${used}`,
    {
      jobId,
      status,
      usage,
      transient: status.reason === 'node-failure' || status.reason === 'preempted',
      ...(hint === undefined ? {} : { hint }),
      ...(stderrTail === undefined ? {} : { stderrTail }),
    },
  )
  const frames = framesOfEnd(failure)
  if (frames) error.stack += `\n    on the node:\n${frames}`
  return error
}

/** What the advice does not say already. */
function describeUsage({ memory, time }: JobUsage, reason: JobStatus['reason']): string {
  const said = [
    reason === 'out-of-memory' ? undefined : describeMemory(memory),
    reason === 'timeout' ? undefined : describeTime(time),
  ]
  return said.filter((part) => part !== undefined).join(', ')
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
  const { status, end, spec } = failure
  const native = status.native ? `, ${status.native} in the scheduler's words` : ''
  const first = framesOfEnd(failure)?.split('\n')[0]?.trim()
  // Of a command's end it says no more.
  const isSaid = spec.command && (status.reason === 'exit-code' || status.reason === 'signal')
  const message = status.message && !isSaid ? `: ${status.message}${first ? ` ${first}` : ''}` : ''
  const where = end?.host ? ` on ${end.host}` : ''
  if (status.state === 'CANCELED' && status.reason !== 'by-user' && status.reason !== 'by-admin')
    return `was canceled outside of farcall${native}`
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

function adviceFor({ status, spec }: MemberFailure, { memory, time }: JobUsage): string | undefined {
  switch (status.reason) {
    case 'out-of-memory':
      return sentence(
        describeMemory(memory) ?? (memory.asked === undefined ? '' : `it had ${formatMemory(memory.asked)}`),
        memory.asked === undefined
          ? "ask for more with memory: '…GB'"
          : `ask for memory: '${raise(memory.asked, memory.used)}'`,
      )
    case 'timeout':
      return sentence(
        describeTime(time) ?? (time.asked === undefined ? '' : `it had ${formatSeconds(time.asked)}`),
        `ask for ${time.asked === undefined ? "more with time: '2h'" : `time: ${Math.ceil(time.asked * 2)}`}, or ${spec.chunk > 1 ? 'split the item: a chunk that is cut off goes on where it stopped, and this item got nowhere' : 'split the work with map'}`,
      )
    case 'signal':
      return status.signal === 9
        ? 'SIGKILL is most likely the memory limit; ask for more with memory, or look at the log of the node'
        : `nothing of farcall sent it: look at what your ${spec.command ? 'program' : 'function'} and its libraries do, and at the log of the node`
    case 'exit-code':
      if (spec.command) return commandAdvice(status.exitCode)
      if (/event loop ran empty/.test(status.message ?? ''))
        return 'the function awaits what never comes: a promise that nothing resolves any more'
      return /ENOSPC|EDQUOT|No space left|quota/i.test(status.message ?? '')
        ? 'the disk is full, or your quota used up: free some space, or choose another workdir'
        : 'throw an error, or return, instead of ending the process: both arrive here as they are'
    case 'interpreter-missing':
      return "load Node 16 or newer with environment: { modules: ['…'] }, or name it with environment: { node: '/path/to/node' }"
    case 'preempted':
      return spec.resources.requeue === false
        ? 'nothing of yours was at fault: run it again, or let the scheduler do that with requeue: true'
        : 'nothing of yours was at fault: run it again'
    case 'node-failure':
      return 'nothing of yours was at fault: run it again; `exclude` keeps it off a node that fails often'
    case 'launch-failed':
      return /DependencyNeverSatisfied/.test(status.message ?? '')
        ? 'see how the job that it depends on ended; run that again, then this one'
        : 'see the message above; the work folder must be there on the nodes too, and environment must fit them'
    case 'lost':
      return 'is the work folder shared between the login node and the compute nodes (`workdir`)? does a line of environment.setup replace the shell (`exec …`)? the scheduler.log of the job may tell'
    default:
      return undefined
  }
}

function commandAdvice(exitCode: number | undefined): string {
  if (exitCode === 127) return 'a shell says 127 for a command that it does not find: its words are in stderr'
  if (exitCode === 126) return 'a shell says 126 for a file that it may not execute: its words are in stderr'
  return '`job.logs()` has all that it wrote; with `check: false` an exit code is a result'
}

const sentence = (fact: string, advice: string) => (fact === '' ? advice : `${fact}: ${advice}`)
