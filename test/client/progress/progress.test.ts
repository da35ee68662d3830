import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { Parts } from '../../../src/client/job/parts.ts'
import { kindOf } from '../../../src/client/progress/kind.ts'
import { Pace } from '../../../src/client/progress/pace.ts'
import { liveLine, plainLine } from '../../../src/client/progress/text.ts'
import { watchProgress } from '../../../src/client/progress/watch.ts'

const progress = { total: 100, done: 40, running: 8, queued: 50, failed: 2, rate: 2.5, left: 23.2 }
const line = { name: 'simulate', id: 'fabcdefghijklm', progress, failure: 'out of range' }

describe('a line of progress', () => {
  test('has bar, counts, pace and what failed', () => {
    expect(liveLine(line, 200, false)).toBe(
      'simulate ████████░░░░░░░░░░░░ 42/100  8 running  50 queued  2.5/s  24 s left  2 failed: out of range',
    )
    expect(plainLine(line)).toBe(
      'farcall: simulate (fabcdefghijklm): 42 of 100 items, 8 running, 50 queued, 2.5/s, 24 s left, 2 failed: out of range',
    )
  })

  test('is never wider than the terminal, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(300), fc.nat(1e6), fc.nat(1e6), (failure, columns, done, failed) => {
        const counts = { ...progress, total: done + failed, done, failed }
        const text = liveLine({ ...line, progress: counts, failure }, columns, false)
        expect(text.length).toBeLessThanOrEqual(Math.max(1, columns - 1))
      }),
    )
  })
})

test('progress is live on a terminal, plain elsewhere and in CI, and nothing where it is switched off', () => {
  expect(kindOf({}, true)).toBe('live')
  expect(kindOf({}, false)).toBe('plain')
  expect(kindOf({ CI: 'true' }, true)).toBe('plain')
  expect(kindOf({ CI: 'false' }, true)).toBe('live')
  expect(kindOf({ TERM: 'dumb' }, true)).toBe('plain')
  expect(kindOf({ FARCALL_PROGRESS: '0' }, true)).toBe('none')
  expect(kindOf({ FARCALL_PROGRESS: 'off' }, false)).toBe('none')
})

test('the pace is that of late', () => {
  const pace = new Pace(0)
  expect(pace.rate(0, 1_000)).toBeUndefined()
  for (let s = 1; s <= 60; s++) pace.note(s * 10, s * 1000)
  expect(pace.rate(600, 60_000)).toBeCloseTo(10)
  // Then nothing ends: it falls.
  expect(pace.rate(600, 120_000)!).toBeLessThan(10)
})

test.each([
  [
    'throws',
    () => {
      throw new Error('out of paper')
    },
  ],
  ['is async and rejects', () => Promise.reject(new Error('out of paper'))],
])('an onProgress that %s is a warning', async (_, onProgress) => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const parts = new Parts('fabcdefghijklm', Promise.resolve())
  watchProgress({ parts, name: 'map', progress: () => parts.progress, onProgress })
  await vi.waitUntil(() => warn.mock.calls.length > 0, 20_000)
  expect(warn.mock.calls).toEqual([['farcall: onProgress threw: Error: out of paper']])
  warn.mockRestore()
})
