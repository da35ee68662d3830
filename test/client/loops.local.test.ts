import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, JobCanceledError, jobs } from '../../src/index.ts'
import { lineOf } from '../line-of.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-loops-'))
const warnings: string[] = []
const listen = (warning: Error) => warnings.push(warning.message)

beforeAll(() => {
  configure({
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work` } },
    defaultProfile: 'here',
  })
  process.on('warning', listen)
})
afterAll(async () => {
  process.off('warning', listen)
  await close()
  removeFolder(folder)
})

const stations = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]

class Model {
  static factor = 10
  readonly #secret = 0.1
  steps = 0

  @cluster({ parallel: 'auto', chunk: 2, tags: ['sweep'] })
  static async sweep(xs: number[], { scale = 3 } = {}) {
    const out: number[] = []
    const pids = new Set<number>()
    let total = 0
    for (const x of xs) {
      const y = x * scale + this.factor
      out.push(y)
      pids.add(process.pid)
      total += y * 0.1
    }
    return { out, total, pids }
  }

  @cluster({ parallel: 'strict', chunk: 1 })
  async run(count: number) {
    this.steps++
    const pids = [process.pid]
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) {
      values[i] = i * this.#secret
      pids.push(process.pid)
    }
    pids.push(process.pid)
    return { values, pids, steps: this.steps }
  }
}

describe('a function with parallel', () => {
  it('gives what it gives in order, its turns in processes of their own', async () => {
    const xs = [1, 2.5, 3.1, 0.7, 5]
    const { out, total, pids } = await Model.sweep(xs)
    expect(out).toEqual(xs.map((x) => x * 3 + 10))
    let wanted = 0
    for (const x of xs) wanted += (x * 3 + 10) * 0.1
    expect(total).toBe(wanted)
    expect(pids.size).toBe(3)
    expect(pids.has(process.pid)).toBe(false)
    // What stands around the loop is light: the turns are the only job.
    const found = await jobs({ tag: 'sweep' })
    expect(found.map(({ items }) => items)).toEqual([5])
  })

  it('runs what stands around the loop once, with the object and its #private fields', async () => {
    const model = new Model()
    const { values, pids, steps } = await model.run(4)
    expect([...values]).toEqual([0, 0.1, 0.2, 3 * 0.1])
    expect(steps).toBe(1)
    expect(model.steps).toBe(0)
    expect(new Set(pids).size).toBe(6)
  })

  it('keeps what objects know of one another', async () => {
    const pairs = cluster(
      { parallel: 'auto', chunk: 1 },
      async (points: { id: number; seen?: boolean }[]) => {
        const near: string[] = []
        const found: typeof points = []
        for (const a of points) {
          found.push(a)
          for (const b of points) if (a !== b) near.push(`${a.id}${b.id}`)
        }
        for (const one of found) one.seen = true
        return { near, points, same: found.every((one, i) => one === points[i]) }
      },
    )
    expect(await pairs([{ id: 1 }, { id: 2 }, { id: 3 }])).toEqual({
      near: ['12', '13', '21', '23', '31', '32'],
      points: [1, 2, 3].map((id) => ({ id, seen: true })),
      same: true,
    })
  })

  it('goes over captured objects, which stay what they are', async () => {
    const names = cluster({ parallel: 'auto', chunk: 1 }, async () => {
      const first = stations[0]
      return stations.map((one) => [one.name, one === first, stations.indexOf(one)] as const)
    })
    expect(await names()).toEqual([
      ['a', true, 0],
      ['b', false, 1],
      ['c', false, 2],
    ])
  })

  it('fails as the first turn that fails, at its line', async () => {
    const work = cluster({ parallel: 'auto', chunk: 1 }, async (xs: number[]) => {
      const out: number[] = []
      for (const x of xs) {
        if (x > 2) throw new RangeError(`${x} is too large`)
        out.push(x)
      }
      return out
    })
    const error = (await work([1, 2, 3, 4]).catch((thrown) => thrown)) as Error
    expect(error).toBeInstanceOf(RangeError)
    expect(error.message).toBe('3 is too large')
    const line = lineOf(import.meta.url, 'if (x > 2) throw new RangeError')
    expect(error.stack).toMatch(new RegExp(`loops\\.local\\.test\\.ts:${line}:26\\)?\\n`))
  })

  it('says once why a loop stays, with its line, and runs the function as it is', async () => {
    const work = cluster({ parallel: 'auto' }, async (xs: number[]) => {
      let total = 0
      const sums: number[] = []
      for (const x of xs) {
        total += x
        sums.push(total)
      }
      return sums
    })
    expect(await Promise.all([work([1, 2, 3]), work([4])])).toEqual([[1, 3, 6], [4]])
    await new Promise((resolve) => setImmediate(resolve))
    const line = lineOf(import.meta.url, 'sums.push(total)')
    const text = `loops.local.test.ts:${line} not parallelised: reads 'total' while the loop writes it`
    expect(warnings.filter((one) => one === text)).toHaveLength(1)
  })

  it('runs a loop where it stands when only the running program knows why', async () => {
    const work = cluster({ parallel: 'auto', chunk: 1 }, async (xs: number[]) => {
      const shown = { draw: (x: number) => x * 2 }
      const out: number[] = []
      for (const x of xs) {
        const { draw } = shown
        out.push(typeof draw === 'function' ? x : 0)
      }
      return out
    })
    expect(await work([1, 2, 3])).toEqual([1, 2, 3])
    // Warnings come a tick later.
    await new Promise((resolve) => setImmediate(resolve))
    const said = warnings.filter((one) => one.includes("not parallelised: 'shown.draw' cannot travel"))
    expect(said).toHaveLength(1)
  })

  it('is canceled as one, while its turns run', async () => {
    const work = cluster({ parallel: 'auto', chunk: 1 }, async (xs: number[]) => {
      const out: number[] = []
      for (const x of xs) {
        await new Promise((resolve) => setTimeout(resolve, x))
        out.push(x)
      }
      return out
    })
    const job = work([60_000, 60_000])
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    await job.cancel()
    expect(await job.catch((thrown) => thrown)).toBeInstanceOf(JobCanceledError)
  })

  it('is no option but auto, strict and false', () => {
    expect(() => cluster({ parallel: 'yes' as never }, () => 1)).toThrow(
      "parallel: expected 'auto', 'strict' or false",
    )
  })

  it('is the same in the standard dialect of decorators', async () => {
    const program = runProgram('loops.ts', [`${folder}/program`], {})
    expect(JSON.parse((await program.line())!)).toEqual({ out: [3, 6, 9], members: 3, mean: 6 })
    expect((await program.ended).code).toBe(0)
    expect(program.stderr()).toBe('')
  })
})
