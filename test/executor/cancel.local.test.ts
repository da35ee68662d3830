import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { FarcallError } from '../../src/core/errors.ts'
import { BatchExecutor } from '../../src/executor/batch/batch-executor.ts'
import { direct } from '../../src/scheduler/direct.ts'
import { payload } from '../../src/testing/payload.ts'
import { createLocalTransport } from '../../src/transport/local.ts'
import { removeFolder } from '../remove-folder.ts'

const workdir = mkdtempSync(join(tmpdir(), 'farcall-cancel-'))
afterAll(() => removeFolder(workdir))

it('with one that is not known cancels the others, and nothing that fails of that is left to nobody', async () => {
  const local = createLocalTransport()
  let fails = false
  const transport = {
    ...local,
    exec: async (...args: Parameters<typeof local.exec>) => {
      if (!fails) return local.exec(...args)
      fails = false
      await sleep(10)
      throw new FarcallError('COMMAND_FAILED', 'scancel does not answer')
    },
  }
  const executor = new BatchExecutor({
    profile: { scheduler: 'direct', workdir, grace: '1s' },
    scheduler: direct,
    transport,
    clock: systemClock,
    random: () => 0.5,
  })
  const job = payload('() => new Promise((resolve) => setTimeout(resolve, 600_000))')
  await executor.submit(job)
  const { id } = job.spec
  const both = () => executor.cancel([{ id }, { id: 'fzzzzzzzzzzzzz' }])
  fails = true
  await expect(both()).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
  // A rejection that nobody handles would be told by the runner of this test.
  await sleep(100)
  await expect(both()).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
  for await (const event of executor.events(new AbortController().signal))
    if (event.type === 'end') {
      expect(event.status.state).toBe('CANCELED')
      break
    }
  await executor[Symbol.asyncDispose]()
})
