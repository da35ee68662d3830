import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type JobOptions, makeJob, nodeProgram, temporaryFolder } from './helpers.ts'

const two = (body: string, options: JobOptions = {}) =>
  makeJob({
    args: [[0], [1]],
    body,
    ...options,
    spec: { slots: { count: 2, cores: 1, gpus: 0 }, ...options.spec },
  })

describe('items of a member that run at once', () => {
  it('end with their member when the folder of one is gone: nobody waits for a record that does not come', async () => {
    const job = two(
      `if (args[0] === 1) (await import('node:fs')).rmSync(process.cwd(), { recursive: true })`,
      {
        spec: { stage: { in: [], out: ['*.txt'], cwd: '.', to: '' } },
      },
    )
    await job.run()
    const { end, records } = job.member(0)
    expect(end).toMatchObject({
      reason: 'exit-code',
      exitCode: 74,
      message: expect.stringMatching(/item 1: ENOENT/),
    })
    expect(records.map(({ index }) => index)).toEqual([0])
  })

  it('are told of by their end where the last words of a process were cut off', async () => {
    const job = two(`
      if (args[0] === 0) return 'done'
      const [workdir, id, attempt, member] = process.argv.slice(2)
      const { writeFileSync } = await import('node:fs')
      const run = workdir + '/jobs/' + id + '/run.' + attempt + '.' + member
      for (const slot of [0, 1]) writeFileSync(run + '/.slot.' + slot, '{"ended')
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => setInterval(() => {}, 1000))`)
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'signal',
      signal: 9,
      message: expect.stringMatching(/item 1: .* ended by SIGKILL/),
    })
  })

  it('are not waited for where no process can be started', async () => {
    const folder = temporaryFolder()
    const wrapper = join(folder, 'node')
    writeFileSync(join(folder, 'none.cjs'), "process.execPath = '/nowhere/node'")
    writeFileSync(wrapper, `#!/bin/sh\nexec '${nodeProgram}' --require '${join(folder, 'none.cjs')}' "$@"\n`)
    chmodSync(wrapper, 0o755)
    const job = two('return args[0]', { script: { environment: { node: wrapper } } })
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringMatching(
        /a process for its items did not start on .*: spawn \/nowhere\/node ENOENT/,
      ),
    })
  })
})
