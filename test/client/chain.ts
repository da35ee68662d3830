/** What a chain of calls does wherever it runs; each kind of place runs these. */
import { describe, expect, it } from 'vitest'
import { attach, cluster, JobCanceledError, JobFailedError, remote } from '../../src/index.ts'
import { comes, makeGate } from './gate.ts'

class Point {
  readonly x: number
  readonly y: number
  constructor(x: number, y: number) {
    this.x = x
    this.y = y
  }
  size() {
    return this.x + this.y
  }
}

class OutOfRange extends Error {
  readonly at: number
  constructor(at: number) {
    super(`${at} is out of range`)
    this.name = 'OutOfRange'
    this.at = at
  }
}

class Study {
  @cluster()
  static async half(n: number) {
    return n / 2
  }
}

const add = cluster((a: number, b: number) => a + b)
const double = cluster((n: number) => 2 * n)
const point = cluster((x: number, y: number) => new Point(x, y))
const describeValue = cluster((value: unknown) => {
  const all = value as { list: unknown[]; map: Map<string, unknown>; when: Date; bytes: Uint8Array }
  return {
    kinds: [Array.isArray(all.list), all.map instanceof Map, all.when instanceof Date],
    shared: all.list[0] === all.map.get('same'),
    cycle: all.list[1] === all,
    nan: all.list[2],
    sum: all.bytes.reduce((sum, byte) => sum + byte, 0),
  }
})
const rich = cluster(() => {
  const same = { deep: true }
  const value = {
    list: [same] as unknown[],
    map: new Map<string, unknown>([['same', same]]),
    when: new Date(0),
    bytes: new Uint8Array([1, 2, 3]),
  }
  value.list.push(value, Number.NaN)
  return value
})
const sizeOf = cluster((p: { size(): number }) => p.size())
const total = cluster((values: readonly number[]) => values.reduce((sum, n) => sum + n, 0))
const same = cluster((a: unknown, all: readonly unknown[], again: unknown) => [a === all[0], a === again])
const fails = cluster((at: number) => {
  if (at > 1) throw new OutOfRange(at)
  return at
})
const inside = cluster((given: { pair: [number, number]; named: Map<string, number> }) => [
  ...given.pair,
  given.named.get('c'),
])
const exits = cluster(() => process.exit(3))
const whole = cluster((value: { n: number }) => value)

