import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineOf, type ResultLine, readResults, resume } from '../../../src/cli/batch/resume.ts'

const failed = { name: 'RangeError', message: 'negative' }
const value = (index: number, key: string): ResultLine => ({ index, key, value: `of ${key}` })
const text = (...lines: ResultLine[]) => lines.map(lineOf).join('')

test('what has a value is done, what failed is not, and a line without both is done', () => {
  const lines = [value(2, 'c'), { index: 0, key: 'a', error: failed }, { index: 1, key: 'b' }]
  const resumed = resume(['a', 'b', 'c', 'd'], readResults(text(...lines), 'r'))
  expect(resumed).toEqual({ kept: text(lines[0]!, lines[2]!), open: [0, 3], foreign: [] })
})

test('results are found by their items when those were moved, added or taken out', () => {
  const before = readResults(text(value(0, 'a'), value(1, 'b'), value(2, 'c')), 'r')
  const { kept, open, foreign } = resume(['new', 'c', 'a'], before)
  expect(open).toEqual([0])
  expect(readResults(kept, 'r')).toEqual([
    { ...value(0, 'a'), index: 2 },
    { ...value(0, 'c'), index: 1 },
  ])
  expect(foreign).toEqual([value(1, 'b')])
})

test('of items that are the same each has a result of its own', () => {
  const before = [value(0, 'a'), value(5, 'a'), value(0, 'a')]
  expect(resume(['a', 'a', 'a', 'a'], before)).toMatchObject({ open: [3], foreign: [] })
  expect(resume(['a'], before)).toEqual({ kept: text(value(0, 'a')), open: [], foreign: [] })
})

test('wherever writing was torn off, all whole lines count and no other', () => {
  const lines = ['a', 'é', 'c'].map((key, index) => value(index, key))
  const whole = text(...lines)
  fc.assert(
    fc.property(fc.nat(whole.length), (length) => {
      const there = whole.slice(0, length)
      // A line that lacks nothing but its end is whole.
      const count = lines.filter((_, at) => there.length >= text(...lines.slice(0, at + 1)).length - 1).length
      const resumed = resume(['a', 'é', 'c'], readResults(there, 'r'))
      expect(resumed.kept).toBe(text(...lines.slice(0, count)))
      expect(resumed.open).toEqual([0, 1, 2].slice(count))
    }),
  )
})

test('any order and any cuts in between: in the end each item has one result', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'b', 'c', 'd')),
      fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 12 }),
      (keys, runs) => {
        let file = ''
        for (const [most, fails] of runs) {
          const { kept, open } = resume(keys, readResults(file, 'r'))
          const lines = open.slice(0, most).map((index) => {
            const key = keys[index]!
            return fails ? { index, key, error: failed } : value(index, key)
          })
          file = `${kept}${text(...lines)}{"ind`
        }
        const { kept, open } = resume(keys, readResults(file, 'r'))
        const done = readResults(kept, 'r').map(({ index }) => index)
        expect([...done, ...open].sort((a, b) => a - b)).toEqual([...keys.keys()])
      },
    ),
  )
})

test('a file of something else is refused, with its line', () => {
  expect(() => readResults('{"seed":1}\n', 'seeds.jsonl')).toThrow('seeds.jsonl:1: no line of results')
  expect(() => readResults(`${text(value(0, 'a'))}{"ind\n${text(value(1, 'b'))}`, 'r')).toThrow('r:2: ')
  expect(() => readResults('import this', 'r.py')).toThrow('r.py:1: ')
})
