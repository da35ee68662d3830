/** Commands as jobs: what travels for one, and what comes back. */
import type { JobReason } from './status.ts'

/** What travels for one command, as the argument of its item. */
export interface CommandCall {
  /** As it is given to exec, once jobs and files among it have become text. */
  readonly argv: readonly (string | number)[]
  /** An exit code other than 0 is a result, too. */
  readonly check?: false
  /** A job script, which the first word then is the name of. */
  readonly script?: string
}

/** What a command has come to. */
export interface CommandResult {
  /** 0, unless `check` is false. */
  readonly exitCode: number
  /** The last 64 kB that it wrote to stdout; `job.logs()` has all. */
  readonly stdoutTail: string
  /** The same of stderr. */
  readonly stderrTail: string
  /** Local paths of what it has left (`stage.out`); empty where another job is given the result. */
  readonly files: readonly string[]
}

/** An error record may have this property: the command failed. */
export const failedCommandKey = 'farcall.failedCommand'

export interface FailedCommand {
  readonly reason: Extract<JobReason, 'exit-code' | 'signal' | 'launch-failed' | 'out-of-memory'>
  readonly message: string
  readonly exitCode?: number
  readonly signal?: number
  readonly stderrTail: string
  /** What to do, where that is known. */
  readonly hint?: string
}

/** Bytes of stdout, and of stderr, that travel with a result. */
export const tailBytes = 64 * 1024

/** Where the runtime puts what runs a command, for the bundle of all commands. */
export const commandKey = 'farcall.command'
