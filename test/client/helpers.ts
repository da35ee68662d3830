import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

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
