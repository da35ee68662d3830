import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseWarning } from '../../src/core/warning-signal.ts'

describe('a warning signal', () => {
  it.each([
    ['USR1@90', 'USR1', 90],
    ['usr1@90', 'USR1', 90],
    ['SIGUSR2@5', 'USR2', 5],
    ['B:USR1@90', 'USR1', 90],
    ['R:HUP', 'HUP', 60],
    ['RB:INT@1', 'INT', 1],
    ['10@90', 'USR1', 90],
    ['12', 'USR2', 60],
    ['15@3', 'TERM', 3],
    ['USR1@65535', 'USR1', 65_535],
    ['USR1@007', 'USR1', 7],
    ['USR1@0', 'USR1', 0],
    ['valueOf', 'VALUEOF', 60],
  ])('%s is %s, %d seconds before', (text, name, seconds) => {
    expect(parseWarning(text)).toEqual({ name, seconds })
  })

  it.each([
    '',
    '@90',
    'USR1@',
    'USR1@-1',
    'USR1@1.5',
    'USR1@1e3',
    'USR1@0x10',
    'USR1@65536',
    `USR1@${'9'.repeat(400)}`,
    'USR1 @90',
    ' USR1@90',
    'USR1@90\n',
    'USR1@90@90',
    'X:USR1@90',
    'USR1@90; rm -rf /',
    '$(id)@90',
    "USR1'@90",
    'USR1@९',
    'ÜSR1@9',
  ])('%j is none', (text) => {
    expect(parseWarning(text)).toBeUndefined()
  })

  it('is a word and a number that a script can hold, or nothing', () => {
    const pieces = fc
      .array(fc.oneof(fc.constantFrom('USR1', 'SIG', '@', '90', 'B:', 'R', '\n', ' ', '$', '`'), fc.string()))
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(pieces, fc.string()), (text) => {
        const warning = parseWarning(text)
        if (!warning) return
        expect(warning.name).toMatch(/^[A-Z0-9]+$/)
        expect(warning.seconds).toBeLessThanOrEqual(65_535)
        expect(String(warning.seconds)).toMatch(/^\d+$/)
      }),
      { numRuns: 1_000 },
    )
  })
})
