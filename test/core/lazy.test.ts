import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LazyMap, LazySet } from '../../src/core/lazy.ts'

const change = fc.tuple(fc.constantFrom('put', 'delete'), fc.nat(5), fc.nat())

describe('a lazy collection', () => {
  it('is what a Map is after the same changes', () => {
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const [plain, lazy] = [new Map<number, number>(), new LazyMap<number, number>()]
        for (const [kind, key, value] of changes)
          if (kind === 'put') expect(lazy.set(key, value).get(key)).toBe(plain.set(key, value).get(key))
          else expect(lazy.delete(key)).toBe(plain.delete(key))
        expect([...lazy]).toEqual([...plain])
        expect([...lazy.keys()]).toEqual([...plain.keys()])
        expect([...lazy.values()]).toEqual([...plain.values()])
        expect([lazy.size, lazy.has(1), lazy.get(2)]).toEqual([plain.size, plain.has(1), plain.get(2)])
        expect([...new LazyMap([...plain])]).toEqual([...plain])
      }),
    )
  })

  it('is what a Set is after the same changes', () => {
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const [plain, lazy] = [new Set<number>(), new LazySet<number>()]
        for (const [kind, value] of changes)
          if (kind === 'put') expect(lazy.add(value).has(value)).toBe(plain.add(value).has(value))
          else expect(lazy.delete(value)).toBe(plain.delete(value))
        expect([[...lazy], lazy.size, lazy.has(1)]).toEqual([[...plain], plain.size, plain.has(1)])
      }),
    )
  })
})
