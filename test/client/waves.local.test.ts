import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  attach,
  close,
  cluster,
  configure,
  currentTask,
  type FarcallError,
  gather,
  jobs,
  range,
} from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-waves-'))

beforeAll(() => {
  const here = { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s', keep: 'all' } as const
  configure({ profiles: { here }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

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

  it('is let go once all of it is submitted, where parts wait for others', async () => {
    async function* slow() {
      yield 1
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      yield 2
    }
    const sleeps = cluster(async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 3_000))
      return n
    })
    const array = sleeps.map(slow(), { concurrency: 1, chunk: 1 })
    await array.detach()
    expect(await attach(array.id)).toEqual([1, 2])
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

describe('a map of several submissions', () => {
  it('is one map: on record, by its id, and for the function', async () => {
    const f = cluster((n: number) => {
      if (n === 10) throw new Error('ten')
      const { id, item } = currentTask()
      return { n, id, item }
    })
    const array = f.map(
      (function* () {
        for (let n = 0; n < 12; n++) yield n
      })(),
      { bufferSize: 4 },
    )
    const ends = await array.settled()
    expect(ends).toHaveLength(12)
    expect(ends[9]).toEqual({ status: 'fulfilled', value: { n: 9, id: array.id, item: 9 } })
    expect(ends[10]).toMatchObject({ status: 'rejected', reason: { message: 'ten', index: 10, input: '10' } })
    const { job } = await array.job(9)
    expect(job.id).toBe(`${array.id}[9]`)
    const rows = await jobs()
    expect(rows.filter(({ id }) => id === array.id)).toMatchObject([
      { items: 12, done: 11, failed: 1, status: { state: 'FAILED' } },
    ])
    const failed = await jobs({ state: 'FAILED' })
    expect(failed.filter(({ name }) => name === 'f').map(({ id }) => id)).toEqual([array.id])
    expect(await attach(`${array.id}[9]`)).toEqual({ n: 9, id: array.id, item: 9 })
    const again = attach(array.id)
    await expect(again).rejects.toMatchObject({ errors: [{ message: 'ten', index: 10 }] })
    expect(again.status().state).toBe('FAILED')
  })

  it('runs again what failed, wherever that was', async () => {
    const once = cluster({ chunk: 2 }, async (n: number) => {
      const { attempt } = currentTask()
      if (n % 5 === 0 && attempt === 1) throw new Error(`not yet ${n}`)
      return n
    })
    async function* inputs() {
      yield* range(12)
    }
    const array = once.map(inputs(), { bufferSize: 4 })
    await expect(array).rejects.toMatchObject({ errors: [{ index: 0 }, { index: 5 }, { index: 10 }] })
    const again = array.retryFailed()
    expect(await again).toEqual(range(12))
    expect(again.progress).toMatchObject({ total: 12, done: 12, failed: 0 })
  })
})

describe('gather', () => {
  it('awaits jobs, arrays and values, and tells of all that failed', async () => {
    const bad = cluster((n: number) => {
      throw new Error(`bad ${n}`)
    })
    expect(await gather([square(3), square.map([1, 2]), 'plain'])).toEqual([9, [1, 4], 'plain'])
    await expect(gather([bad(1), square(2), bad(3)])).rejects.toMatchObject({
      message: '2 of 3 failed; the first: bad 1',
      errors: [{ index: 0 }, { index: 2 }],
    })
  })
})

describe('a map in which items fail', () => {
  it('fails fast when told so', async () => {
    const gate = join(folder, 'two-are-done')
    const picky = cluster(async (n: number) => {
      const { existsSync } = await import('node:fs')
      while (n === 3 && !existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20))
      if (n === 3) throw new Error('not three')
      if (n > 3) await new Promise((resolve) => setTimeout(resolve, 60_000))
      return n
    })
    const array = picky.map([1, 2, 3, 4, 5], { onError: 'fail-fast', chunk: 1 })
    const failed = expect(array).rejects.toMatchObject({ message: 'not three', index: 2, input: '3' })
    for (const index of [0, 1]) expect(await (await array.job(index)).job).toBe(index + 1)
    writeFileSync(gate, '')
    await failed
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
