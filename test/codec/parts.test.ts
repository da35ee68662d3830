import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decode, decodeFrom, encode, encodeChunks, encodeError } from '../../src/codec/codec.ts'
import { omittedKey } from '../../src/codec/error-node.ts'
import { limits } from '../../src/codec/parts.ts'
import { writeWire } from '../../src/codec/wire.ts'
import { failure, roundTrip } from './helpers.ts'

const usual = { ...limits }
beforeEach(() => {
  Object.assign(limits, { part: 200, text: 30 })
})
afterEach(() => {
  Object.assign(limits, usual)
})

const versionOf = (value: unknown) => encode(value, { root: 'value' })[2]
const rows = (count: number) => Array.from({ length: count }, (_, id) => ({ id, name: `row ${id}` }))

describe('text in parts', () => {
  it('is what large values have, and small ones stay readable to the first version', () => {
    expect(versionOf(rows(1))).toBe(1)
    expect(versionOf(rows(100))).toBe(2)
    expect(versionOf('x'.repeat(31))).toBe(2)
    const chunks = encodeChunks(rows(1000), { root: 'value' })
    expect(Math.max(...chunks.slice(1).map((chunk) => chunk.length))).toBeLessThan(600)
  })

  it.each<[string, () => unknown]>([
    ['an array of objects', () => rows(500)],
    ['an array of arrays of objects', () => [rows(100), [rows(100), 1], rows(100)]],
    ['an object with many keys', () => Object.fromEntries(rows(300).map((row) => [row.name, row]))],
    ['keys that are numbers', () => Object.fromEntries(rows(300).map((row) => [row.id, row]))],
    ['an object without a prototype', () => Object.assign(Object.create(null), { ...rows(200) })],
    ['a Map', () => new Map(rows(200).map((row) => [row, row.name]))],
    ['a Set', () => new Set(rows(200))],
    ['a sparse array', () => Object.assign(new Array(5000), { ...rows(200), note: rows(50) })],
    [
      'a list with binary data all over it',
      () => rows(200).map((row) => ({ row, at: new Uint8Array([row.id]) })),
    ],
    ['dates and bigints', () => rows(200).map(({ id }) => [new Date(id), BigInt(id) ** 20n, -0, undefined])],
    [
      'its own tags',
      () => [...rows(99).map(() => ({ $A: { p: [0], r: [] } })), { $L: [0, 'latin1'] }, { $o: 1 }],
    ],
    [
      'objects that look like parts',
      () => rows(99).map(() => Object.assign(Object.create(null), { p: [0], r: [] })),
    ],
    [
      'a key __proto__',
      () => rows(99).map((row) => JSON.parse(`{"__proto__":${row.id},"other":"${row.name}"}`)),
    ],
    ['texts of every kind', () => ['a', 'é', '\ud800', '😀', '\u2028', '漢'].map((unit) => unit.repeat(99))],
    ['a boxed text', () => Object('x'.repeat(99))],
  ])('carries %s', (_name, make) => {
    const value = make()
    expect(roundTrip(value)).toStrictEqual(value)
    expect(versionOf(value)).toBe(2)
  })

  it('keeps one key __proto__ among many', () => {
    const value = JSON.parse(`{${rows(99).map((row) => `"${row.name}":${row.id}`)},"__proto__":{"a":1}}`)
    const back = roundTrip(value)
    expect(Object.entries(back)).toEqual(Object.entries(value))
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
  })

  it('keeps a chain of any length, and what is shared across parts', () => {
    let chain: unknown = 'end'
    for (let depth = 0; depth < 5000; depth++) chain = { chain }
    expect(isDeepStrictEqual(roundTrip([chain]).length, 1)).toBe(true)
    const [first, ...others] = rows(300)
    const value = { others, first, again: [first, others], bytes: others.map(() => new Uint8Array(2)) }
    Object.assign(first!, { value })
    const back = roundTrip(value)
    expect(back.again[0]).toBe(back.first)
    expect(back.again[1]).toBe(back.others)
    expect(Reflect.get(back.first!, 'value')).toBe(back)
    expect(back.bytes).toStrictEqual(value.bytes)
  })

  it('carries any value, in parts of any size', () => {
    const any = fc.anything({
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
    })
    fc.assert(
      fc.property(any, fc.nat(150), fc.nat(6), (value, part, text) => {
        Object.assign(limits, { part, text })
        const back = roundTrip(value)
        if (!isDeepStrictEqual(back, value)) expect(back).toStrictEqual(value)
      }),
      { numRuns: 600 },
    )
  })

  it('carries any string to the last unit', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { minLength: 31, maxLength: 99 }), (units) => {
        const text = String.fromCharCode(...units)
        expect(roundTrip(text) === text).toBe(true)
      }),
    )
  })

  it('is forgotten with the part of an error that is left out', () => {
    const shared = rows(2)
    const bag = {
      list: rows(200),
      long: 'x'.repeat(99),
      bad: Object.defineProperty({ shared }, 'x', { value: 1 }),
    }
    const error = Object.assign(new Error('e'), { bag, shared, list: rows(100), end: shared })
    const back = decode(encodeError(error, { root: 'error' })) as typeof error
    expect(back.bag).toStrictEqual({ ...bag, bad: undefined })
    expect(back.list).toStrictEqual(error.list)
    expect(back.end).toBe(back.shared)
    expect(Reflect.get(back, omittedKey)).toHaveLength(1)
  })

  it('holds stacks and messages too', () => {
    const errors = Array.from({ length: 50 }, (_, index) => new Error(`number ${index}`))
    const chunks = encodeChunks(errors, { root: 'value' })
    expect(chunks.length).toBeGreaterThan(25)
    expect(roundTrip(errors).map(String)).toEqual(errors.map(String))
  })
})

