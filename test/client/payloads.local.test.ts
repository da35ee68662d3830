import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { close, cluster, configure, currentTask, jobs, localMap } from '../../src/index.ts'
import { injectFaults } from '../../src/testing/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-payloads-'))
const workdir = `${folder}/work`

/** Operations on the place, but for the waits of its watcher. */
let operations = 0

beforeAll(() => {
  injectFaults({
    before: (_number, operation, argv) => {
      if (operation !== 'exec' || !argv.some((word) => word.includes('looks=$3'))) operations++
    },
  })
  const here = { scheduler: 'direct', workdir, keep: 'all' } as const
  configure({ store: `${folder}/store`, profiles: { here }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

const filesOf = (id: string) =>
  readdirSync(`${workdir}/jobs/${id}`, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())

describe('a map', () => {
  it('makes as many files and round trips for many items as for few', async () => {
    const echo = cluster({ chunk: 'auto' }, (item: { id: number; text: string }) => item)
    const run = async (count: number) => {
      const items = Array.from({ length: count }, (_, id) => ({ id, text: `${id} `.padEnd(1_000, 'x') }))
      operations = 0
      const array = echo.map(items, { chunk: Math.ceil(count / 4) })
      expect(await array).toEqual(items)
      const used = operations
      return { files: filesOf(array.id).length, operations: used }
    }
    await run(4)
    const few = await run(8)
    const many = await run(4_000)
    expect(many.files).toBeLessThanOrEqual(few.files + 4)
    // Arguments go by a transfer of their own, results are fetched, and the place may be asked in between: not for each item.
    expect(many.operations).toBeLessThanOrEqual(few.operations + 20)
  })

  it('stores what its items have in common once, and each item gets its own', async () => {
    const table = { rows: Array.from({ length: 20_000 }, (_, at) => ({ at, name: `row ${at}` })) }
    const data = Float64Array.from({ length: 100_000 }, (_, at) => at)
    const use = cluster((given: { table: typeof table; data: Float64Array; at: number }) => {
      const found = [given.table.rows[given.at]!.name, given.data[given.at]]
      given.table.rows[given.at + 1]!.name = 'changed'
      given.data[given.at + 1] = -1
      return found
    })
    const items = Array.from({ length: 40 }, (_, at) => ({ table, data, at }))
    const expected = items.map(({ at }) => [`row ${at}`, at])
    const whole = JSON.stringify(table).length + data.byteLength
    for (const options of [{ chunk: 40 }, { chunk: 7 }, { chunk: 20, cores: 2, coresPerItem: 1 }]) {
      const array = use.with(options).map(items)
      expect(await array).toEqual(expected)
      expect(statSync(`${workdir}/jobs/${array.id}/args.pack`).size).toBeLessThan(2.2 * whole)
    }
    // Calls that travel together, and a table that changes between them.
    const calls = items.slice(0, 5).map((item, at) => {
      const job = use(item)
      table.rows[at + 1]!.name = `later ${at + 1}`
      return job
    })
    expect(await Promise.all(calls)).toEqual(
      [0, 1, 2, 3, 4].map((at) => [`${at ? 'later' : 'row'} ${at}`, at]),
    )
  })

  it('does so when it is tried again, and its calls are cached by all that they hold', async () => {
    const table = Array.from({ length: 5_000 }, (_, at) => at)
    const flaky = cluster(
      { retry: { retries: 1, on: ['exception'], base: 0.05 }, chunk: 3 },
      (rows: number[], at: number) => {
        if (currentTask().attempt === 1 && at % 2 === 0) throw new Error('once')
        return rows[at]
      },
    )
    expect(await flaky.starmap([0, 1, 2, 3, 4].map((at) => [table, at]))).toEqual([0, 1, 2, 3, 4])
    const cached = cluster({ cache: true }, (rows: number[], at: number) => [rows[at], currentTask().id])
    const first = await cached.starmap([1, 2, 3].map((at) => [table, at]))
    expect(await cached.starmap([3, 2, 1].map((at) => [[...table], at]))).toEqual(first.toReversed())
    expect(await cached(table, 2)).toEqual(first[1])
  })
})

describe('random numbers', () => {
  it('are those of the item, whatever the chunk, side by side and on every try', async () => {
    const draw = cluster({ retry: { retries: 1, on: ['exception'], base: 0.05 } }, async (fail: boolean) => {
      const { random, item, attempt } = currentTask()
      const numbers = [random(), random(), random()]
      if (fail && attempt === 1) throw new Error('again')
      return { item, attempt, numbers }
    })
    const fails = [false, true, false, false, true, false, true]
    for (const options of [
      { chunk: 1 },
      { chunk: 3 },
      { chunk: 7 },
      { chunk: 4, cores: 2, coresPerItem: 1 },
    ]) {
      const array = draw.with(options).map(fails)
      const drawn = await array
      for (const [item, { attempt, numbers }] of drawn.entries()) {
        const random = seededRandom(array.id, item)
        expect(numbers).toEqual([random(), random(), random()])
        expect(attempt).toBe(fails[item] ? 2 : 1)
      }
    }
  })

  it('are those of the item in the threads of localMap, too', async () => {
    const draw = cluster({ cores: 2 }, (concurrency: number) =>
      localMap([0, 1, 2, 3], () => currentTask().random(), { concurrency }),
    )
    const [one, two] = await draw.map([1, 2], { chunk: 2 })
    expect(new Set(one).size).toBe(4)
    expect(two).not.toEqual(one)
  })
})

it('jobs() finds jobs by their tags', async () => {
  const square = cluster({ tags: ['thesis'] }, (n: number) => n * n)
  const array = square.with({ tags: ['thesis', 'chapter 2'] }).map([1, 2, 3])
  await array
  const job = square(4)
  await job
  const ids = async (tag: string) => (await jobs({ tag })).map(({ id }) => id).sort()
  expect(await ids('thesis')).toEqual([array.id, job.id].sort())
  expect(await ids('chapter 2')).toEqual([array.id])
  expect(await ids('chapter')).toEqual([])
})