export function chainTests(place: string, { lasts = true } = {}): void {
  describe(`a job as an argument, on ${place}`, () => {
    it('is its value there: alone, inside arrays and objects, and again further on', async () => {
      const a = add(1, 2)
      const b = add(a, 10)
      const c = inside({ pair: [a, b] as never, named: new Map([['c', add(a, b)]]) as never })
      expect(await c).toEqual([3, 13, 16])
      expect([await a, await b]).toEqual([3, 13])
      if (lasts) expect(await attach(b.id)).toBe(13)
    })

    it('of the same function and one turn, goes first', async () => {
      let job = double(1)
      const all = [job]
      for (let i = 0; i < 3; i++) {
        job = double(job)
        all.push(job)
      }
      expect(await Promise.all(all)).toEqual([2, 4, 8, 16])
      expect(new Set(all.map(({ id }) => id.slice(0, 14))).size).toBe(4)
    })

    it('arrives as awaiting it would have given it', async () => {
      expect(await describeValue(rich())).toEqual({
        kinds: [true, true, true],
        shared: true,
        cycle: true,
        nan: Number.NaN,
        sum: 6,
      })
      const p = point(3, 4)
      expect(await sizeOf(p)).toBe(7)
      expect((await p).size()).toBe(7)
      expect(await remote(Study.half)(double(4))).toBe(4)
    })

    it('stands for a map as the array of its values, and for the items of another map one by one', async () => {
      const first = double.map([1, 2, 3])
      expect(await total(first)).toBe(12)
      expect(await double.map(first)).toEqual([4, 8, 12])
      const { job } = await first.job(1)
      expect(await same(job, [job], job)).toEqual([true, true])
      expect(await add.starmap([[job, 1] as never, [1, 1]])).toEqual([5, 2])
      expect(await total(double.map([]))).toBe(0)
      const objects = whole.map([{ n: 1 }, { n: 2 }])
      const { job: second } = await objects.job(0)
      expect(await same(second, objects as never, second)).toEqual([true, true])
    })

    it('that fails fails those that need it, with its reason and its error, and no others', async () => {
      const good = fails(1)
      const bad = fails(7)
      const children = [double(good), double(bad), add(1, bad)]
      const ends = await Promise.allSettled(children)
      expect(ends[0]).toEqual({ status: 'fulfilled', value: 2 })
      for (const [index, end] of ends.entries()) {
        if (end.status === 'fulfilled') continue
        const error = end.reason as JobFailedError
        expect(error).toBeInstanceOf(JobFailedError)
        expect(error.code).toBe('PARENT_FAILED')
        expect(error.reason).toBe('exception')
        expect(error.message).toContain(`job ${children[index]!.id}`)
        expect(error.message).toContain(`job ${bad.id}`)
        expect(error.message).toContain('7 is out of range')
        expect(error.cause).toMatchObject({ name: 'OutOfRange', at: 7 })
        expect(children[index]!.status()).toMatchObject({ state: 'FAILED', reason: 'exception' })
      }
      expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
      await expect(bad).rejects.toThrow('7 is out of range')
      // And so do those of a map, and what needs them in turn.
      const array = fails.map([0, 9, 1])
      const settled = await double.map(array).settled()
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      await expect(double(total(array))).rejects.toMatchObject({
        code: 'PARENT_FAILED',
        cause: { code: 'PARENT_FAILED', cause: { errors: [{ at: 9 }] } },
      })
    })

    it('that never returned fails them with its own reason', async () => {
      const gone = exits()
      const error: JobFailedError = await double(gone as never).then(
        () => expect.unreachable(),
        (thrown) => thrown,
      )
      expect(error).toMatchObject({ code: 'PARENT_FAILED', status: { reason: 'exit-code', exitCode: 3 } })
      expect(error.cause).toBeInstanceOf(JobFailedError)
    })

    it('that is canceled cancels them', async () => {
      const slow = cluster(() => new Promise<number>((resolve) => setTimeout(resolve, 60_000, 1)))
      const parent = slow()
      const child = double(parent)
      const grandchild = double(child)
      // They may be told of it before the cancel is answered.
      for (const job of [child, grandchild]) job.catch(() => {})
      await parent.cancel()
      await expect(grandchild).rejects.toBeInstanceOf(JobCanceledError)
      await expect(child).rejects.toMatchObject({
        code: 'JOB_CANCELED',
        message: expect.stringContaining(parent.id),
        cause: { code: 'JOB_CANCELED', jobId: parent.id },
      })
      expect(child.status()).toMatchObject({ state: 'CANCELED', reason: 'by-user' })
    })

    it('goes on when what waits for it is canceled', async () => {
      const slow = cluster((n: number) => new Promise<number>((resolve) => setTimeout(resolve, 500, n)))
      const parent = slow(5)
      const [one, other] = [double(parent), double(parent)]
      await one.cancel()
      await expect(one).rejects.toBeInstanceOf(JobCanceledError)
      expect(await other).toBe(10)
      const alone = double.with({ name: 'alone' })(parent)
      await alone.cancel()
      await expect(alone).rejects.toBeInstanceOf(JobCanceledError)
      expect(await parent).toBe(5)
    })

    it('says what it waits for', async () => {
      const gate = makeGate()
      const slow = cluster(async (n: number, file: string) => {
        await comes(file)
        return n
      })
      const parent = slow(5, gate.file)
      const child = double(parent)
      await expect
        .poll(() => child.status(), { timeout: 20_000 })
        .toMatchObject({
          state: 'QUEUED',
          message: expect.stringContaining(`job ${parent.id}`),
        })
      gate.open()
      expect(await child).toBe(10)
    })

    it('that was refused refuses them, and a call with both gives the one error', async () => {
      const refused = double(Symbol('no') as never)
      await expect(double(refused)).rejects.toMatchObject({
        code: 'PARENT_FAILED',
        status: { reason: 'submit-failed' },
        cause: { code: 'VALUE_REFUSED' },
      })
      await expect(refused).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
    })

    it('that is known by its cache gives its value, and a call of it is found again by that', async () => {
      const cached = double.with({ cache: true })
      const seed = Math.floor(Math.random() * 2 ** 40)
      expect(await add(cached(seed), 1)).toBe(2 * seed + 1)
      expect(await add(cached(seed), 1)).toBe(2 * seed + 1)
      const first = cached(add(seed, 1))
      expect(await first).toBe(2 * seed + 2)
      const again = cached(add(seed, 1))
      expect(await again).toBe(2 * seed + 2)
      expect(again.id.slice(0, 14)).toBe(first.id.slice(0, 14))
    })
  })
}
