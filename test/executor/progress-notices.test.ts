import fc from 'fast-check'
import { expect, test } from 'vitest'
import { noticeMagic, progressNotice } from '../../src/core/protocol.ts'
import { parseNotices } from '../../src/executor/batch/notices.ts'

const report = {
  id: 'fabcdefghijklm',
  attempt: 1,
  member: 2,
  sequence: 3,
  items: [{ item: 4, fraction: 0.5, message: 'häl\n"f"', time: 1 }],
}
const end = JSON.stringify({ protocol: 1, id: 'fabcdefghijklm', attempt: 1, member: 0, bytes: 0, items: 1 })
const notice = `${noticeMagic} ${end.length + 1} 0\n${end}\n`

test('reports and ends are told apart, in any order', () => {
  const text = notice + progressNotice(report) + notice + progressNotice({ ...report, sequence: 4 })
  const { ends, reports } = parseNotices(Buffer.from(text))
  expect(ends.length).toBe(2)
  expect(reports).toEqual([report, { ...report, sequence: 4 }])
})

test('one that is cut off is left for the next look', () => {
  const whole = Buffer.from(progressNotice(report))
  for (let length = 0; length < whole.length; length++)
    expect(parseNotices(whole.subarray(0, length)).reports).toEqual([])
})

test('one that holds something else is refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (line) => {
      const text = `farcall-progress ${Buffer.byteLength(line) + 1}\n${line}\n`
      expect(() => parseNotices(Buffer.from(text))).toThrow('a progress notice holds')
    }),
  )
})
