import { expect, it, vi } from 'vitest'
import { cancelItems } from '../../src/client/job/job.ts'
import type { Session } from '../../src/client/session/session.ts'
import { Submission } from '../../src/client/submission/submission.ts'
import { systemClock } from '../../src/core/clock.ts'
import { SubmitError } from '../../src/core/errors.ts'
import { resolveRetry } from '../../src/core/resolve-retry.ts'
import type { Executor } from '../../src/executor/executor.ts'
import { payload } from '../../src/testing/payload.ts'

it('a call whose next attempt is held back is canceled as any', async () => {
  const retry = resolveRetry({ retries: 2, base: '1ms', on: ['signal'] })
  const { spec } = payload('() => 1', { spec: { retry } })
  const submission = new Submission(spec.id)
  const item = submission.add({})
  const silent = new SubmitError('SUBMIT_REFUSED', 'sbatch: no answer', { transient: true })
  const executor = {
    traits: {},
    retry: () => Promise.reject(silent),
    cancel: async () => {},
  } as unknown as Executor
  const tools = { clock: systemClock, random: Math.random, client: 'c' }
  submission.decoder = { classes: new Map(), map: undefined }
  submission.begin({ spec, executor, tools })
  submission.made(spec, '1')
  const status = { state: 'FAILED', reason: 'signal' } as const
  submission.handle({ type: 'end', id: spec.id, member: 0, status, complete: true })
  await vi.waitUntil(() => item.status.message?.includes('does not answer just now'), 20_000)
  const handle = { submission, session: Promise.resolve({} as Session), seal: () => {} }
  await cancelItems(handle, [item], new Error('enough'))
  await expect(item.settled.promise).rejects.toMatchObject({ name: 'JobCanceledError' })
  expect(item.status).toMatchObject({ state: 'CANCELED', reason: 'by-user' })
})
