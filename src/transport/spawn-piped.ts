import { type ChildProcessWithoutNullStreams, type SpawnOptions, spawn } from 'node:child_process'
import { TransportError } from '../core/errors.ts'

/** What passes when others end, or close their files. */
const passing = ['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']

/**
 * As `spawn` with three pipes. Where this process has as many files open as it may, Node gives a child without any, and
 * tells later: that is thrown at once.
 * @throws TransportError COMMAND_FAILED
 */
export function spawnPiped(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcessWithoutNullStreams {
  let child: Partial<ChildProcessWithoutNullStreams>
  try {
    child = spawn(file, args, { ...options, stdio: 'pipe' })
  } catch (error) {
    throw notStarted(file, error as Error)
  }
  if (child.stdin) return child as ChildProcessWithoutNullStreams
  child.on?.('error', () => {}) // told here
  const cause = Object.assign(new Error('no more files can be opened (ulimit -n)'), { code: 'EMFILE' })
  throw notStarted(file, cause)
}

export function notStarted(file: string, cause: NodeJS.ErrnoException): TransportError {
  const transient = passing.includes(cause.code ?? '')
  return new TransportError('COMMAND_FAILED', `${file} could not be started: ${cause.message}`, {
    cause,
    transient,
  })
}
