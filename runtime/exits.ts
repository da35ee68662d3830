import type { MemberEnd } from '../src/core/protocol.ts'

/** Rejects what is being waited for; set while user code runs. */
let crash: ((error: unknown) => void) | undefined

/**
 * Runs user code until it settles, or until an exception that nobody catches ends it, as it would end
 * Node at home: one thrown in a timer, or a rejection that nobody handles.
 */
export function guard<T>(work: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    crash = reject
    work().then(resolve, reject)
  })
}

function onUncaught(error: unknown): void {
  // A program with a handler of its own goes on, as it would at home.
  if (process.listenerCount('uncaughtException') > 1) return
  crash?.(error)
}

/**
 * Sees to it that a process which ends before its work is done says why. Writes through `finish`,
 * at the latest moment where that can be done. Signals and an exhausted heap leave no such moment: job.sh has them.
 */
export function watchExit(finish: (how: Partial<MemberEnd>) => void): { finished(): void } {
  let done = false
  let exitStack: string | undefined
  let ranEmpty = false

  const exit = process.exit
  process.exit = function patched(code?: number | string | null): never {
    const here: { stack?: string } = {}
    Error.captureStackTrace(here, patched)
    exitStack ??= here.stack
    return exit.call(process, code)
  }
  process.on('beforeExit', () => {
    ranEmpty = true
  })
  process.on('exit', (code) => {
    if (done) return
    done = true
    const how = howItEnded(code, exitStack, ranEmpty)
    process.exitCode = how.exitCode
    finish(how)
  })
  process.on('uncaughtException', onUncaught)
  // Without a listener this signal opens a debugger, to everybody on the node.
  process.on('SIGUSR1', () => {})

  return {
    finished() {
      done = true
    },
  }
}

function howItEnded(
  code: number,
  stack: string | undefined,
  ranEmpty: boolean,
): Partial<MemberEnd> & { exitCode: number } {
  if (stack !== undefined) {
    return { reason: 'exit-code', message: `process.exit(${code}) was called`, exitCode: code, stack }
  }
  if (ranEmpty)
    // 13 is Node's own code for a top-level promise that never settles.
    return {
      reason: 'exit-code',
      message: "the event loop ran empty while the function's promise was still pending",
      exitCode: code || 13,
    }
  return { reason: 'exit-code', message: `node ended with exit code ${code}`, exitCode: code }
}
