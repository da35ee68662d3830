import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { roundTrip } from './helpers.ts'

describe('any value', () => {
  it('comes back the same', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withBoxedValues: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withNullPrototype: true,
          withTypedArray: true,
          withSparseArray: true,
          withUnicodeString: true,
          maxDepth: 4,
        }),
        (value) => {
          const back = roundTrip(value)
          if (!isDeepStrictEqual(back, value)) expect(back).toStrictEqual(value)
        },
      ),
      { numRuns: 400 },
    )
  })

  it('comes back the same when it is JSON', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => isDeepStrictEqual(roundTrip(value), value)))
  })

  it('keeps which of its objects are the same one, in any graph', () => {
    const kinds = [() => ({}), () => [], () => new Map(), () => new Set(), () => new Error('e'), () => Object.create(null)] // biome-ignore format: one line
    fc.assert(
      fc.property(
        fc.array(fc.nat(5), { minLength: 1, maxLength: 200 }),
        fc.array(fc.tuple(fc.nat(199), fc.nat(199)), { maxLength: 400 }),
        (nodes, edges) => {
          const objects = nodes.map((kind) => kinds[kind]!())
          let edge = 0
          // biome-ignore lint/suspicious/noExplicitAny: a value of any kind is built here
          const add = (from: any, to: unknown) => {
            if (from instanceof Map) from.set(from.size % 2 ? to : `k${edge}`, to)
            else if (from instanceof Set) from.add(to)
            else if (Array.isArray(from)) from.push(to)
            else from[`k${edge}`] = to
            edge++
          }
          // A chain through all, so that depth beyond the nesting limit is tried, then edges at random.
          for (let at = 1; at < objects.length; at++) add(objects[at - 1], objects[at])
          for (const [from, to] of edges) add(objects[from % objects.length], objects[to % objects.length])
          const back = roundTrip(objects[0])
          expect(shape(back)).toEqual(shape(objects[0]))
        },
      ),
      { numRuns: 150 },
    )
  })
})

/** Every object in the order of a walk, with the numbers of what it holds: equal for equal graphs. */
function shape(root: unknown): unknown[] {
  const ids = new Map<unknown, number>()
  const queue: unknown[] = []
  const id = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return value
    if (!ids.has(value)) {
      ids.set(value, ids.size)
      queue.push(value)
    }
    return `#${ids.get(value)}`
  }
  id(root)
  const all: unknown[] = []
  for (const object of queue) {
    const kind = Object.prototype.toString.call(object)
    if (object instanceof Map) all.push([kind, ...[...object].flat().map(id)])
    else if (object instanceof Set) all.push([kind, ...[...object].map(id)])
    else all.push([kind, ...Object.entries(object as object).map(([key, value]) => [key, id(value)])])
  }
  return all
}
