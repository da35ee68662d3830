import { expect, test } from 'vitest'
import { bytesOf, isJson, jsonText } from '../../src/cli/value.ts'

test.each([
  null,
  'text',
  true,
  0,
  [1, [2]],
  { a: { b: null } },
  Object.assign(Object.create(null), { a: 1 }),
])('%j is JSON', (value) => {
  expect(isJson(value)).toBe(true)
  expect(JSON.parse(jsonText(value))).toEqual(value)
})

const holes = [1, 2, 3]
delete holes[1]
test.each([
  [new Map(), 'a Map'],
  [Number.NaN, 'NaN'],
  [-0, '-0'],
  [1n, 'a bigint'],
  [new Date(0), 'a Date'],
  [new Float64Array(1), 'a Float64Array'],
  [{ a: [1, { b: undefined }] }, 'an object that holds undefined'],
  [[new Set()], 'an array that holds a Set'],
  [holes, 'an array that holds holes'],
])('%o is not, and is named', (value, name) => {
  expect(isJson(value)).toBe(false)
  expect(() => jsonText(value)).toThrow(`the value is ${name}, which is not JSON`)
})

test('nothing is printed of undefined, and bytes are bytes, but not numbers', () => {
  expect(jsonText(undefined)).toBe('')
  expect(bytesOf(Buffer.from('ab').subarray(1))).toEqual(new Uint8Array([98]))
  expect(bytesOf(new ArrayBuffer(2))).toEqual(new Uint8Array(2))
  expect(bytesOf(new Float32Array(2))).toBeUndefined()
})
