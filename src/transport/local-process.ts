import { type ChildProcess, spawn } from 'node:child_process'
import { TransportError } from '../core/errors.ts'
import type { Command, CommandResult } from '../core/shell.ts'
import { commandTimeout, connectionClosed, defaultTimeoutMs } from './failures.ts'
import { throttled } from './shell-channel.ts'
import { signalNumbers } from './signals.ts'
import { notStarted, spawnPiped } from './spawn-piped.ts'
import type { ExecOptions } from './transport.ts'

/** How long a command may take to end after SIGTERM before SIGKILL. */
const killAfterMs = 500
/** How long output may stay open after the command ended: something that it left behind holds it. */
const drainMs = 1000
/** After SIGKILL. What hangs in a file system hears no signal until that answers. */
const goneMs = 2000

interface ProcessOptions extends ExecOptions {
  cwd: string
  closed: AbortSignal
  /** Called with a handle on the child's hold on this process; gives what to call at its end. */
  onStart(handle: { ref(): void; unref(): void }): () => void
}

export async function runProcess(command: Command, options: ProcessOptions): Promise<CommandResult> {
  const [file, ...args] = command.argv
  if (!file) throw new TransportError('COMMAND_FAILED', 'a command needs at least one word')
  options.signal?.throwIfAborted()
  if (options.closed.aborted) throw connectionClosed('local')
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  // its own process group, so that a timeout ends all that the command started
  const child = spawnPiped(file, args, { cwd: options.cwd, detached: true })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  // EPIPE: the command did not read its stdin, which is its own business
  child.stdin.on('error', () => {})
  child.stdin.end(command.stdin ?? '')

  let failure: unknown
  let killTimer: NodeJS.Timeout | undefined
  let abandon = () => {}
  const end = (reason: unknown) => {
    if (failure !== undefined) return
    failure = reason
    killGroup(child, 'SIGTERM')
    killTimer = setTimeout(() => {
      killGroup(child, 'SIGKILL')
      killTimer = setTimeout(abandon, goneMs)
    }, killAfterMs)
  }
  const taking = options.onStdout && throttled(child.stdout, options.onStdout, end)
  child.stdout.on('data', taking?.feed ?? ((chunk: Buffer) => stdout.push(chunk)))
  const timer = setTimeout(() => end(commandTimeout(command.argv, timeoutMs)), timeoutMs)
  const onAbort = () => end(options.signal?.reason)
  const onClose = () => end(connectionClosed('local'))
  options.signal?.addEventListener('abort', onAbort, { once: true })
  options.closed.addEventListener('abort', onClose, { once: true })
  const release = options.onStart(holdOf(child, timer))
  let drain: NodeJS.Timeout | undefined
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      abandon = () => {
        // Nobody waits for it any more, nor does this process.
        child.unref()
        child.stdin.destroy()
        reject(failure)
      }
      child.on('error', (error: NodeJS.ErrnoException) => {
        const code = { ENOENT: 127, EACCES: 126 }[error.code ?? '']
        if (code === undefined) return reject(notStarted(file, error))
        stderr.push(Buffer.from(`${file}: ${code === 127 ? 'not found' : 'not executable'}\n`))
        resolve(code)
      })
      let status = 0
      child.on('exit', (code, signal) => {
        status = code ?? 128 + (signalNumbers[signal ?? 'SIGTERM'] ?? 0)
        // a process left behind in the background may hold the pipes open for ever
        const wait = () => {
          drain = setTimeout(
            () => (failure === undefined && child.stdout.isPaused() ? wait() : resolve(status)),
            failure === undefined ? drainMs : 0,
          )
        }
        wait()
      })
      child.on('close', () => resolve(status))
    })
    await taking?.idle()
    if (failure !== undefined) throw failure
    return { exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') }
  } finally {
    clearTimeout(timer)
    clearTimeout(drain)
    if (killTimer) {
      clearTimeout(killTimer)
      // the leader is gone; what ignored SIGTERM in its group goes now
      killGroup(child, 'SIGKILL')
    }
    options.signal?.removeEventListener('abort', onAbort)
    options.closed.removeEventListener('abort', onClose)
    child.stdout.destroy()
    child.stderr.destroy()
    release()
  }
}

/** Gives it this process's stdin, stdout and stderr. It stays in our process group, so the terminal's keys reach it. */
export function runOnTerminal(file: string, args: readonly string[], cwd: string): Promise<number> {
  return new Promise((resolve, reject) => {
    // Ctrl-C is the command's: it decides what that means
    const ignore = () => {}
    process.on('SIGINT', ignore)
    const child = spawn(file, args, { cwd, stdio: 'inherit' })
    const over = (exitCode: number) => {
      process.off('SIGINT', ignore)
      resolve(exitCode)
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return over(127)
      if (error.code === 'EACCES') return over(126)
      process.off('SIGINT', ignore)
      reject(notStarted(file, error))
    })
    child.on('exit', (code, signal) => over(code ?? 128 + (signalNumbers[signal ?? 'SIGTERM'] ?? 0)))
  })
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    // ESRCH: all of the group has ended already; EPERM: it runs as somebody else, and is not ours to end
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

interface Hold {
  ref(): void
  unref(): void
}

function holdOf(child: ChildProcess, timer: NodeJS.Timeout): Hold {
  const holds = [child, timer, child.stdin, child.stdout, child.stderr] as unknown as Partial<Hold>[]
  return {
    ref() {
      for (const hold of holds) hold.ref?.()
    },
    unref() {
      for (const hold of holds) hold.unref?.()
    },
  }
}
