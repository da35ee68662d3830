import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { payload } from '../../src/testing/payload.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-'))
afterAll(() => removeFolder(folder))

it('arguments over 4 GB are refused by name, before anything is sent', async () => {
  const workdir = join(folder, 'work')
  await using executor = openExecutor({ scheduler: 'direct', workdir }, systemClock)
  await executor.open()
  const job = payload('() => 1')
  // One gigabyte that is never touched, five times.
  const large = new Uint8Array(2 ** 30)
  const submission = executor.submit({
    ...job,
    args: [job.args[0]!, ...new Array<Uint8Array>(5).fill(large)],
  })
  await expect(submission).rejects.toMatchObject({
    name: 'CaptureError',
    code: 'VALUE_REFUSED',
    message: expect.stringMatching(`job ${job.spec.id}: .* are 5.0 GB, and at most 4 GB travel`),
    hint: expect.stringContaining('files'),
  })
  expect(existsSync(join(workdir, 'jobs', job.spec.id))).toBe(false)
})
