import { describe, expect, it } from 'vitest'
import { elementSizes } from '../../src/codec/binary.ts'
import { failure, roundTrip } from './helpers.ts'

describe('what comes back as it was', () => {
  it.each([
    ['null', null],
    ['booleans', [true, false]],
    ['strings, also lone surrogates', ['', 'a', 'ü😀', '\ud800', '\0', '\u2028']],
    ['numbers', [0, 1, -1.5, 1e308, 5e-324, 2 ** 53, 0.1]],
    ['undefined', undefined],
    ['undefined among properties', { a: undefined, b: [undefined] }],
    ['NaN, -0 and infinities', [Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['bigints', [0n, -1n, 2n ** 200n, -(2n ** 70n)]],
    ['dates', [new Date(0), new Date(-1), new Date(8.64e15)]],
    ['an invalid date', new Date(Number.NaN)],
    ['maps', new Map<unknown, unknown>([['a', 1], [{ k: 1 }, new Map()], [Number.NaN, -0]])], // biome-ignore format: one line a row
    ['sets', new Set([1, 'a', undefined, new Set([1])])],
    ['regular expressions', [/a/g, /\/x\n/imsuy]],
    ['arrays with holes', Object.assign(new Array(5), { 0: 1, 2: 3 })],
    ['an array whose first element is a hole', Object.assign(new Array(3), { 2: { a: 1 } })],
    ['an empty sparse array', new Array(5)],
    ['null-prototype objects', Object.assign(Object.create(null), { a: 1, toString: 2 })],
    ['a match, an array with properties', /b(?<x>c)/.exec('abc')],
    ['a long array with a property', Object.assign(new Array(200).fill(1), { note: [new Date(1)] })],
    ['boxed primitives', [Object(1), Object('ab'), Object(false), Object(5n), Object(-0)]],
    ['URLs', [new URL('https://a.b/c?d=e#f')]],
    ['a Float64Array with NaN, -0, Infinity', new Float64Array([Number.NaN, -0, Number.POSITIVE_INFINITY])],
    ['signed and clamped', [new Int8Array([-1]), new Uint8ClampedArray([300]), new Int16Array([-300])]],
    ['wider ones', [new Uint16Array([9]), new Int32Array([-9]), new Uint32Array([9]), new Float32Array(3)]],
    ['bigint arrays', [new BigInt64Array([-1n]), new BigUint64Array([2n ** 64n - 1n])]],
    ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer],
    ['a DataView', new DataView(new ArrayBuffer(9), 1, 7)],
    ['a Buffer', Buffer.from('héllo')],
    ['empty ones', [[], {}, new Map(), new Set(), new Uint8Array(), new ArrayBuffer(0), '']],
    ['objects with a toJSON field', { toJSON: 'text', inner: { toJSON: null } }],
    [
      'objects that look like our tags',
      [{ $: 0 }, { $D: 0 }, { $o: { $: 'nan' } }, { $a: 1, b: 2 }, { $: [] }],
    ],
    ['tags inside values that are tagged', new Map([[{ $M: [] }, { $: 'undefined', x: undefined }]])],
    ['keys in their order', { b: 1, a: 2, 1: 'x', '': 3, constructor: 4, hasOwnProperty: 5 }],
  ])('%s', (_name, value) => {
    expect(roundTrip(value)).toStrictEqual(value)
  })

  it('URLSearchParams, with repeated and odd keys', () => {
    const params = new URLSearchParams([['a', '1'], ['a', '2'], ['?b', '&=+ ü']]) // biome-ignore format: one line
    const back = roundTrip(params)
    expect(back).toBeInstanceOf(URLSearchParams)
    expect([...back]).toEqual([...params])
  })

  it('the place where a regular expression goes on', () => {
    const pattern = /a/g
    pattern.lastIndex = 7
    expect(roundTrip(pattern).lastIndex).toBe(7)
  })

  it('a sparse array of the greatest length, at once', () => {
    const array: unknown[] = []
    array[2 ** 32 - 2] = 'last'
    array[5] = 'five'
    const back = roundTrip(array)
    expect(back.length).toBe(2 ** 32 - 1)
    expect(Object.entries(back)).toEqual([['5', 'five'], ['4294967294', 'last']]) // biome-ignore format: one line
  })

  it('an own property called __proto__, as a property', () => {
    for (const value of [
      JSON.parse('{"__proto__":{"a":1},"b":2}'),
      JSON.parse('{"__proto__":null,"c":[{}]}'),
    ]) {
      for (const each of [value, { inner: value, date: new Date(0) }, Object.assign([], { x: value })]) {
        const back = roundTrip(each)
        expect(Object.getPrototypeOf(back)).toBe(Object.getPrototypeOf(each))
        expect(back).toStrictEqual(each)
      }
      expect(Object.keys(roundTrip(value))).toContain('__proto__')
    }
  })

  it('cycles', () => {
    const object: Record<string, unknown> = { list: [] }
    object['self'] = object
    object['map'] = new Map([[object, new Set([object])]])
    const back = roundTrip(object)
    expect(back['self']).toBe(back)
    const [key, set] = [...(back['map'] as Map<unknown, Set<unknown>>)][0]!
    expect(key).toBe(back)
    expect([...set][0]).toBe(back)
  })

  it('shared references of every kind', () => {
    const shared = [
      {},
      [],
      new Date(0),
      new Map(),
      /x/,
      new Error('e'),
      Object(1),
      new URL('a:b'),
      new Uint8Array(2),
    ]
    const [one, two] = roundTrip([shared, [...shared].reverse()]) as [unknown[], unknown[]]
    expect(one).toHaveLength(9)
    two.reverse().forEach((each, index) => {
      expect(each).toBe(one[index])
    })
  })

  it('a linked list of 100,000, its end tied to its start', () => {
    interface Item { next?: Item; at: number } // biome-ignore format: one line
    const first: Item = { at: 0 }
    let last = first
    for (let at = 1; at < 100_000; at++) {
      last.next = { at }
      last = last.next
    }
    last.next = first
    let back = roundTrip(first)
    const start = back
    for (let at = 0; at < 100_000; at++) {
      if (back.at !== at) expect(back.at).toBe(at)
      back = back.next!
    }
    expect(back).toBe(start)
  })

  it('values whose prototypes a library has given a toJSON', () => {
    const proto = Object.prototype as { toJSON?: unknown }
    proto.toJSON = () => 'changed'
    try {
      expect(roundTrip({ a: [1, new Date(0)] })).toStrictEqual({ a: [1, new Date(0)] })
      expect(typeof proto.toJSON).toBe('function')
    } finally {
      delete proto.toJSON
    }
  })

  it('the value of a getter, as a property', () => {
    let reads = 0
    const back = roundTrip({ get now() { reads++; return { a: reads } } }) // biome-ignore format: one line
    expect(back).toStrictEqual({ now: { a: 1 } })
    expect(Object.getOwnPropertyDescriptor(back, 'now')).toHaveProperty('writable', true)
  })

  it('Float16Array where Node has it, a refusal by name where not', () => {
    const Float16 = Reflect.get(globalThis, 'Float16Array') as typeof Float32Array | undefined
    if (Float16) expect(roundTrip(new Float16([1.5]))).toStrictEqual(new Float16([1.5]))
    else expect(Object.keys(elementSizes)).toContain('Float16Array')
  })
})

describe('what never changes silently', () => {
  it('reads a value that is frozen, and gives one that is not', () => {
    const back = roundTrip(Object.freeze([Object.freeze({ a: 1 })]))
    expect(back).toStrictEqual([{ a: 1 }])
    expect(Object.isFrozen(back)).toBe(false)
  })

  it('names the property whose getter throws', () => {
    const value = { list: [{ get bad(): number { throw new Error('no luck') } }] } // biome-ignore format: one line
    expect(failure(() => roundTrip(value))).toMatchObject({
      code: 'VALUE_REFUSED',
      message: expect.stringMatching(/^value\.list\[0\]: reading it failed: no luck/),
    })
  })
})
