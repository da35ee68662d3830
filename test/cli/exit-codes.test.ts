import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { exitCodeOf, exitCodes, kindOfCode } from '../../src/cli/exit-codes.ts'
import { errorCodes } from '../../src/core/error-codes.ts'
import { FarcallError } from '../../src/core/errors.ts'

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

test.each(['failed', 'usage', 'configuration', 'connection', 'refused'] as const)(
  'docs/cli.md has the codes that end with %s',
  (kind) => {
    const row = page.split('\n').find((line) => line.startsWith(`| ${exitCodes[kind]} |`)) ?? ''
    const codes = errorCodes.filter((code) => kindOfCode[code] === kind)
    expect([...row.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([code]) => code).sort()).toEqual(
      [...codes].sort(),
    )
  },
)

test('an error ends with what its code says; what a function throws, with 1', () => {
  expect(exitCodeOf(new FarcallError('HOST_UNREACHABLE', 'no'))).toBe(4)
  expect(exitCodeOf(new FarcallError('SUBMIT_REFUSED', 'no'))).toBe(5)
  expect(exitCodeOf(new RangeError('mine'))).toBe(1)
  expect(exitCodeOf('thrown')).toBe(1)
  expect(exitCodeOf(new FarcallError('OF_LATER' as 'JOB_FAILED', 'no'))).toBe(1)
})
