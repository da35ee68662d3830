import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeRecords, encodeRecord, readRecord } from '../../src/core/pack.ts'

const bytes = fc.uint8Array({ maxLength: 300 })

describe('records', () => {
  it('are the same bytes whether their content comes in one piece or in many', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), fc.nat(1000), (pieces, index) => {
        const whole = Buffer.concat(pieces)
        const record = Buffer.concat(encodeRecord({ kind: 'value', index, bytes: pieces }))
        expect(record).toEqual(Buffer.concat(encodeRecord({ kind: 'value', index, bytes: whole })))
        expect(decodeRecords(record).records).toEqual([{ kind: 'value', index, bytes: whole }])
      }),
    )
  })

  it('that are cut at any length give the whole ones before the cut, and say that one is torn', () => {
    const contents = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(200, 7)]
    const records = contents.map((content, index) =>
      Buffer.concat(encodeRecord({ kind: 'value', index, bytes: content })),
    )
    const pack = Buffer.concat(records)
    const ends = records.map((_, n) => Buffer.concat(records.slice(0, n + 1)).length)
    for (let length = 0; length <= pack.length; length++) {
      const read = decodeRecords(pack.subarray(0, length))
      const whole = ends.filter((end) => end <= length).length
      expect(read.records.map(({ bytes }) => Buffer.from(bytes))).toEqual(contents.slice(0, whole))
      expect(read.torn === undefined).toBe(length === 0 || ends.includes(length))
    }
  })

  it('are found one after the other by their headers, and checked by pieces', async () => {
    const contents = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(1000, 7)]
    const file = Buffer.concat(contents.flatMap((each, index) => encodeRecord({ kind: 'value', index, bytes: each }))) // biome-ignore format: one line
    const read = async (at: number, length: number) => file.subarray(at, at + length)
    let position = 0
    for (const [index, content] of contents.entries()) {
      const place = (await readRecord(read, position))!
      expect(place).toMatchObject({ kind: 'value', index, length: content.length })
      const sum = place.check()
      for (let at = 0; at < place.length; at += 300)
        sum.add(await read(place.start + at, Math.min(300, place.length - at)))
      expect(sum.matches()).toBe(true)
      expect(place.check().matches()).toBe(content.length === 0)
      position = place.start + place.length
    }
    expect(await readRecord(read, position)).toBe(undefined)
    expect(await readRecord(read, 3)).toBe(undefined)
    expect(await readRecord(async (at, length) => file.subarray(0, 10).subarray(at, at + length), 0)).toBe(undefined) // biome-ignore format: one line
  })
})
