import { describe, expect, it } from 'vitest'
import { roundTrip } from './helpers.ts'

describe('plain values', () => {
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
    [
      'maps',
      new Map<unknown, unknown>([
        ['a', 1],
        [{ k: 1 }, new Map()],
        [Number.NaN, -0],
      ]),
    ],
    ['sets', new Set([1, 'a', undefined, new Set([1])])],
    ['regular expressions', [/a/g, /\/x\n/imsuy]],
    ['arrays with holes', Object.assign(new Array(5), { 0: 1, 2: 3 })],
    ['an empty sparse array', new Array(5)],
    ['null-prototype objects', Object.assign(Object.create(null), { a: 1, toString: 2 })],
    ['a match, an array with properties', /b(?<x>c)/.exec('abc')],
    ['boxed primitives', [Object(1), Object('ab'), Object(false), Object(5n), Object(-0)]],
    ['URLs', new URL('https://a.b/c?d=e#f')],
    [
      'a Float64Array with NaN, -0 and Infinity',
      new Float64Array([Number.NaN, -0, Number.POSITIVE_INFINITY, 1]),
    ],
    [
      'typed arrays',
      [new Int8Array([-1]), new Uint8ClampedArray([300]), new Uint16Array([1, 2]), new Float32Array(3)],
    ],
    ['bigint arrays', [new BigInt64Array([-1n]), new BigUint64Array([2n ** 64n - 1n])]],
    ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer],
    ['a DataView', new DataView(new ArrayBuffer(9), 1, 7)],
    ['a Buffer', Buffer.from('héllo')],
    ['empty ones', [[], {}, new Map(), new Set(), new Uint8Array(), new ArrayBuffer(0), '']],
    ['objects with a toJSON field', { toJSON: 'text', inner: { toJSON: null } }],
  ])('brings back %s', (_name, value) => {
    const back = roundTrip(value)
    expect(back).toStrictEqual(value)
  })
})
