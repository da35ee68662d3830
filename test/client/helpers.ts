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
  /** How it ended. */
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
    child.on('exit', (code, signal) => resolve({ code, signal, at: Date.now() }))
  })
  return {
    pid: child.pid!,
    ended,
    line: async () => (await lines.next()).value as string | undefined,
    stderr: () => stderr,
    signal: (name) => process.kill(child.pid!, name),
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
  return {
    firstLine: first.value as string,
    /** Ends the program and all that it started here, at once, as a crash would. */
    kill() {
      process.kill(-child.pid!, 'SIGKILL')
    },
  }
}
