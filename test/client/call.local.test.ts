import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, connect, type Job } from '../../src/index.ts'
import { lineOf } from '../line-of.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-call-'))
const offset = 100
const table = { a: 1, b: 2 }

class Point {
  constructor(readonly x: number) {}
  twice() {
    return this.x * 2
  }
}

function helper(x: number): number {
  return x * 2 + offset
}

beforeAll(() => {
  configure({
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s' } },
    defaultProfile: 'here',
  })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

describe('a call', () => {
  it('runs in another process and gives back its value', async () => {
    const k = 7
    const f = cluster((x: number) => ({ value: helper(x) + k + table.b, pid: process.pid }))
    const { value, pid } = await f(1)
    expect(value).toBe(111)
    expect(pid).not.toBe(process.pid)
  })

  it('maps items in order', async () => {
    const square = cluster((n: number) => n * n)
    expect(await square.map([1, 2, 3, 4, 5])).toEqual([1, 4, 9, 16, 25])
  })

  it('throws what the function threw, with its line here', async () => {
    const bad = cluster((n: number) => {
      throw new RangeError(`bad ${n}`)
    })
    const error = await bad(3).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(RangeError)
    expect((error as Error).stack).toContain(
      `call.local.test.ts:${lineOf(import.meta.url, 'throw new RangeError(')}:`,
    )
  })

  it('has what its own moment captured, beside calls of the same turn with other options', async () => {
    let k = 1
    const f = cluster((x: number) => x + k)
    const jobs = [f(0), f.with({ name: 'same' })(0)]
    k = 10
    jobs.push(f.with({ name: 'later' })(0), f.with({ name: 'again' })(0))
    k = 1
    jobs.push(f.with({ name: 'back' })(0))
    expect(await Promise.all(jobs)).toEqual([1, 1, 10, 10, 1])
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(5)
  })

  it('takes a class along that no earlier call of the turn has brought, also after one was sent', async () => {
    const f = cluster((it: number | { twice(): number }) => (typeof it === 'number' ? it : it.twice()))
    const first = f(1)
    // Asked for its id, it is on its way.
    expect(first.id).toMatch(/^f/)
    await Promise.resolve()
    const second = f.with({ name: 'second' })(2)
    const third = f.with({ name: 'third' })(new Point(3))
    expect(await Promise.all([first, second, third])).toEqual([1, 2, 6])
  })

  it('makes one submission of calls made together', async () => {
    const f = cluster((n: number) => n + 1)
    const jobs: Job<number>[] = [1, 2, 3].map((n) => f(n))
    expect(await Promise.all(jobs)).toEqual([2, 3, 4])
    expect(new Set(jobs.map((job) => job.nativeId)).size).toBe(1)
    expect(jobs.map((job) => job.id)).toEqual([0, 1, 2].map((k) => `${jobs[0]!.id.slice(0, 14)}[${k}]`))
  })

  it('goes its way when the cluster that shares its connection is closed before it is submitted', async () => {
    for (const ms of [0, 5, 15]) {
      const here = await connect()
      const job = cluster((n: number) => n + ms)(1)
      await new Promise((resolve) => setTimeout(resolve, ms))
      const [value] = await Promise.all([job, here.close()])
      expect(value).toBe(1 + ms)
    }
  })
})
