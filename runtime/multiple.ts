/** A launcher that needs no scheduler and no MPI: starts processes on this machine, and ends all when one ends badly. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants as os } from 'node:os'
import { rankVariables } from './launchers.ts'

/** Between asking processes to end and ending them. */
const graceMs = 5_000
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const

/** Gives the exit code of the first that failed, else 0. Its stdin is open for as long as whoever asked lives. */
export async function runMultiple(size: number, [file, ...args]: readonly string[]): Promise<number> {
  const children = new Set<ChildProcess>()
  let worst: number | undefined
  const end = (signal: NodeJS.Signals) => {
    // One that could not be started has no process: Node would send the signal to all of our own group.
    for (const child of children) if (child.pid !== undefined) child.kill(signal)
  }
  const endAll = () => {
    end('SIGTERM')
    setTimeout(() => end('SIGKILL'), graceMs).unref()
  }
  for (const signal of signals) process.on(signal, () => end(signal))
  process.stdin.on('end', endAll).on('error', endAll).resume()
  const over = Array.from({ length: size }, (_, rank) => {
    const env = {
      ...process.env,
      [rankVariables.rank]: String(rank),
      [rankVariables.local]: String(rank),
      [rankVariables.size]: String(size),
    }
    const child = spawn(file!, args, { env, stdio: ['ignore', 'inherit', 'inherit'] })
    children.add(child)
    const fail = (code: number, words: string) => {
      if (worst !== undefined) return
      worst = code
      process.stderr.write(`farcall: rank ${rank}: ${words}\n`)
      endAll()
    }
    return new Promise<void>((resolve) => {
      child.on('error', (error) => {
        children.delete(child)
        fail(127, error.message)
        resolve()
      })
      child.on('exit', (code, signal) => {
        children.delete(child)
        if (signal) fail(128 + os.signals[signal], `ended by signal ${os.signals[signal]} (${signal})`)
        else if (code !== 0) fail(code ?? 1, `ended with exit code ${code}`)
        resolve()
      })
    })
  })
  await Promise.all(over)
  return worst ?? 0
}
