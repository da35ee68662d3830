import { spawn } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Program, program } from '../transport/program.ts'

let tries: Program
beforeAll(async () => {
  tries = await program(`
    import { runMultiple } from './runtime/multiple.ts'
    import { createLocalTransport } from './src/transport/local.ts'

    const none = ['/nowhere/program']
    async function main() {
      const broken = async () => {
        throw new Error('not used')
      }
      // As everywhere but at a program's top: what the system says of a child comes after what is settled already.
      await undefined
      const failed = await createLocalTransport().pipe(none, broken).catch(({ message }) => message)
      const code = await runMultiple(2, none)
      console.log(JSON.stringify({ failed, code }))
      process.exit()
    }
    void main()
  `)
})
afterAll(() => tries.remove())

it('a program that could not be started is not ended by a signal to all of our own group', async () => {
  const stdio = ['pipe', 'pipe', 'ignore'] as const
  // Its shell is of the same group.
  const script = '"$0" "$1" && echo there'
  const argv = ['-c', script, process.execPath, tries.file]
  const child = spawn('sh', argv, { detached: true, stdio: [...stdio] })
  let said = ''
  child.stdout!.on('data', (text) => {
    said += text
  })
  const end = await new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })))
  expect(end).toEqual({ code: 0, signal: null })
  expect(said).toMatch(/there\n$/)
  expect(JSON.parse(said.split('\n')[0]!)).toEqual({
    failed: 'not used',
    code: 127,
  })
})
