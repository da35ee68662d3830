import type { ErrorCode } from './error-codes.ts'
import type { JobStatus } from './status.ts'
import type { JobUsage } from './usage.ts'

export interface FarcallErrorOptions {
  /** What the user can do about it, one sentence. */
  hint?: string
  cause?: unknown
  /** Whether the same call may succeed when tried again unchanged. */
  transient?: boolean
}

/** Marks our errors across two copies of the library and across vm realms. */
const brand = Symbol.for('farcall.error')

/**
 * Every error that farcall itself raises. Errors thrown by the user's own function are not wrapped:
 * they arrive as themselves.
 *
 * @example
 * import { cluster, FarcallError } from 'farcall'
 *
 * const simulate = cluster((seed: number) => Math.sin(seed))
 * try {
 *   await simulate(42)
 * } catch (error) {
 *   if (!(error instanceof FarcallError)) throw error // what the function threw
 *   console.error(error.code, error.hint)
 *   if (error.transient) await simulate(42)
 * }
 */
export class FarcallError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly transient: boolean

  constructor(code: ErrorCode, message: string, options: FarcallErrorOptions = {}) {
    const text = options.hint ? `${message}\n  hint: ${options.hint}` : message
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    // A compiler may have renamed the class itself.
    this.name = new.target === FarcallError ? 'FarcallError' : new.target.name
    this.code = code
    this.hint = options.hint
    this.transient = options.transient ?? false
    Object.defineProperty(this, brand, { value: this.name, enumerable: false })
  }

  /** The page that explains this code. */
  get docs(): string {
    return `docs/errors/${this.code}.md`
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false
    if (this === FarcallError) return brand in value
    return Function.prototype[Symbol.hasInstance].call(this, value) || Reflect.get(value, brand) === this.name
  }
}

/**
 * A configuration, option, unit or profile that cannot be used as written.
 * @example
 * import { cluster, ConfigError } from 'farcall'
 *
 * try {
 *   cluster({ memory: '16 apples' }, () => 1)
 * } catch (error) {
 *   if (error instanceof ConfigError) console.error(error.code, error.hint)
 *   else throw error
 * }
 */
export class ConfigError extends FarcallError {}

/**
 * A function or value that cannot be taken along.
 * @example
 * import { CaptureError, cluster } from 'farcall'
 *
 * const pending = Promise.resolve(1)
 * const wait = cluster(async () => (await pending) + 1)
 * try {
 *   await wait()
 * } catch (error) {
 *   if (error instanceof CaptureError) console.error(error.message)
 *   else throw error
 * }
 */
export class CaptureError extends FarcallError {}

/**
 * The way to the machine: host key, login, refused, dropped, or a file that would not go over.
 * @example
 * import { cluster, TransportError } from 'farcall'
 *
 * const square = cluster({ profile: 'hpc' }, (n: number) => n * n)
 * try {
 *   await square(6)
 * } catch (error) {
 *   if (error instanceof TransportError) console.error(error.code)
 *   else throw error
 * }
 */
export class TransportError extends FarcallError {}

/**
 * A file or folder that cannot be read, written, listed or removed; `path` is the one that was asked for.
 * @example
 * import { FileError, fs } from 'farcall'
 *
 * try {
 *   await fs.read('settings.json', 'utf8')
 * } catch (error) {
 *   if (error instanceof FileError && error.code === 'FILE_MISSING') console.error(error.path)
 *   else throw error
 * }
 */
export class FileError extends FarcallError {
  readonly path: string

  constructor(code: ErrorCode, message: string, path: string, options: FarcallErrorOptions = {}) {
    super(code, message, options)
    this.path = path
  }
}

/**
 * The scheduler did not take the job; `cause` and the message hold its own words.
 * @example
 * import { cluster, SubmitError } from 'farcall'
 *
 * const square = cluster({ profile: 'hpc', partition: 'no-such' }, (n: number) => n * n)
 * try {
 *   await square(6)
 * } catch (error) {
 *   if (error instanceof SubmitError) console.error(error.message)
 *   else throw error
 * }
 */
export class SubmitError extends FarcallError {}

/**
 * What came back cannot be used: missing, cut off, or not what was written.
 * @example
 * import { attach, ResultError } from 'farcall'
 *
 * try {
 *   await attach('fabcdefghijklm')
 * } catch (error) {
 *   if (error instanceof ResultError) console.error(error.code)
 *   else throw error
 * }
 */
export class ResultError extends FarcallError {}

/**
 * The job ended without a result, for a reason other than an exception of the user's function.
 * @example
 * import { cluster, JobFailedError } from 'farcall'
 *
 * const long = cluster({ time: '1m' }, () => new Promise((resolve) => setTimeout(resolve, 3_600_000)))
 * try {
 *   await long()
 * } catch (error) {
 *   if (error instanceof JobFailedError) console.error(error.reason, error.stderrTail)
 *   else throw error
 * }
 */
export class JobFailedError extends FarcallError {
  readonly jobId: string
  readonly status: JobStatus
  /** The last lines that the job wrote to stderr. */
  readonly stderrTail: string
  readonly usage: JobUsage

  constructor(
    code: ErrorCode,
    message: string,
    details: FarcallErrorOptions & {
      jobId: string
      status: JobStatus
      stderrTail?: string
      usage?: JobUsage
    },
  ) {
    const tail = details.stderrTail?.trimEnd() ?? ''
    super(code, tail ? `${message}\n  stderr: ${tail.split('\n').join('\n          ')}` : message, details)
    this.jobId = details.jobId
    this.status = details.status
    this.stderrTail = tail
    this.usage = details.usage ?? { memory: {}, time: {}, cpu: {}, hints: [] }
  }

  /** Why it ended: 'timeout', 'out-of-memory', 'exit-code' … */
  get reason(): JobStatus['reason'] {
    return this.status.reason
  }

  /** That of the command, or of the job; undefined where there is none. */
  get exitCode(): number | undefined {
    return this.status.exitCode
  }
}

/**
 * The job was canceled, by us or by an administrator.
 * @example
 * import { cluster, JobCanceledError } from 'farcall'
 *
 * const job = cluster(() => new Promise((resolve) => setTimeout(resolve, 3_600_000)))()
 * await job.cancel()
 * try {
 *   await job
 * } catch (error) {
 *   if (error instanceof JobCanceledError) console.error(error.jobId)
 *   else throw error
 * }
 */
export class JobCanceledError extends FarcallError {
  readonly jobId: string
  readonly status: JobStatus

  constructor(message: string, details: FarcallErrorOptions & { jobId: string; status: JobStatus }) {
    super('JOB_CANCELED', message, details)
    this.jobId = details.jobId
    this.status = details.status
  }
}
