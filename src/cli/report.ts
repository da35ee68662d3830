import { FarcallError } from '../core/errors.ts'

export const exitCodes = { failure: 1, usage: 2 } as const

/** Tells an error in words: `error CODE: message`, the hint, the page that explains it. The stack only on request. */
export function report(error: unknown, { verbose = false, env = process.env } = {}): void {
  if (!(error instanceof FarcallError)) {
    // Not one of ours: a defect, whose stack is what we need to be told.
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return
  }
  process.stderr.write(`error ${error.code}: ${error.message}\n  see: ${error.docs}\n`)
  if (verbose || env['FARCALL_DEBUG']) process.stderr.write(`${error.stack ?? ''}\n`)
}
