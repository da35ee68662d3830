import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError, FarcallError } from '../../src/core/errors.ts'
import { resolveRetry } from '../../src/core/resolve-retry.ts'
import { retryReasons } from '../../src/core/retry-policy.ts'

const passing = ['node-failure', 'preempted', 'launch-failed', 'submit-failed']

describe('the retry option', () => {
  it('has its defaults', () => {
    expect(resolveRetry({})).toEqual({
      retries: 0,
      backoff: 'exp',
      baseMs: 2_000,
      capMs: 60_000,
      on: passing,
      escalate: {},
    })
    expect(resolveRetry(3)).toEqual(resolveRetry({ retries: 3 }))
  })

  it('reads durations and reasons, each once', () => {
    expect(resolveRetry({ base: 0.25, cap: '1h', on: ['timeout', 'timeout', 'exception'] })).toMatchObject({
      baseMs: 250,
      capMs: 3_600_000,
      on: ['timeout', 'exception'],
    })
    expect(resolveRetry({ on: [] }).on).toEqual([])
  })

  it('tries again for what escalate gives more of', () => {
    expect(resolveRetry({ escalate: { memory: 2 } }).on).toEqual([...passing, 'out-of-memory'])
    expect(resolveRetry({ escalate: { time: 1.5, memory: 2 }, on: ['timeout'] }).on).toEqual([
      'timeout',
      'out-of-memory',
    ])
  })

  it.each([
    [-1, 'OPTION_INVALID', 'retry: expected a whole number from 0, got -1'],
    [Number.NaN, 'OPTION_INVALID', 'retry: expected a whole number from 0, got NaN'],
    [1.5, 'OPTION_INVALID', 'got 1.5'],
    [null, 'OPTION_INVALID', 'retry: expected a number, or a record like { retries: 3 }, got null'],
    [[1], 'OPTION_INVALID', 'retry: expected a number'],
    [3n, 'OPTION_INVALID', 'got 3n'],
    [{ retries: '3' }, 'OPTION_INVALID', 'retry.retries: expected a whole number from 0, got "3"'],
    [{ retries: 2 ** 60 }, 'OPTION_INVALID', 'retry.retries'],
    [{ backoff: 'linear' }, 'OPTION_INVALID', `retry.backoff: expected 'fixed' or 'exp', got "linear"`],
    [{ base: 'soon' }, 'UNIT_INVALID', 'retry.base'],
    [{ base: 0 }, 'UNIT_INVALID', 'retry.base'],
    [{ cap: Number.POSITIVE_INFINITY }, 'UNIT_INVALID', 'retry.cap'],
    [
      { cap: null },
      'OPTION_INVALID',
      "retry.cap: expected a duration like '2s', or a number of seconds, got null",
    ],
    [{ on: 'timeout' }, 'OPTION_INVALID', 'retry.on: expected a list of reasons'],
    [{ on: ['time-out'] }, 'OPTION_INVALID', "did you mean 'timeout'?"],
    [{ on: [1n] }, 'OPTION_INVALID', 'retry.on: 1n is no reason to try again'],
    [{ escalate: 2 }, 'OPTION_INVALID', 'retry.escalate: expected a record, got 2'],
    [
      { escalate: { memory: 1 } },
      'OPTION_INVALID',
      'retry.escalate.memory: expected a factor above 1, like 2, got 1',
    ],
    [{ escalate: { time: '2' } }, 'OPTION_INVALID', 'retry.escalate.time'],
    [{ escalate: { memroy: 2 } }, 'OPTION_UNKNOWN', "did you mean 'memory'?"],
    [{ retrys: 1 }, 'OPTION_UNKNOWN', "did you mean 'retries'?"],
  ])('refuses %o by its key', (given, code, words) => {
    const refused = thrownBy(() => resolveRetry(given))
    expect(refused).toBeInstanceOf(ConfigError)
    expect(refused).toMatchObject({ code, message: expect.stringContaining(words) })
  })

  it('names the place that it was told', () => {
    const refused = thrownBy(() => resolveRetry({ base: [] }, 'profiles.hpc.retry'))
    expect(refused).toMatchObject({ message: expect.stringMatching(/^profiles\.hpc\.retry\.base: /) })
  })

  it('is a whole policy or a ConfigError, whatever is given', () => {
    const anything = fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true, withMap: true })
    const nearly = fc.record(
      {
        retries: fc.oneof(fc.nat(), anything),
        backoff: fc.oneof(fc.constantFrom('fixed', 'exp'), anything),
        base: fc.oneof(fc.double(), fc.constantFrom('2s', '1:00', ''), anything),
        cap: fc.oneof(fc.double(), anything),
        on: fc.oneof(fc.array(fc.oneof(fc.constantFrom(...retryReasons), anything)), anything),
        escalate: fc.oneof(
          fc.record({ memory: fc.double(), time: fc.double() }, { requiredKeys: [] }),
          anything,
        ),
      },
      { requiredKeys: [] },
    )
    let whole = 0
    fc.assert(
      fc.property(fc.oneof(nearly, anything), (given) => {
        try {
          const policy = resolveRetry(given)
          whole++
          expect(Number.isSafeInteger(policy.retries) && policy.retries >= 0).toBe(true)
          expect(policy.baseMs > 0 && policy.capMs > 0).toBe(true)
          expect(policy.on.every((reason) => retryReasons.includes(reason))).toBe(true)
          expect(new Set(policy.on).size).toBe(policy.on.length)
          // It travels in the spec.
          expect(JSON.parse(JSON.stringify(policy))).toEqual({ ...policy, retries: policy.retries + 0 })
        } catch (error) {
          if (!(error instanceof FarcallError)) throw error
          expect(error.message).toMatch(/^retry/)
        }
      }),
      { numRuns: 1_000 },
    )
    expect(whole).toBeGreaterThan(0)
  })
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
