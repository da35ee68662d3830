import { expect, it } from 'vitest'
import { outlastSilence, patienceMs, silentMs } from '../../src/client/retries/outlast-silence.ts'
import { Submission } from '../../src/client/submission/submission.ts'
import type { Clock } from '../../src/core/clock.ts'
import { JobCanceledError, SubmitError } from '../../src/core/errors.ts'
import { newJobId } from '../../src/core/ids.ts'

const silent = () => new SubmitError('SUBMIT_REFUSED', 'sbatch: no answer\nand more', { transient: true })

/** Time goes by only where it is waited for. */
function asked(during = () => {}) {
  const submission = new Submission(newJobId())
  submission.add({})
  for (const { settled } of submission.items) settled.promise.catch(() => {})
  let now = 1_000_000
  const waits: number[] = []
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      waits.push(ms)
      now += ms
      during()
    },
  }
  return { submission, items: submission.items, clock, random: () => 0, waits }
}

it('a scheduler that does not answer is asked again until it does', async () => {
  const messages: unknown[] = []
  const one = asked(() => messages.push(one.submission.items[0]!.status))
  let times = 0
  const submit = async () => {
    if (++times < 4) throw silent()
    return 'taken'
  }
  expect(await outlastSilence(one, submit)).toBe('taken')
  expect(one.waits).toEqual([silentMs, silentMs, silentMs])
  expect(messages[0]).toEqual({
    state: 'QUEUED',
    message: 'sbatch: no answer: the scheduler does not answer just now; it is submitted once it does',
  })
})

it('after five minutes its words are the error', async () => {
  const one = asked()
  await expect(outlastSilence(one, () => Promise.reject(silent()))).rejects.toThrow('sbatch: no answer')
  expect(one.waits.reduce((sum, ms) => sum + ms)).toBe(patienceMs)
})

it('what is refused for good is an error at once', async () => {
  const one = asked()
  const refused = new SubmitError('SUBMIT_REFUSED', 'no such partition')
  await expect(outlastSilence(one, () => Promise.reject(refused))).rejects.toBe(refused)
  expect(one.waits).toEqual([])
})

it('a cancel ends the wait', async () => {
  const one = asked(() => {
    one.submission.canceling = new Error('enough')
  })
  await expect(outlastSilence(one, () => Promise.reject(silent()))).rejects.toThrow(JobCanceledError)
  expect(one.waits).toHaveLength(1)
})
