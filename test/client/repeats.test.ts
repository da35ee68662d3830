import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Snapshot } from '../../src/capture/types.ts'
import { Repeats } from '../../src/client/payload/repeats.ts'
import { decode, encode } from '../../src/codec/codec.ts'
import type { Elsewhere } from '../../src/core/elsewhere.ts'

type Ask = (object: object, depth: number) => Elsewhere | undefined
const snapshot = {
  encode: (value: unknown, root: string, elsewhere?: Ask) =>
    encode(value, { root, ...(elsewhere ? { elsewhere } : {}) }),
} as Snapshot

/** Encodes each list of arguments; gives their bytes, and how each comes out there. */
function pack(
  lists: readonly unknown[][],
  { limit = 100, trusted = true, between = (_: number) => {} } = {},
) {
  const repeats = new Repeats(limit)
  const bytes = lists.map((args, at) => {
    between(at)
    return repeats.encode(snapshot, { args }, `item ${at}`, () => undefined, trusted)
  })
  const read = (of: Uint8Array): unknown =>
    decode(of, { elsewhere: (at) => read(repeats.entries[(at as { entry: number }).entry]!) })
  return {
    bytes,
    entries: repeats.entries,
    values: () => bytes.map((of) => (read(of) as { args: unknown[] }).args),
  }
}

const size = (all: readonly Uint8Array[]) => all.reduce((sum, { byteLength }) => sum + byteLength, 0)
const big = (seed: number) => Array.from({ length: 100 }, (_, at) => ({ at, seed }))

describe('a value that many inputs hold', () => {
  it('is stored apart, once, by being the same object', () => {
    const table = big(1)
    const { bytes, entries, values } = pack(Array.from({ length: 50 }, (_, at) => [table, at]))
    expect(entries).toHaveLength(1)
    expect(size(bytes.slice(1))).toBeLessThan(49 * 100)
    expect(values()).toEqual(Array.from({ length: 50 }, (_, at) => [table, at]))
  })

  it('is found as what an argument holds', () => {
    const table = new Map([['rows', big(2)]])
    const { entries, bytes, values } = pack(Array.from({ length: 9 }, (_, id) => [{ table, id }]))
    expect(entries).toHaveLength(1)
    expect(size(bytes.slice(1))).toBeLessThan(8 * 100)
    expect(values()[8]).toEqual([{ table, id: 8 }])
  })

  it('is binary data with the same content, the first one, too', () => {
    const copies = Array.from({ length: 9 }, (_, at) => [Float64Array.from({ length: 500 }, Math.sqrt), at])
    const { entries, bytes, values } = pack(copies)
    expect(entries).toHaveLength(1)
    expect(size(bytes)).toBeLessThan(9 * 120)
    expect(values()).toEqual(copies)
    const other = pack([[new Uint8Array(500)], [new Uint8Array(500).fill(1, 499)], [Buffer.alloc(500)]])
    expect(other.values().map(([value]) => (value as Uint8Array)[499])).toEqual([0, 1, 0])
    expect(Buffer.isBuffer(other.values()[2]![0])).toBe(true)
  })

  it('is each input’s own: what one does to it the next does not see', () => {
    const [table, data] = [big(3), new Uint8Array(500)]
    const all = pack([
      [table, data],
      [table, data],
      [table, data],
    ]).values() as [{ at: number }[], Uint8Array][]
    all[1]![0][0]!.at = -1
    all[1]![1][0] = 9
    expect(all[2]![0][0]!.at).toBe(0)
    expect(all[2]![1][0]).toBe(0)
  })

  it('may have changed in between, where code of the caller’s has run', () => {
    const [table, data] = [big(4), new Uint8Array(500)]
    const between = (at: number) => {
      table[0]!.at = at
      data[0] = at
    }
    const { values } = pack(
      [0, 1, 2, 3].map(() => [table, data]),
      { trusted: false, between },
    )
    const seen = values() as [{ at: number }[], Uint8Array][]
    expect(seen.map(([rows]) => rows[0]!.at)).toEqual([0, 1, 2, 3])
    expect(seen.map(([, bytes]) => bytes[0])).toEqual([0, 1, 2, 3])
  })

  it('that is small goes along', () => {
    const small = { a: 1 }
    expect(pack([[small], [small], [small]]).entries).toEqual([])
  })

  it('is refused where it lies, when it cannot travel', () => {
    const table = { rows: big(5), never: Promise.resolve() }
    expect(() => pack([[1, table]])).toThrow(/item 0\.args\[1\]\.never: a Promise cannot travel/)
    const later = { rows: big(5), never: undefined as unknown }
    const between = (at: number) => {
      if (at === 1) later.never = Promise.resolve()
    }
    expect(() => pack([[later], [later]], { trusted: false, between })).toThrow(/item 1\.args\[0\]\.never/)
  })
})

