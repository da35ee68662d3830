import { expect, test } from 'vitest'
import { decode, encode } from '../../src/codec/codec.ts'
import { moved, pack, unpack } from '../../src/threads/packet.ts'

const bytes = (length: number) => new SharedArrayBuffer(length)

test('shared memory travels as itself where the reader is another thread, and is refused elsewhere', () => {
  const [one, other] = [bytes(16), bytes(8)]
  const value = {
    view: new Float64Array(one, 8, 1),
    one,
    again: new Uint8Array(one),
    other: Buffer.from(other),
  }
  const shared: SharedArrayBuffer[] = []
  const read = decode(encode(value, { root: 'value', shared }), { shared }) as typeof value
  expect(shared).toEqual([one, other])
  expect(read.one).toBe(one)
  read.view[0] = 1.5
  expect(value.view[0]).toBe(1.5)
  expect(read.again.buffer).toBe(one)
  expect(read.other.buffer).toBe(other)
  expect(() => encode(value, { root: 'value' })).toThrow('value.view: shared memory cannot travel')
  expect(() => encode(one, { root: 'value' })).toThrow('value: shared memory cannot travel')
  expect(() => decode(encode(value, { root: 'value', shared: [] }))).toThrow('no meaning here')
})

test('a packet holds primitives as they are, the rest in memory of its own, and shared memory of each value', () => {
  const shared = bytes(8)
  const values = [
    1,
    'text',
    undefined,
    -0,
    2n,
    [1, 2],
    { view: new Int32Array(shared) },
    null,
    new Int32Array(shared),
  ]
  const write = (value: unknown, index: number, its: SharedArrayBuffer[]) => [
    encode(value, { root: `items[${index}]`, shared: its }),
  ]
  const packet = pack(values, write)
  expect(moved(packet)).toEqual([packet.bytes])
  const back = unpack(structuredClone(packet), (part, its) => decode(part, { shared: its }))
  expect(back).toEqual(values)
  ;(back[6] as { view: Int32Array }).view[0] = 7
  expect(new Int32Array(shared)[0]).toBe(7)
  expect(moved(pack([1, 2], write))).toEqual([])
  expect(() => pack([1, Symbol('s')], write)).toThrow('items[1]: a symbol cannot travel')
})
