import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { Paced } from '../../src/client/session/paced.ts'
import { close, configure, watchReports } from '../../src/index.ts'

afterEach(() => vi.restoreAllMocks())
afterAll(close)

it('no report tells again what the one before it told, as often as the place may be asked', async () => {
  configure({ profiles: { here: { scheduler: 'direct', queryInterval: '1s' } } })
  const { get } = Paced.prototype
  // The first question is put a moment after the report was begun.
  vi.spyOn(Paced.prototype, 'get').mockImplementationOnce(async function (this: Paced<unknown>) {
    await sleep(100)
    return get.call(this)
  })
  const times: number[] = []
  for await (const { time } of watchReports({ profile: 'here', every: '1s' }))
    if (times.push(time) === 3) break
  for (const [at, time] of times.entries())
    if (at > 0) expect(time - times[at - 1]!).toBeGreaterThanOrEqual(1000)
})
