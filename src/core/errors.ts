import type { ErrorCode } from './error-codes.ts'
import type { JobStatus } from './status.ts'

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
 * try { await simulate(42) } catch (error) {
 *   if (error instanceof FarcallError && error.transient) await simulate(42)
 * }
 */
export class FarcallError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly transient: boolean

  constructor(code: ErrorCode, message: string, options: FarcallErrorOptions = {}) {
    const text = options.hint ? `${message}\n  hint: ${options.hint}` : message
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
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

/** A configuration, option, unit or profile that cannot be used as written. */
export class ConfigError extends FarcallError {}

/** A function or value that cannot be taken along. */
export class CaptureError extends FarcallError {}

/** The way to the machine: host key, login, refused, dropped, or a file that would not go over. */
export class TransportError extends FarcallError {}

/** The scheduler did not take the job; `cause` and the message hold its own words. */
export class SubmitError extends FarcallError {}

/** What came back cannot be used: missing, cut off, or not what was written. */
export class ResultError extends FarcallError {}

/** The job ended without a result, for a reason other than an exception of the user's function. */
export class JobFailedError extends FarcallError {
  readonly jobId: string
  readonly status: JobStatus
  /** The last lines that the job wrote to stderr. */
  readonly stderrTail: string

  constructor(
    code: ErrorCode,
    message: string,
    details: FarcallErrorOptions & { jobId: string; status: JobStatus; stderrTail?: string },
  ) {
    const tail = details.stderrTail?.trimEnd() ?? ''
    super(code, tail ? `${message}\n  stderr: ${tail.split('\n').join('\n          ')}` : message, details)
    this.jobId = details.jobId
    this.status = details.status
    this.stderrTail = tail
  }

  get reason(): JobStatus['reason'] {
    return this.status.reason
  }
}

/** The job was canceled, by us or by an administrator. */
export class JobCanceledError extends FarcallError {
  readonly jobId: string
  readonly status: JobStatus

  constructor(message: string, details: FarcallErrorOptions & { jobId: string; status: JobStatus }) {
    super('JOB_CANCELED', message, details)
    this.jobId = details.jobId
    this.status = details.status
  }
}
