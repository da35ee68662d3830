import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Program, program } from '../transport/program.ts'

let tries: Program
beforeAll(async () => {
  tries = await program(`
    import { closeSync, openSync } from 'node:fs'
    import { npm } from './src/archive/build.ts'
    import { IdentitySource } from './src/executor/kubernetes/credentials.ts'

    const exec = { command: 'true', args: [], env: {}, apiVersion: 'client.authentication.k8s.io/v1' }
    const all = {
      plugin: () => new IdentitySource({ exec }, process.env).get(0),
      npm: () => npm('/', ['--version']),
    }

    async function main() {
      const files = []
      try {
        for (;;) files.push(openSync('/dev/null'))
      } catch {
        // as many as there may be
      }
      const failures = {}
      for (const [name, work] of Object.entries(all))
        failures[name] = await work().then(() => 'none', ({ message }) => message)
      for (const file of files) closeSync(file)
      console.log(JSON.stringify(failures))
    }
    void main()
  `)
})
afterAll(() => tries.remove())

it('where no more files can be opened, that is why npm or a login program could not be started', async () => {
  const script = 'ulimit -n 64; exec "$0" "$1"'
  const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, tries.file])
  expect(JSON.parse(stdout)).toEqual({
    plugin: 'true could not be started: spawn true EMFILE',
    npm: 'npm: spawn npm EMFILE',
  })
})
