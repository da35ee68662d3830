import fc from 'fast-check'
import { expect, test } from 'vitest'
import { codeFrame, frameOf, userFrame } from '../../src/cli/code-frame.ts'

const source = ['one', 'two', '\tthree(x)', 'four', 'five', 'six'].join('\n')

test('five lines, with a caret below the character, tabs kept', () => {
  expect(codeFrame(source, 3, 2)).toBe(
    ['  1 | one', '  2 | two', '> 3 | \tthree(x)', '    | \t^', '  4 | four', '  5 | five'].join('\n'),
  )
})

test('at the ends of a file there are fewer lines, and numbers are aligned', () => {
  expect(codeFrame(source, 1, 1)).toBe(
    '> 1 | one\n    | ^\n  2 | two\n  3 |\tthree(x)'.replace('|\t', '| \t'),
  )
  const long = Array.from({ length: 12 }, (_, i) => `l${i + 1}`).join('\r\n')
  expect(codeFrame(long, 9, 2)).toBe(
    ['   7 | l7', '   8 | l8', '>  9 | l9', '     |  ^', '  10 | l10', '  11 | l11'].join('\n'),
  )
  expect(codeFrame(source, 7, 1)).toBe('')
  expect(codeFrame(source, 0, 1)).toBe('')
})

test('nothing of a source reaches the terminal as a control sequence', () => {
  expect(codeFrame('a \u001b[31mred\u001b]0;title\u0007 \b', 1, 1)).not.toMatch(/[\u001b\u0007\b]/)
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(50),
      (text, line, column) => {
        const framed = codeFrame(text, line, column)
        expect(framed).not.toMatch(/[\0-\x08\x0b-\x1f\x7f]/)
        if (framed !== '') expect(framed.split('\n').filter((one) => one.startsWith('>'))).toHaveLength(1)
      },
    ),
  )
})

test.each([
  ['    at fail (/home/ada/study.ts:4:9)', { path: '/home/ada/study.ts', line: 4, column: 9 }],
  ['    at async file:///home/ada%20b/study.ts:4:9', { path: '/home/ada b/study.ts', line: 4, column: 9 }],
  ['    at new Box (/home/(ada)/study.ts:4:9)', { path: '/home/(ada)/study.ts', line: 4, column: 9 }],
  ['    at node:internal/main:1:1', undefined],
  ['    at <job fabc>', undefined],
  ['RangeError: at /home/ada/study.ts:4:9', undefined],
])('%s points where it says', (line, expected) => {
  expect(frameOf(line)).toEqual(expected)
})

test('the first frame that is neither ours nor of a package is the user’s', () => {
  const stack = `Error: x
    at own (/lib/farcall/dist/client/job.js:1:1)
    at parse (/home/ada/node_modules/yaml/x.js:2:2)
    at <job fabc>
    at mine (/home/ada/study.ts:3:3)
    at /home/ada/other.ts:4:4`
  expect(userFrame(stack, (path) => path.startsWith('/lib/farcall/'))?.line).toBe(3)
  expect(userFrame('Error: x', () => false)).toBeUndefined()
})
