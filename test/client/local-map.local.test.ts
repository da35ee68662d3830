import { mkdtempSync } from 'node:fs'
import { Socket } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, threadId } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { close, cluster, configure, currentTask, localMap } from '../../src/index.ts'
import { lineOf } from '../line-of.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-threads-test-'))

beforeAll(() =>
  configure({
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s' } },
    defaultProfile: 'here',
  }),
)
afterAll(async () => {
  await close()
  removeFolder(folder)
})

class Point {
  readonly x: number
  readonly #hidden: number
  constructor(x: number) {
    this.x = x
    this.#hidden = x * 10
  }
  get hidden(): number {
    return this.#hidden
  }
}
class Unstable extends Error {
  code = 7
}
let table: number[] = []
const cache = new Map<string, number>()
function prepare(): void {
  table = [100]
  cache.set('k', 1000)
}
function helper(x: number): number {
  return x * 2 + (table[0] ?? 0) + (cache.get('k') ?? 0)
}
const range = (n: number) => Array.from({ length: n }, (_, i) => i)

describe('localMap in a job', () => {
  const inJob = cluster({ cores: 2 }, async () => {
    prepare()
    const k = 3
    const point = new Point(1)
    const add = (y: number) => y + k
    function countDown(n: number): number {
      return n === 0 ? k : countDown(n - 1)
    }
    return {
      captured: await localMap(range(50), (x) => add(x) + helper(x) + point.hidden + countDown(x)),
      named: await localMap(range(3), add),
      declared: await localMap(range(3), helper),
      builtin: await localMap([1, 4, 9], Math.sqrt),
      instances: (await localMap(range(3), (x) => new Point(x))).map((p) => [p instanceof Point, p.hidden]),
      async: await localMap(range(3), async (x) => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        return new Date(x)
      }),
      nested: await localMap([1, 2], (a) => localMap([1, 2, 3], (b) => a * b * k)),
      threads: await localMap(range(20), () => [isMainThread, threadId]),
      main: [isMainThread, threadId],
    }
  })

  it('runs the function as it was, in the order of the items, in threads that stay', async () => {
    const seen = await inJob()
    expect(seen.captured).toEqual(range(50).map((x) => x + 3 + x * 2 + 1100 + 10 + 3))
    expect(seen.named).toEqual([3, 4, 5])
    expect(seen.declared).toEqual([1100, 1102, 1104])
    expect(seen.builtin).toEqual([1, 2, 3])
    expect(seen.instances).toEqual([0, 1, 2].map((x) => [true, x * 10]))
    expect(seen.async).toEqual([0, 1, 2].map((x) => new Date(x)))
    expect(seen.nested).toEqual([
      [3, 6, 9],
      [6, 12, 18],
    ])
    expect(seen.main).toEqual([true, 0])
    expect(seen.threads.every(([main]) => main === false)).toBe(true)
    // Eight calls before it used the same ones.
    expect(Math.max(...seen.threads.map(([, id]) => Number(id)))).toBeLessThanOrEqual(
      Math.min(2, availableParallelism()),
    )
  })

  it('shares SharedArrayBuffers, captured, in items and in results, and copies the rest', async () => {
    const [shared, copied, same] = await cluster({ cores: 2 }, async () => {
      const sums = new Float64Array(new SharedArrayBuffer(8 * 4))
      const plain = new Float64Array(4)
      await localMap(range(4), (i) => {
        sums[i] = i + 0.5
        plain[i] = 1
      })
      const items = range(4).map((i) => ({ i, sums }))
      const back = await localMap(items, (item) => {
        item.sums[item.i] = item.sums[item.i]! * 2
        return item.sums
      })
      sums[0] = 9
      return [[...sums], [...plain], back.every((one) => one[0] === 9)]
    })()
    expect(shared).toEqual([9, 3, 5, 7])
    expect(copied).toEqual([0, 0, 0, 0])
    expect(same).toBe(true)
  })

  it('rejects with the first error, its class, index and line, and begins nothing more', async () => {
    const job = cluster({ cores: 2 }, async () => {
      const begun = new Int32Array(new SharedArrayBuffer(4))
      const fail = localMap(
        range(1000),
        async (x) => {
          Atomics.add(begun, 0, 1)
          console.log(`item ${x} in a thread`)
          await new Promise((resolve) => setTimeout(resolve, 5))
          if (x === 3) throw new Unstable(`no ${x}`)
        },
        { concurrency: 2 },
      )
      const error = await fail.catch((reason) => reason)
      const count = begun[0]!
      await new Promise((resolve) => setTimeout(resolve, 100))
      const later = begun[0]! - count
      // The pool is whole again.
      if ((await localMap([1], (x) => x + later))[0] !== 1) throw new Error(`${later} went on`)
      if (!(error instanceof Unstable) || count > 100) throw new Error(`wrong: ${error} ${count}`)
      throw error
    })()
    const error = (await job.catch((reason) => reason)) as Unstable & { index: number }
    expect(error).toBeInstanceOf(Unstable)
    expect(error).toMatchObject({ message: 'no 3', code: 7, index: 3 })
    expect(error.stack).toContain(
      `local-map.local.test.ts:${lineOf(import.meta.url, 'if (x === 3) throw new Unstable')}:`,
    )
    const lines: string[] = []
    for await (const line of job.logs()) lines.push(line)
    expect(lines).toContain('item 3 in a thread')
  })

  it('names process.exit, a full heap and an exception that nobody catches, with the item', async () => {
    const errors = await cluster({ cores: 2, memory: '400MB' }, async () => {
      const tell = (error: Error & { code?: string; index?: number }) => [
        error.code,
        error.index,
        error.message,
      ]
      return [
        await localMap(range(4), (x) => {
          if (x === 2) process.exit(4)
        }).catch(tell),
        await localMap(range(2), (x) => {
          const all: unknown[] = []
          for (; x === 1; ) all.push({ list: [x, x, x] })
        }).catch(tell),
        await localMap([0], async (x) => {
          setTimeout(() => {
            throw new RangeError(`late ${x}`)
          }, 5)
          await new Promise((resolve) => setTimeout(resolve, 5_000))
        }).catch(tell),
        await localMap(range(3), (x) => (x === 1 ? new Promise(() => {}).constructor : x)).catch(tell),
      ]
    })()
    const [exit, heap, late, refused] = errors as [string, number, string][]
    expect(exit!.slice(0, 2)).toEqual(['THREAD_ENDED', 2])
    expect(exit![2]).toMatch(/^localMap: process\.exit\(4\) was called in item 2\n {2}hint/)
    expect(heap!.slice(0, 2)).toEqual(['THREAD_ENDED', 1])
    expect(heap![2]).toMatch(/^localMap: the heap of its thread is full in item 1 \(113 MB, /)
    expect(late!.slice(1)).toEqual([0, 'late 0'])
    expect(refused![2]).toMatch(/^results\[1\]: the function Promise cannot travel/)
  })

  it('refuses by name what cannot go to another thread', async () => {
    const refusals = await cluster({ cores: 2 }, async () => {
      const socket = new Socket()
      const made = (
        (f: (x: number) => number) => (x: number) =>
          f(x)
      )(Math.sqrt)
      const tell = (error: Error) => error.message.split('\n')[0]
      return [
        await localMap([1], () => socket.readable).catch(tell),
        await localMap([1], (x) => made(x)).catch(tell),
        await localMap([1], made).catch(tell),
        await localMap([{ at: [socket] }], (x) => x.at.length).catch(tell),
      ]
    })()
    expect(refusals).toEqual([
      "localMap: captured 'socket': a net.Socket cannot travel",
      "localMap: captured 'made': the function (anonymous) cannot go to another thread: it was made while the job ran",
      'localMap: the function (anonymous) cannot go to another thread: it was made while the job ran',
      'items[0].at[0]: a net.Socket cannot travel',
    ])
  })

  it('refuses at the call what its threads would lose', async () => {
    const counts = cluster(async () => {
      let total = 0
      await localMap([1, 2], (x) => {
        total += x
      })
      return total
    })
    await expect(counts()).rejects.toThrow(
      /local-map\.local\.test\.ts:\d+:9 the function assigns to 'total' outside of it: the change would stay in its thread\n {2}hint: return/,
    )
    const shadows = cluster(async () => {
      const k = 1
      const scale = (x: number) => x * k
      {
        const k = 2
        return [k, await localMap([1], scale)]
      }
    })
    await expect(shadows()).rejects.toThrow(/scale needs 'k' in another thread, which is another variable/)
  })

  it('gives each item the same random numbers, whichever thread runs it', async () => {
    const draw = cluster({ cores: 2 }, async () => {
      const calls = [1, 2].map((concurrency) =>
        localMap(range(6), () => currentTask().random(), { concurrency }),
      )
      return Promise.all(calls)
    })
    const job = draw()
    const expected = [0, 1].map((call) =>
      range(6).map((index) => seededRandom(job.id, 0, 'localMap', call, index)()),
    )
    expect(await job).toEqual(expected)
  })
})

