import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { LaunchError } from './arguments.ts'

/** Between two looks at whether a rank has failed, and from then on until the launcher is asked to end, and ended. */
const [lookMs, graceMs] = [500, 10_000]
/** Of what a launcher says, so much is looked at for why a rank ended. */
const most = 65_536

/** How a launcher ended, and what it said. */
export interface LaunchEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly said: string
}

/** A launcher that runs. One that lets ranks run on when one of them has failed is ended. */
export class Launched {
  readonly #child: ChildProcess
  /** @throws (by rejecting) LaunchError where there is no such launcher */
  readonly over: Promise<LaunchEnd>

  /** `log`: where what it says goes. */
  constructor(
    [file, ...args]: readonly string[],
    env: NodeJS.ProcessEnv,
    log: string,
    hasFailed: () => boolean,
  ) {
    // Its end of stdin tells the launcher of our own that this process is gone.
    const child = spawn(file!, args, { env, stdio: ['pipe', 'inherit', 'pipe'] })
    this.#child = child
    let said = ''
    child.stderr!.on('data', (bytes: Buffer) => {
      appendFileSync(log, bytes, { mode: 0o600 })
      said = (said + bytes.toString('utf8')).slice(-most)
    })
    // It may be gone just now: its end is told.
    child.stdin!.on('error', () => {})
    let seen: number | undefined
    const looking = setInterval(() => {
      if (seen === undefined) {
        if (hasFailed()) seen = Date.now()
        return
      }
      const waited = Date.now() - seen
      if (waited > 2 * graceMs) child.kill('SIGKILL')
      else if (waited > graceMs) child.kill('SIGTERM')
    }, lookMs)
    this.over = new Promise<LaunchEnd>((resolve, reject) => {
      child.on('error', (error) => {
        clearInterval(looking)
        reject(missing(file!, error))
      })
      child.on('close', (code, signal) => {
        clearInterval(looking)
        resolve({ code, signal, said })
      })
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

/** Why there is no such launcher, and the way out. */
export function missing(launcher: string, cause: Error): LaunchError {
  const hint =
    launcher === 'srun'
      ? "set launcher: 'multiple' for processes on one node, or 'mpirun'"
      : "load the module of an MPI (environment: { modules: ['openmpi'] }), or set launcher: 'multiple' for processes on one node"
  return new LaunchError(
    `the launcher ${launcher} could not be started on ${hostname()} (${cause.message}): ${hint}`,
  )
}
