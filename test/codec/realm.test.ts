import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { roundTrip } from './helpers.ts'

describe('values of another realm', () => {
  it.each([
    ['plain objects and arrays', '({ a: [1, { b: "x" }], n: null })', { a: [1, { b: 'x' }], n: null }],
    [
      'null prototypes',
      'Object.assign(Object.create(null), { a: 1 })',
      Object.assign(Object.create(null), { a: 1 }),
    ],
    ['dates', 'new Date(5)', new Date(5)],
    ['maps and sets', 'new Map([[1, new Set([2])]])', new Map([[1, new Set([2])]])],
    ['regular expressions', '/a/g', /a/g],
    ['typed arrays', 'new Float64Array([1, -0])', new Float64Array([1, -0])],
    ['buffers', 'new ArrayBuffer(3)', new ArrayBuffer(3)],
    ['views', 'new DataView(new ArrayBuffer(3))', new DataView(new ArrayBuffer(3))],
    ['boxed primitives', '[Object(1), Object("a"), Object(1n)]', [Object(1), Object('a'), Object(1n)]],
    ['sparse arrays', 'Object.assign(new Array(9), { 3: 1 })', Object.assign(new Array(9), { 3: 1 })],
    ['matches', '/b/.exec("abc")', /b/.exec('abc')],
  ])('%s are values of this one after the way', (_name, code, expected) => {
    expect(roundTrip(vm.runInNewContext(code))).toStrictEqual(expected)
  })

  it('errors come back as errors of this realm', () => {
    const error = vm.runInNewContext(
      'Object.assign(new TypeError("x", { cause: new Error("y") }), { code: 1 })',
    )
    expect(error).not.toBeInstanceOf(Error)
    const back = roundTrip(error)
    expect(back).toBeInstanceOf(TypeError)
    expect(back).toMatchObject({ message: 'x', code: 1 })
    expect(back.cause).toBeInstanceOf(Error)
  })
})
