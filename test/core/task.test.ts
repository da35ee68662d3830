import { describe, expect, it } from 'vitest'
import { readProgress } from '../../src/core/task.ts'

describe('progress', () => {
  it('is a fraction, or how many of how many', () => {
    expect(readProgress([0.25], 7)).toEqual({ fraction: 0.25, time: 7 })
    expect(readProgress([0.25, 'fits'], 7)).toEqual({ fraction: 0.25, message: 'fits', time: 7 })
    expect(readProgress([3, 12], 7)).toEqual({ fraction: 0.25, time: 7 })
    expect(readProgress([3, 12, 'fits'], 7)).toEqual({ fraction: 0.25, message: 'fits', time: 7 })
  })

  it('never leaves 0 to 1', () => {
    const fractions = [[-1], [2], [Number.NaN], [0, 0], [5, 0], [Number.POSITIVE_INFINITY]]
    expect(fractions.map((args) => readProgress(args, 0).fraction)).toEqual([0, 1, 0, 1, 1, 1])
  })

  it('refuses what is neither', () => {
    for (const args of [[], ['half'], [0.5, {}], [1, 2, 3]])
      expect(() => readProgress(args, 0)).toThrow(
        'progress: expected (fraction, message?) or (done, total, message?)',
      )
  })
})
