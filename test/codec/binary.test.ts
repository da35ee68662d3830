import { describe, expect, it } from 'vitest'
import { decodeFrom, encode, encodeChunks } from '../../src/codec/codec.ts'
import { failure, roundTrip } from './helpers.ts'

describe('binary data', () => {
  it('keeps two views on one buffer aliased, and the buffer too', () => {
    const buffer = new ArrayBuffer(64)
    const [floats, bytes, view, whole] = roundTrip([
      new Float64Array(buffer, 8, 4),
      new Uint8Array(buffer),
      new DataView(buffer, 3, 20),
      buffer,
    ] as const)
    floats[0] = Math.PI
    expect(view.getFloat64(5, true)).toBe(Math.PI)
    expect(bytes.buffer).toBe(whole)
    expect(floats.buffer).toBe(whole)
    expect(floats.byteOffset).toBe(8)
  })

  it('sends a buffer once, however many views there are', () => {
    const buffer = new ArrayBuffer(100_000)
    const views = Array.from({ length: 20 }, (_, index) => new Uint8Array(buffer, index * 8))
    expect(encode(views, { root: 'value' }).length).toBeLessThan(102_000)
  })

  it('sends only the parts that are seen when they are less than half', () => {
    const buffer = new ArrayBuffer(1_000_000)
    const one = new Float64Array(buffer, 800, 10)
    const two = new Uint8Array(buffer, 805, 30)
    const far = new Uint8Array(buffer, 900_001, 3)
    one[0] = 1.5
    far[2] = 9
    const bytes = encode([one, two, far], { root: 'value' })
    expect(bytes.length).toBeLessThan(500)
    const [first, second, third] = roundTrip([one, two, far] as const)
    expect(first).toStrictEqual(one)
    expect(third).toStrictEqual(far)
    expect(second.buffer).toBe(first.buffer)
    first[0] = -2
    expect([...second.subarray(0, 3)]).toEqual([...new Uint8Array(new Float64Array([-2]).buffer, 5, 3)])
  })

  it('takes nothing else along from the pool that small Buffers share', () => {
    const secret = Buffer.from('a password that lies in the same pool'.repeat(20))
    const sent = Array.from({ length: 40 }, (_, index) => Buffer.from(`${index}`.repeat(90)))
    expect(sent[0]!.buffer.byteLength).toBe(Buffer.poolSize)
    const bytes = encode(sent, { root: 'value' })
    expect(Buffer.from(bytes).includes(secret.subarray(0, 20))).toBe(false)
    expect(roundTrip(sent)).toStrictEqual(sent)
    expect(Buffer.isBuffer(roundTrip(sent)[7])).toBe(true)
  })

  it('takes a Buffer of the pool whose offset is odd', () => {
    const odd = Buffer.from('0123456789').subarray(1, 4)
    expect(roundTrip(odd).toString()).toBe('123')
  })

  it('does not hold on to the bytes it was read from', () => {
    const back = roundTrip(new Uint8Array([1, 2, 3]))
    expect(back.buffer.byteLength).toBe(3)
  })

  it('keeps every bit of a NaN', () => {
    const bits = new BigUint64Array([0x7ff8_dead_beef_0001n])
    expect(new BigUint64Array(roundTrip(new Float64Array(bits.buffer)).buffer)).toStrictEqual(bits)
  })
})

describe('values in pieces', () => {
  const value = { list: [new Float64Array([1, -0]), Buffer.from('text'), { at: new Date(0) }], n: 1n }

  it('are the bytes that they are in one, and show the memory of the value', () => {
    const chunks = encodeChunks(value, { root: 'value' })
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(encode(value, { root: 'value' })))
    expect(chunks.map((chunk) => chunk.buffer)).toContain((value.list[0] as Float64Array).buffer)
  })

  it('are read from where they lie, frame by frame', () => {
    const bytes = Buffer.from(encode(value, { root: 'value' }))
    const lengths: number[] = []
    const back = decodeFrom((at, length) => {
      lengths.push(length)
      return bytes.subarray(at, at + length)
    }, bytes.length)
    expect(back).toStrictEqual(value)
    expect(Math.max(...lengths)).toBeLessThan(bytes.length)
  })

  it('are refused when the file ends early, or cannot be read', () => {
    const bytes = encode(value, { root: 'value' })
    const cut = (length: number) => () =>
      decodeFrom((at, size) => bytes.subarray(at, Math.min(at + size, length)), bytes.length)
    for (let length = 0; length < bytes.length; length++)
      expect(failure(cut(length))).toMatchObject({ name: 'ResultError', code: 'RESULT_CORRUPT' })
  })
})
