import { expect, it } from 'vitest'
import { Paced } from '../../src/client/session/paced.ts'
import { FarcallError } from '../../src/core/errors.ts'

it('asks once in an interval, however many want to know', async () => {
  let [now, asked] = [1000, 0]
  const paced = new Paced(async () => ++asked, 10_000, { now: () => now })
  const answers = await Promise.all([paced.get(), paced.get(), paced.get()])
  expect(answers).toEqual(answers.map(() => ({ time: 1000, value: 1 })))
  now += 9_999
  expect(await paced.get()).toEqual({ time: 1000, value: 1 })
  now += 1
  expect(await paced.get()).toEqual({ time: 11_000, value: 2 })
})

it('does not ask more often because a scheduler does not answer, and asks again at once what somebody may have mended', async () => {
  let asked = 0
  const refused = (transient: boolean) => {
    const paced = new Paced(
      async () => {
        asked++
        throw new FarcallError('COMMAND_FAILED', 'no', { transient })
      },
      10_000,
      { now: () => 0 },
    )
    return paced
  }
  const down = refused(true)
  for (let n = 0; n < 3; n++) await expect(down.get()).rejects.toThrow('no')
  expect(asked).toBe(1)
  const wrong = refused(false)
  for (let n = 0; n < 3; n++) await expect(wrong.get()).rejects.toThrow('no')
  expect(asked).toBe(4)
})
