import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { program } from './program.ts'

/**
 * What each of `all` (in `setup`, functions by name) comes to where no more files can be opened: a text that `tell` makes
 * of the failure, or 'none'; and as `later` the first of them once files can be opened again.
 */
export async function whereNoMoreFilesOpen(setup: string, tell: string): Promise<Record<string, string>> {
  const tries = await program(`
    import { closeSync, openSync } from 'node:fs'
    ${setup}
    const outcome = (work) => work().then(() => 'none', ${tell})

    async function main() {
      const files = []
      try {
        for (;;) files.push(openSync('/dev/null'))
      } catch {
        // as many as there may be
      }
      const outcomes = {}
      for (const [name, work] of Object.entries(all)) outcomes[name] = await outcome(work)
      for (const file of files) closeSync(file)
      outcomes.later = await outcome(Object.values(all)[0])
      console.log(JSON.stringify(outcomes))
    }
    void main()
  `)
  try {
    const script = 'ulimit -n 64; exec "$0" "$1"'
    const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, tries.file])
    return JSON.parse(stdout)
  } finally {
    tries.remove()
  }
}