describe('localMap outside of a job', () => {
  it('works in a plain program, and under .local()', async () => {
    const k = 3
    const shared = new Int32Array(new SharedArrayBuffer(12))
    const results = await localMap(new Set([0, 1, 2]), (i) => {
      shared[i] = i + 1
      return { i, sum: helper(i) + k, main: isMainThread }
    })
    expect(results).toEqual([0, 1, 2].map((i) => ({ i, sum: helper(i) + 3, main: false })))
    expect([...shared]).toEqual([1, 2, 3])
    const remote = cluster(async (n: number) =>
      localMap(range(n), (x) => [x * k, currentTask().id, currentTask().random()]),
    )
    const [first, second] = [await remote.local(2), await remote.local(2)]
    expect(first.map(([x, id]) => [x, id])).toEqual([
      [0, 'local'],
      [3, 'local'],
    ])
    expect(second).toEqual(first)
  })

  it('throws what the function threw, with its line and index', async () => {
    const error = await localMap([1, 2], (x) => {
      if (x === 2) throw new Unstable(`plain ${x}`)
    }).catch((reason) => reason)
    expect(error).toBeInstanceOf(Unstable)
    expect(error).toMatchObject({ code: 7, index: 1, message: 'plain 2' })
    expect(error.stack).toMatch(/local-map\.local\.test\.ts:\d+:\d+\)?\n {4}at <localMap>/)
  })

  it('refuses what it cannot do, in words', async () => {
    await expect(localMap([1], (x) => x, { concurrency: 0 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await expect(localMap([1], (x) => x, { threads: 2 } as never)).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
    })
    await expect(localMap(5 as never, (x) => x)).rejects.toThrow('expected an array, or another iterable')
    await expect(localMap([1], undefined as never)).rejects.toThrow('expected a function')
    const socket = new Socket()
    await expect(localMap([1], () => socket.readable)).rejects.toThrow(
      /captured 'socket': a net\.Socket cannot travel/,
    )
    await expect(localMap([1], () => currentTask().id)).rejects.toMatchObject({ code: 'NOT_IN_JOB' })
    expect(await localMap([], (x) => x)).toEqual([])
  })
})
