import { describe, expect, it } from 'vitest'
import { here, runElsewhere } from './run.ts'

const factor = 3
const table = { a: 1, b: [1, 2, 3] }
enum Mode {
  Fast = 1,
  Slow,
}
function helper(x: number): number {
  return x * factor + table.b.length
}
const fact = (n: number): number => (n < 2 ? 1 : n * fact(n - 1))

/** Takes what cluster() takes, so that the call site is found the same way. */
function cluster<A extends unknown[], R>(fn: (...args: A) => R): { fn: (...args: A) => R; site: string } {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, cluster)
  return { fn, site: holder.stack! }
}

describe('a function that ran as it was', () => {
  it('takes module-level functions, constants, enums and data along', async () => {
    const { fn, site } = cluster((x: number) => helper(x) + Mode.Slow + fact(4))
    const ran = await runElsewhere(fn, site, [5])
    expect(ran.error).toBeUndefined()
    expect(ran.result).toBe(fn(5))
  })

  it('takes the values of captured locals', async () => {
    const k = 7
    const point = { x: 1, list: [1, 2] }
    const { fn, site } = cluster((x: number) => ({ sum: x + k + point.x, list: point.list }))
    const ran = await runElsewhere(fn, site, [5])
    expect(ran.result).toEqual(fn(5))
  })

  it('finds a function by where V8 has it when the call site says nothing', async () => {
    const k = 7
    const fn = async (x: number) => helper(x) + k
    const ran = await runElsewhere(fn, here(), [5])
    expect(ran.result).toBe(await fn(5))
  })
})
