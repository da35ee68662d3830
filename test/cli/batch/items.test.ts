import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { csvRows } from '../../../src/cli/batch/csv-rows.ts'
import { itemFormatOf, itemsOf, keyOf, requireLists } from '../../../src/cli/batch/items.ts'
import { csv } from '../../../src/cli/csv.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const ofCsv = (text: string) => itemsOf(bytes(text), 'csv', 'runs.csv')
const ofJson = (text: string) => itemsOf(bytes(text), 'jsonl', 'seeds.jsonl')
/** Cells full of what has a meaning in CSV. */
const cell = fc.string({
  unit: fc.constantFrom('a', '1', '"', ',', '\n', '\r', ' ', 'é', '😀'),
  maxLength: 8,
})

describe('CSV', () => {
  test('what csv() writes is read back, with LF and with CRLF', () => {
    const table = fc
      .uniqueArray(
        cell.filter((head) => head !== ''),
        { minLength: 1, maxLength: 4 },
      )
      .chain((heads) => fc.tuple(fc.constant(heads), fc.array(fc.tuple(...heads.map(() => cell)))))
    fc.assert(
      fc.property(table, ([heads, lines]) => {
        const rows = lines.map((cells) => Object.fromEntries(heads.map((head, at) => [head, cells[at]!])))
        // A line of nothing between others is left out where there are several columns, but no such line is written.
        expect(ofCsv(csv(heads, rows))).toEqual(rows)
      }),
    )
  })

  test('CRLF, a mark of the byte order, blank lines and a last line without an end', () => {
    expect(ofCsv('\ufeffname,n\r\n"a ""b""",1\r\n\r\n,"2\n3"')).toEqual([
      { name: 'a "b"', n: '1' },
      { name: '', n: '2\n3' },
    ])
    expect(ofCsv('')).toEqual([])
    expect(ofCsv('a\n\n')).toEqual([{ a: '' }])
    expect(ofCsv('a,b\n1,\n')).toEqual([{ a: '1', b: '' }])
    expect(ofCsv('a,b\n1,')).toEqual([{ a: '1', b: '' }])
  })

  test.each([
    ['a,b\n1\n', 'runs.csv:2: 1 cells where the header has 2'],
    ['a,b\n"x\ny",2\n1,2,3\n', 'runs.csv:4: 3 cells where the header has 2'],
    ['a,b\n1,2\n"x,3\n', 'runs.csv:3: a quote is not closed'],
    ['a,b\n1,2\n"x"y,3\n', 'runs.csv:3: text behind a closing quote'],
    ['a,b\n1,x"y"\n', 'runs.csv:2: a quote within a cell'],
    ['a,a\n', "runs.csv:1: two columns are named 'a'"],
    ['a,,b\n', 'runs.csv:1: a column has no name'],
  ])('%j is refused, with its line', (text, message) => {
    expect(() => ofCsv(text)).toThrow(message)
  })

  test('rows know the line that they begin on', () => {
    expect([...csvRows('a\n"b\r\nc\nd"\ne', 'x')].map(({ line }) => line)).toEqual([1, 2, 5])
  })
})

describe('JSONL', () => {
  test('any JSON values are read back', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom('\n', '\r\n', '\n\n'), (values, end) => {
        const texts = values.map((value) => JSON.stringify(value))
        expect(ofJson(texts.join(end))).toEqual(texts.map((text) => JSON.parse(text)))
      }),
    )
  })

  test('a bad line is refused with its number, and what is not UTF-8 at all', () => {
    expect(() => ofJson('1\n\n{"a":\n3\n')).toThrow(/^seeds\.jsonl:3: /)
    expect(() => itemsOf(new Uint8Array([0x22, 0xe9, 0x22]), 'jsonl', 'x.jsonl')).toThrow(
      'x.jsonl: it is not UTF-8',
    )
  })
})

test('the ending tells the format, unless it is said', () => {
  expect(itemFormatOf('a.b/items.CSV', undefined)).toBe('csv')
  expect(itemFormatOf('items.ndjson', undefined)).toBe('jsonl')
  expect(itemFormatOf('items.txt', 'csv')).toBe('csv')
  expect(itemFormatOf('-', undefined)).toBe('jsonl')
  expect(() => itemFormatOf('items.txt', undefined)).toThrow('say --format jsonl or --format csv')
  expect(() => itemFormatOf('items.txt', 'cvs')).toThrow('did you mean csv?')
})

test('a key is that of the function and the value, whatever blanks are in the line', () => {
  const [one, same, other] = ofJson('{"a": 1}\n{"a":1}\n{"a":2}\n')
  expect(keyOf('f', one)).toBe(keyOf('f', same))
  expect(keyOf('f', one)).not.toBe(keyOf('f', other))
  expect(keyOf('f', one)).not.toBe(keyOf('g', one))
})

test('what is to be spread is a list', () => {
  expect(requireLists([[1], []])).toEqual([[1], []])
  expect(() => requireLists([[1], { a: 1 }])).toThrow('item 1 is no array')
})
