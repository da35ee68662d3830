import { afterAll, expect, it, vi } from 'vitest'
import { followToEnd } from '../../src/cli/follow.ts'
import { Job } from '../../src/client/job/job.ts'
import type { Session } from '../../src/client/session/session.ts'
import { Submission } from '../../src/client/submission/submission.ts'
import { newJobId } from '../../src/core/ids.ts'
import type { JobSpec } from '../../src/core/protocol.ts'
import type { Executor } from '../../src/executor/executor.ts'

const unhandled = vi.fn()
process.on('unhandledRejection', unhandled)
afterAll(() => void process.off('unhandledRejection', unhandled))

/** A job that runs, and whose log cannot be read. */
function running() {
  const submission = new Submission(newJobId())
  const item = submission.add({})
  const logs = () => Promise.reject(new Error('its log is gone'))
  submission.submitted = { spec: { chunk: 1 } as JobSpec, executor: { logs } as unknown as Executor }
  const session = Promise.resolve({} as Session)
  return { submission, item, job: new Job<number>({ submission, session, seal: () => {} }, item) }
}

it('a log that cannot be read is told of when the job has ended', async () => {
  const { submission, item, job } = running()
  const following = followToEnd(job, { json: false, prints: 'beside' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  submission.settle(item, { state: 'COMPLETED' }, () => item.settled.resolve(42))
  await expect(following).rejects.toThrow('its log is gone')
  expect(unhandled).not.toHaveBeenCalled()
})

it('how the job failed says more', async () => {
  const { submission, item, job } = running()
  const following = followToEnd(job, { json: false, prints: 'beside' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  submission.settle(item, { state: 'FAILED' }, () => item.settled.reject(new Error('out of memory')))
  await expect(following).rejects.toThrow('out of memory')
})