describe('parts that encode did not write', () => {
  const bytes = encode(
    [rows(30), 'é'.repeat(40), new Map([['a', rows(20)]]), { ...rows(30) }, new Uint8Array(5)],
    {
      root: 'x',
    },
  )
  const wire = (head: unknown, ...frames: unknown[]) =>
    writeWire(
      { text: JSON.stringify(head), plain: false, parted: true },
      frames.map((frame) => Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame))).reverse(),
    )
  const accept = (run: () => unknown) => {
    try {
      run()
    } catch (error) {
      if (
        (error as { code?: string }).code !== 'RESULT_CORRUPT' &&
        (error as { code?: string }).code !== 'PROTOCOL_NEWER'
      )
        throw error
    }
  }

  it('never end otherwise than in a value or a named error', () => {
    for (let length = 0; length < bytes.length; length += 3)
      expect(failure(() => decode(bytes.subarray(0, length))).code).toBe('RESULT_CORRUPT')
    const flip = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
    fc.assert(
      fc.property(fc.array(flip, { minLength: 1, maxLength: 5 }), (flips) => {
        const hurt = Uint8Array.from(bytes)
        for (const [at, bits] of flips) hurt[at]! ^= bits
        accept(() => decode(hurt))
      }),
      { numRuns: 1000 },
    )
    const numbers = fc.oneof(fc.integer({ min: -1, max: 4 }), fc.constantFrom('0', null, 2 ** 32, 0.5))
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(1, 'two', null, { $: 0 }, { $D: 1 }),
        fc.array(tie('node'), { maxLength: 3 }),
        fc
          .tuple(fc.constantFrom('$A', '$M', '$T', '$o', '$N', '$S', '$P'), tie('node'))
          .map(([tag, x]) => ({ [tag]: x })),
        fc
          .tuple(numbers, fc.constantFrom('latin1', 'utf16le', 'utf8', 'base64'))
          .map((text) => ({ $L: text })),
        fc.tuple(fc.array(numbers), tie('node')).map(([p, r]) => ({ $A: { p, r } })),
        fc.tuple(fc.array(numbers), tie('node')).map((long) => ({ $o: long })),
      ),
    }))
    fc.assert(
      fc.property(node, fc.array(node, { maxLength: 4 }), (head, frames) => {
        accept(() => decode(wire([head], ...frames)))
      }),
      { numRuns: 1000 },
    )
    expect('p' in {}).toBe(false)
  })

  it.each<[string, unknown, unknown[]]>([
    ['a part that is not there', [{ $A: { p: [1], r: [] } }], [[1]]],
    ['a part that is used twice', [{ $A: { p: [0, 0], r: [] } }], [[1]]],
    ['a part that holds itself', [{ $A: { p: [0], r: [] } }], [[{ $A: { p: [0], r: [] } }]]],
    ['a text that is used twice', [[{ $L: [0, 'latin1'] }, { $L: [0, 'latin1'] }]], ['abc']],
    ['a text of half a unit', [{ $L: [0, 'utf16le'] }], ['abc']],
    ['a text in another encoding', [{ $L: [0, 'hex'] }], ['abc']],
    ['a list where a record belongs', [{ $o: [[0], {}] }], [[1]]],
    ['a record where a list belongs', [{ $A: { p: [0], r: [] } }], [{ a: 1 }]],
    ['a part without a rest', [{ $A: { p: [0] } }], [[1]]],
    ['a part that is no JSON', [{ $A: { p: [0], r: [] } }], ['[1']],
    ['an empty head', [], []],
    ['a head whose rest is missing', { v: 1, p: [0] }, [[]]],
  ])('are refused: %s', (_name, head, frames) => {
    expect(failure(() => decode(wire(head, ...frames)))).toMatchObject({
      name: 'ResultError',
      code: 'RESULT_CORRUPT',
    })
  })

  it('change no prototype', () => {
    const back = decode(wire([{ $o: [[0], {}] }], '{"__proto__":{"polluted":true},"a":1}')) as object
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect('polluted' in back).toBe(false)
    expect('polluted' in {}).toBe(false)
  })

  it('are read from a file a part at a time', () => {
    const lengths: number[] = []
    const large = encode(rows(3000), { root: 'x' })
    const read = (at: number, length: number) => {
      lengths.push(length)
      return large.subarray(at, at + length)
    }
    expect(decodeFrom(read, large.length)).toStrictEqual(rows(3000))
    expect(Math.max(...lengths)).toBeLessThan(large.length / 5)
  })
})
