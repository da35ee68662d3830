import { describe, expect, it } from 'vitest'
import { cluster, type FarcallError } from '../../src/index.ts'

const square = cluster((n: number) => n * n)

describe('a map over inputs that come one by one', () => {
  it('runs them in waves, and gives the results in their order', async () => {
    async function* inputs() {
      for (let n = 0; n < 25; n++) yield n
    }
    const array = square.map(inputs(), { bufferSize: 10 })
    expect(await array).toEqual(Array.from({ length: 25 }, (_, n) => n * n))
    expect(array.progress).toMatchObject({ total: 25, done: 25, failed: 0 })
  })

  it('never reads further ahead than its buffer, and is left by break', async () => {
    let [read, returned] = [0, false]
    function* endless() {
      try {
        for (;;) yield read++
      } finally {
        returned = true
      }
    }
    const array = square.map(endless(), { bufferSize: 8 })
    let seen = 0
    for await (const { index, value } of array) {
      expect(value).toBe(index * index)
      seen++
      expect(read - seen).toBeLessThanOrEqual(8)
      if (seen === 30) break
    }
    expect(returned).toBe(true)
    await expect(array).rejects.toMatchObject({ name: 'JobCanceledError' })
  })

  it('sends what a slow producer has given so far', async () => {
    let release = () => {}
    async function* slow() {
      yield 2
      await new Promise<void>((resolve) => {
        release = resolve
      })
      yield 3
    }
    const array = square.map(slow())
    const loop = array[Symbol.asyncIterator]()
    expect((await loop.next()).value).toEqual({ index: 0, value: 4 })
    release()
    expect((await loop.next()).value).toEqual({ index: 1, value: 9 })
    expect((await loop.next()).done).toBe(true)
  })

  it('tells which input could not be read, and what became of those before it', async () => {
    async function* broken() {
      for (let n = 0; n < 6; n++) yield n
      throw new Error('no more paper')
    }
    const array = square.map(broken(), { bufferSize: 4 })
    const error = (await array.catch((e: unknown) => e)) as FarcallError & { index: number }
    expect(error).toMatchObject({ code: 'INPUT_FAILED', index: 6, cause: { message: 'no more paper' } })
    const ends = await array.settled()
    expect(ends.slice(0, -1).map((end) => end.status === 'fulfilled' && end.value)).toEqual([
      0, 1, 4, 9, 16, 25,
    ])
    expect(ends.at(-1)).toMatchObject({ status: 'rejected', reason: { index: 6 } })
  })

  it('is canceled with what it has not sent', async () => {
    const array = square.map(
      (async function* () {
        yield 1
        await new Promise(() => {})
      })(),
    )
    await array.cancel('enough')
    await expect(array).rejects.toMatchObject({ name: 'JobCanceledError' })
  })
})

describe('a map whose array is larger than one submission', () => {
  it('fails fast when told so', async () => {
    const picky = cluster(async (n: number) => {
      if (n === 3) throw new Error('not three')
      if (n > 3) await new Promise((resolve) => setTimeout(resolve, 60_000))
      return n
    })
    const array = picky.map([1, 2, 3, 4, 5], { onError: 'fail-fast', chunk: 1 })
    await expect(array).rejects.toMatchObject({ message: 'not three', index: 2, input: '3' })
    const ends = await array.settled()
    expect(ends.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ])
  })

  it('names index and input of what failed', async () => {
    const picky = cluster((one: { n: number }) => {
      if (one.n % 2) throw new Error(`odd: ${one.n}`)
      return one.n
    })
    const error = (await picky.map([{ n: 1 }, { n: 2 }, { n: 3 }]).catch((e: unknown) => e)) as AggregateError
    expect(error.message).toContain('2 of 3 items failed; the first: odd: 1 (item 0, input { n: 1 })')
    expect(error.errors).toMatchObject([
      { index: 0, input: '{ n: 1 }' },
      { index: 2, input: '{ n: 3 }' },
    ])
  })
})
