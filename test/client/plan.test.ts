import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ItemTime } from '../../src/client/outcome/item-time.ts'
import { type Facts, planMembers } from '../../src/client/submit/plan.ts'

const queue = { maxMembers: 1001 }
const here = { slots: 4 }
const taking = (seconds: number, deviation = 0): ItemTime => ({
  seconds,
  deviation,
  measured: 100,
  profile: 'hpc',
})
const plan = (items: number, facts: Partial<Facts> = {}) => {
  const { chunk, members, decidedBy } = planMembers({ items, chunk: 'auto', traits: queue, ...facts })
  return [chunk, members, ...decidedBy]
}

describe('on a queue', () => {
  it('a member runs for two minutes, as far as the times of items are known', () => {
    expect(plan(1000)).toEqual([1, 1000, 'unknown'])
    expect(plan(1200, { itemTime: taking(1) })).toEqual([120, 10, 'target-time'])
    expect(plan(1000, { itemTime: taking(0.001) })).toEqual([1000, 1, 'target-time'])
    expect(plan(50, { itemTime: taking(600) })).toEqual([1, 50, 'target-time'])
    expect(plan(1200, { itemTime: taking(1), targetSeconds: 30 })).toEqual([30, 40, 'target-time'])
  })

  it('the last member is not much shorter than the others', () => {
    expect(plan(130, { itemTime: taking(1), targetSeconds: 120 })).toEqual([65, 2, 'target-time'])
  })

  it('a map that is not large is spread over eight members, as long as each has ten seconds of work', () => {
    expect(plan(400, { itemTime: taking(1) })).toEqual([50, 8, 'spread'])
    expect(plan(40, { itemTime: taking(1) })).toEqual([10, 4, 'spread'])
    expect(plan(12, { itemTime: taking(10) })).toEqual([2, 6, 'spread'])
    expect(plan(400, { itemTime: taking(1), slots: 4 })).toEqual([52, 8, 'spread'])
    expect(plan(400, { itemTime: taking(1), concurrency: 4 })).toEqual([100, 4, 'spread'])
    // What you ask for counts.
    expect(plan(400, { itemTime: taking(1), targetSeconds: 120 })).toEqual([100, 4, 'target-time'])
  })

  it('an array is no larger than the scheduler takes', () => {
    expect(plan(5000)).toEqual([5, 1000, 'array-size'])
    expect(plan(100_000, { itemTime: taking(60) })).toEqual([100, 1000, 'array-size'])
    expect(plan(5000, { chunk: 1 })).toEqual([5, 1000, 'array-size'])
    const few = { traits: { maxMembers: 1001, maxSubmitted: 20 } }
    expect(plan(100, few)).toEqual([5, 20, 'submit-limit'])
    expect(plan(100, { ...few, chunk: 1 })).toEqual([1, 100, 'chunk'])
  })

  it('a chunk fits into the time limit, also when its items take longer than most', () => {
    expect(plan(1200, { itemTime: taking(1), timeSeconds: 60 })).toEqual([48, 25, 'time-limit'])
    const [size] = plan(1200, { itemTime: taking(1, 2), timeSeconds: 60 })
    expect(size).toBeLessThan(24)
    expect(plan(10, { itemTime: taking(100), timeSeconds: 60 })).toEqual([1, 10, 'target-time'])
  })

  it('items that run at once in a member are counted', () => {
    expect(plan(100, { slots: 8 })).toEqual([8, 13, 'unknown'])
    expect(plan(9600, { slots: 8, itemTime: taking(1) })).toEqual([960, 10, 'target-time'])
    expect(plan(9600, { slots: 8, itemTime: taking(1), timeSeconds: 60 })).toEqual([384, 25, 'time-limit'])
  })
})

describe('on a machine without a queue', () => {
  it('there are some chunks for each core, no shorter than the start of one and no longer than ten seconds', () => {
    expect(plan(1600, { traits: here })).toEqual([100, 16, 'cores'])
    expect(plan(1600, { traits: here, itemTime: taking(0.05) })).toEqual([100, 16, 'cores'])
    expect(plan(1600, { traits: here, itemTime: taking(1e-5) })).toEqual([1600, 1, 'start'])
    expect(plan(1600, { traits: here, itemTime: taking(60) })).toEqual([1, 1600, 'target-time'])
    expect(plan(100, { traits: here, cores: 2 })).toEqual([13, 8, 'cores'])
    expect(plan(100, { traits: here, concurrency: 1 })).toEqual([25, 4, 'cores'])
  })
})

const facts: fc.Arbitrary<Facts> = fc.record({
  items: fc.integer({ min: 0, max: 2_000_000 }),
  chunk: fc.oneof(fc.constant('auto' as const), fc.integer({ min: 1, max: 3_000_000 })),
  traits: fc.record(
    { maxMembers: fc.integer({ min: 1, max: 100_000 }), slots: fc.integer({ min: 1, max: 512 }) },
    { requiredKeys: [] },
  ),
  cores: fc.integer({ min: 1, max: 64 }),
  slots: fc.integer({ min: 1, max: 64 }),
  concurrency: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
  itemTime: fc.option(
    fc.record({
      seconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
      deviation: fc.double({ min: 0, max: 1e6, noNaN: true }),
      measured: fc.constant(1),
      profile: fc.constant('hpc'),
    }),
    { nil: undefined },
  ),
  targetSeconds: fc.option(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { nil: undefined }),
  timeSeconds: fc.option(fc.integer({ min: 1, max: 1e6 }), { nil: undefined }),
})

it('every item has its place, limits hold, and what is asked is done', () => {
  fc.assert(
    fc.property(facts, (asked) => {
      const { chunk, members, decidedBy, memberSeconds } = planMembers(asked)
      const { items, traits, slots = 1, itemTime } = asked
      expect(Number.isSafeInteger(chunk) && chunk >= 1).toBe(true)
      // Members cover all items, and none is empty.
      expect(members * chunk).toBeGreaterThanOrEqual(items)
      expect((members - 1) * chunk).toBeLessThan(Math.max(1, items))
      if (traits.maxMembers !== undefined) expect(members).toBeLessThanOrEqual(traits.maxMembers)
      expect(decidedBy.length).toBeGreaterThan(0)
      const forced = decidedBy.includes('array-size')
      if (asked.chunk !== 'auto') {
        if (!forced) expect(chunk).toBe(Math.min(asked.chunk, Math.max(1, items)))
        return
      }
      if (forced || !itemTime || chunk <= slots) return
      // More than one round in a member: it fits.
      const { timeSeconds, targetSeconds } = asked
      if (timeSeconds !== undefined) expect(memberSeconds).toBeLessThanOrEqual(timeSeconds * 0.8 + 1e-6)
      if (traits.slots === undefined)
        expect(memberSeconds).toBeLessThanOrEqual((targetSeconds ?? 120) * 1.000001)
    }),
    { numRuns: 2000 },
  )
})
