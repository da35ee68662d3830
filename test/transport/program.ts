import { execFile, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { removeFolder } from '../remove-folder.ts'

export interface Program {
  readonly file: string
  remove(): void
}

/** Less than a test may take, so that what was said up to then is seen. */
const longestMs = 100_000

/** A program of its own that uses the sources: its text, from the root of the project. */
export async function program(contents: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-program-'))
  const file = join(folder, 'program.cjs')
  await build({
    stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    platform: 'node',
    outfile: file,
    external: ['*.node', 'cpu-features'],
    logLevel: 'error',
  })
  return { file, remove: () => removeFolder(folder) }
}

/** What a person at a terminal does: waits until the screen shows this, then types (or does) that. */
export type Typing = readonly (readonly [shown: string | RegExp, typed: string | (() => void)])[]

/** Runs node (or what is named) with these arguments on a terminal of its own; gives its exit code and what the screen showed. */
export function onTerminal(
  argv: readonly string[],
  typing: Typing = [],
  { executable = process.execPath, cwd = process.cwd(), env = process.env, rows = 33, columns = 101 } = {},
): Promise<{ exitCode: number; screen: string }> {
  const command = ['stty', 'rows', rows, 'cols', columns, '&&', 'exec', executable, ...argv].join(' ')
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd, env })
  let screen = ''
  let from = 0
  const left = [...typing]
  const look = (chunk: Buffer) => {
    screen += chunk.toString('utf8')
    for (let next = left[0]; next; next = left[0]) {
      const [shown, typed] = next
      const rest = screen.slice(from)
      const at = typeof shown === 'string' ? rest.indexOf(shown) : rest.search(shown)
      if (at < 0) return
      from = screen.length
      left.shift()
      if (typeof typed === 'string') child.stdin.write(typed)
      else typed()
    }
  }
  child.stdout.on('data', look)
  child.stderr.on('data', look)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    const timer = setTimeout(() => child.kill('SIGKILL'), longestMs)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ exitCode: code ?? -1, screen })
    })
  })
}

/** Runs node with these arguments and no terminal. */
export function withoutTerminal(argv: readonly string[], env = process.env) {
  return new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, argv, { env, timeout: longestMs }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    )
  })
}
