import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Program, program } from './program.ts'

let tries: Program
beforeAll(async () => {
  tries = await program(`
    import { closeSync, openSync } from 'node:fs'
    import { createLocalTransport } from './src/transport/local.ts'
    import { connectionOver } from './src/transport/openssh-connection.ts'
    import { commandRoute } from './src/transport/ssh-route.ts'

    const local = createLocalTransport()
    const master = { name: 'h', host: 'h', controlPath: '/nowhere/s', end: async () => {} }
    const all = {
      exec: () => local.exec({ argv: ['true'] }),
      pipe: () => local.pipe(['true'], async () => {}),
      session: () => connectionOver(master).openChannel('true'),
      proxy: async () => commandRoute('true'),
    }
    const failure = (work) =>
      work().then(() => 'none', ({ code, transient, message }) => [code, transient, message].join(' '))

    async function main() {
      const files = []
      try {
        for (;;) files.push(openSync('/dev/null'))
      } catch {
        // as many as there may be
      }
      const failures = {}
      for (const [name, work] of Object.entries(all)) failures[name] = await failure(work)
      for (const file of files) closeSync(file)
      failures.later = await failure(all.exec)
      console.log(JSON.stringify(failures))
    }
    void main()
  `)
})
afterAll(() => tries.remove())

it('where no more files can be opened a program is not started, and that is told', async () => {
  const script = 'ulimit -n 64; exec "$0" "$1"'
  const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, tries.file])
  const why = 'could not be started: no more files can be opened (ulimit -n)'
  expect(JSON.parse(stdout)).toEqual({
    exec: `COMMAND_FAILED true true ${why}`,
    pipe: `COMMAND_FAILED true true ${why}`,
    session: `COMMAND_FAILED true ssh ${why}`,
    proxy: `COMMAND_FAILED true ${process.env['SHELL'] || '/bin/sh'} ${why}`,
    later: 'none',
  })
})
