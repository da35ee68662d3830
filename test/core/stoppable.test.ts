import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { stoppable, unlessStopped } from '../../src/core/stoppable.ts'

function counting(signal?: AbortSignal) {
  const closed = { done: false }
  const numbers = stoppable(signal, async function* (stop) {
    try {
      for (let n = 0; !stop.aborted; n++) {
        yield n
        await systemClock.sleep(60_000, stop)
      }
    } finally {
      closed.done = true
    }
  })
  return { numbers, closed }
}

describe('what can be stopped', () => {
  it('ends while it waits, by its signal, and says done', async () => {
    const controller = new AbortController()
    const { numbers, closed } = counting(controller.signal)
    expect(await numbers.next()).toEqual({ value: 0, done: false })
    const next = numbers.next()
    controller.abort()
    expect(await next).toEqual({ value: undefined, done: true })
    expect(closed.done).toBe(true)
  })

  it('ends while it waits, by return()', async () => {
    const { numbers, closed } = counting()
    await numbers.next()
    const next = numbers.next()
    expect(await numbers.return()).toEqual({ value: undefined, done: true })
    expect(await next).toEqual({ value: undefined, done: true })
    expect(closed.done).toBe(true)
  })

  it('ends with the loop, and begins nothing when the signal has aborted before', async () => {
    const { numbers, closed } = counting()
    for await (const n of numbers) if (n === 0) break
    expect(closed.done).toBe(true)
    expect(await counting(AbortSignal.abort()).numbers.next()).toEqual({ value: undefined, done: true })
  })

  it('waits for work no longer than that, whatever becomes of it', async () => {
    const controller = new AbortController()
    const work = unlessStopped(
      new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 20)),
      controller.signal,
    )
    controller.abort()
    expect(await work).toBeUndefined()
    expect(await unlessStopped(Promise.reject(new Error('late')), controller.signal)).toBeUndefined()
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(await unlessStopped(Promise.resolve(1), new AbortController().signal)).toBe(1)
  })
})