describe('what is one object in an input', () => {
  const cases: Record<string, (table: { at: number }[], data: Float64Array) => unknown[]> = {
    'a value and a part of it': (table) => [table, table[3]],
    'a part of a value, and then that': (table) => [table[3], table],
    'a value in two places': (table) => [table, { table }],
    'two values with one part': (table) => [[...table], { of: [...table], first: table[0] }],
    'views of the same memory': (_, data) => [data, new Uint8Array(data.buffer, 8, 16)],
    'the same, the other way round': (_, data) => [new Uint8Array(data.buffer, 8, 16), data],
    'two views of all of it': (_, data) => [data, new Uint8Array(data.buffer)],
    'memory and a view': (_, data) => [{ data }, data.buffer],
    'memory inside of a value, and alone': (table, data) => [{ table, data }, data],
  }
  it.each(Object.keys(cases))('stays one: %s', (name) => {
    const [table, data] = [big(6), Float64Array.from({ length: 300 }, Math.sin)]
    const once = cases[name]!(table, data)
    const lists = [once, [table], [data], once, once, [table, data], once]
    const { values } = pack(lists)
    for (const [at, value] of values().entries()) expect(shape(value)).toEqual(shape(plain(lists[at]!)))
  })

  it('stays one, whatever holds what', () => {
    // A pool of objects that hold others of the pool; inputs are some of them.
    const pool = fc.array(fc.tuple(fc.nat(3), fc.array(fc.nat(11), { maxLength: 4 })), {
      minLength: 4,
      maxLength: 12,
    })
    const inputs = fc.array(fc.array(fc.nat(11), { maxLength: 3 }), { minLength: 2, maxLength: 8 })
    fc.assert(
      fc.property(pool, inputs, fc.boolean(), (made, chosen, trusted) => {
        const objects = make(made)
        const lists = chosen.map((args) => args.map((at) => objects[at % objects.length]))
        const { values } = pack(lists, { limit: 40, trusted })
        for (const [at, value] of values().entries()) expect(shape(value)).toEqual(shape(plain(lists[at]!)))
      }),
      { numRuns: 1_500 },
    )
  })
})

function make(made: readonly (readonly [number, readonly number[]])[]): unknown[] {
  const memory = new Float64Array(8).buffer
  const objects = made.map(([kind], at): unknown => {
    if (kind === 0) return []
    if (kind === 1) return { at }
    if (kind === 2) return at % 2 ? new Float64Array(memory) : new Uint8Array(memory, 8, 16)
    return new Map()
  })
  for (const [at, [, held]] of made.entries())
    for (const [name, one] of held.entries()) {
      const object = objects[at]
      const value = objects[one % objects.length]
      if (Array.isArray(object)) object.push(value)
      else if (object instanceof Map) object.set(name, value)
      else if (!ArrayBuffer.isView(object)) Reflect.set(object as object, `p${name}`, value)
    }
  return objects
}

const plain = (args: unknown[]): unknown[] =>
  (decode(encode({ args }, { root: 'x' })) as { args: unknown[] }).args

/** What a value holds, and which of it is the same object or the same memory. */
function shape(root: unknown): unknown {
  const numbers = new Map<object, number>()
  const of = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    const known = numbers.get(value)
    if (known !== undefined) return { same: known }
    numbers.set(value, numbers.size)
    if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] }
    if (ArrayBuffer.isView(value))
      return { [value.constructor.name]: [value.byteOffset, value.byteLength], of: of(value.buffer) }
    if (value instanceof Map) return { map: [...value].map(([key, held]) => [key, of(held)]) }
    if (Array.isArray(value)) return value.map(of)
    return Object.entries(value).map(([key, held]) => [key, of(held)])
  }
  return of(root)
}
