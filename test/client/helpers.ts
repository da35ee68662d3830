import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** A program that runs, its output line by line. */
export interface Program {
  readonly pid: number
  /** The next line that it prints; undefined when there is none any more. */
  line(): Promise<string | undefined>
  stderr(): string
  signal(name: NodeJS.Signals): void
  /** How it ended, once all that it printed is here too. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; at: number }>
}

/** `farcall run` of a fixture program, as built. */
export function runProgram(name: string, args: readonly string[], env: Record<string, string>): Program {
  const argv = [`${root}dist/cli/main.js`, 'run', `${root}test/fixtures/programs/${name}`, '--', ...args]
  const child = spawn(process.execPath, argv, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const ended = new Promise<Awaited<Program['ended']>>((resolve) => {
    let at = 0
    child.on('exit', () => {
      at = Date.now()
    })
    // Its last words may be read only after its end is known.
    child.on('close', (code, signal) => resolve({ code, signal, at }))
  })
  return {
    pid: child.pid!,
    ended,
    line: async () => (await lines.next()).value as string | undefined,
    stderr: () => stderr,
    // One that has ended in the meantime is nothing to signal.
    signal: (name) => void child.kill(name),
  }
}

/** `farcall run` of a fixture program, as built; gives its first line, and the process to deal with. */
export async function startProgram(name: string, args: readonly string[], env: Record<string, string>) {
  const child = spawn(
    process.execPath,
    [`${root}dist/cli/main.js`, 'run', `${root}test/fixtures/programs/${name}`, '--', ...args],
    { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const first = await lines.next()
  if (first.done) throw new Error(`${name} printed nothing; stderr: ${stderr}`)
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  return {
    firstLine: first.value as string,
    /** Ends the program and all that it started here, at once, as a crash would; resolves when it is gone. */
    async kill() {
      process.kill(-child.pid!, 'SIGKILL')
      await ended
    },
  }
}
