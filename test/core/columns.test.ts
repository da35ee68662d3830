import { expect, test } from 'vitest'
import { csv } from '../../src/cli/csv.ts'
import { inOneUnit, readTime } from '../../src/cli/times.ts'
import { wrapLines } from '../../src/cli/wrap-lines.ts'
import { type Column, inColumns } from '../../src/core/columns.ts'

interface Row {
  id: string
  name: string
  count: number
}
const rows: Row[] = [
  { id: 'fabc', name: 'a name that is rather long', count: 7 },
  { id: 'fxyz', name: 'short', count: 12345 },
]
const columns: Column<Row>[] = [
  { head: 'ID', text: ({ id }) => id },
  { head: 'NAME', text: ({ name }) => name, least: 6, paint: (text) => `<${text}>` },
  { head: 'COUNT', text: ({ count }) => String(count), right: true },
]

test('columns are as wide as what is in them, and colours take no room', () => {
  expect(inColumns(rows, columns)).toMatchInlineSnapshot(`
    "ID    NAME                        COUNT
    fabc  <a name that is rather long>      7
    fxyz  <short>                       12345
    "
  `)
})

test('what may be cut off is, down to its least, and nothing else', () => {
  const plain = columns.map(({ paint: _, ...column }) => column)
  expect(inColumns(rows, plain, 26)).toMatchInlineSnapshot(`
    "ID    NAME           COUNT
    fabc  a name that …      7
    fxyz  short          12345
    "
  `)
  expect(
    Math.max(
      ...inColumns(rows, plain, 5)
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBe(4 + 6 + 5 + 4)
})

test('CSV quotes what has to be quoted; what is not known is empty', () => {
  const list = [{ id: 'f1', words: 'say "so", twice', tags: ['a', 'b'] }, { id: 'f2' }]
  expect(csv(['id', 'words', 'tags'], list)).toMatchInlineSnapshot(`
    "id,words,tags
    f1,"say ""so"", twice",a b
    f2,,
    "
  `)
})

test('a time is how long ago, or when', () => {
  const now = Date.parse('2026-03-10T12:00:00Z')
  expect(readTime('2d', '--since', now).toISOString()).toBe('2026-03-08T12:00:00.000Z')
  expect(readTime('2026-03-01T06:00Z', '--since', now).toISOString()).toBe('2026-03-01T06:00:00.000Z')
  expect(readTime('2026-03-01', '--since', now)).toEqual(new Date(2026, 2, 1))
  expect(() => readTime('yesterday', '--since', now)).toThrow("--since: 'yesterday' is no time")
  expect([12_300, 240_000, 3 * 3_600_000, 72 * 3_600_000].map(inOneUnit)).toEqual([
    '12 s',
    '4 min',
    '3 h',
    '3 d',
  ])
})

test('help is broken at spaces, and examples stay further in', () => {
  expect(wrapLines('one two three\n  four five six', 9)).toBe('one two\nthree\n  four\n    five\n    six')
  expect(wrapLines('  a           word', 10)).toBe('  a           word')
})
