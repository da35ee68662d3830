import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { delayBefore, escalated, isTriedAgain, requireBase } from '../../src/client/retries/retry.ts'
import { resolveRetry } from '../../src/core/resolve-retry.ts'
import { type RetryOptions, type RetryReason, retryReasons } from '../../src/core/retry-policy.ts'
import type { JobStatus } from '../../src/core/status.ts'

const policyOf = (options: RetryOptions) => resolveRetry({ retries: 3, ...options })
const delays = (options: RetryOptions, random: number) =>
  [1, 2, 3, 4, 5].map((retry) => delayBefore(policyOf(options), retry, () => random))

describe('the wait before a retry', () => {
  it('is always the same where it is fixed, and no longer than the cap', () => {
    expect(delays({ backoff: 'fixed', base: '3s' }, 0.7)).toEqual([3000, 3000, 3000, 3000, 3000])
    expect(delays({ backoff: 'fixed', base: '3s', cap: '1s' }, 0.7)).toEqual([1000, 1000, 1000, 1000, 1000])
  })

  it('doubles up to the cap, spread over the upper half', () => {
    expect(delays({ base: '2s', cap: '20s' }, 1)).toEqual([2000, 4000, 8000, 16_000, 20_000])
    expect(delays({ base: '2s', cap: '20s' }, 0)).toEqual([1000, 2000, 4000, 8000, 10_000])
  })

  it('stays between half of its ceiling and the ceiling, for any policy and any number of retries', () => {
    const seconds = fc.double({ min: 0.001, max: 1e7, noNaN: true })
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(seconds, seconds, fc.integer({ min: 1, max: 5000 }), random, (base, cap, retry, drawn) => {
        const policy = policyOf({ base, cap })
        const wait = delayBefore(policy, retry, () => drawn)
        const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (retry - 1))
        expect(wait).toBeGreaterThanOrEqual(ceiling / 2)
        expect(wait).toBeLessThanOrEqual(ceiling)
        expect(delayBefore(policy, retry + 1, () => drawn)).toBeGreaterThanOrEqual(wait)
      }),
    )
  })
})

describe('whether it is tried again', () => {
  const failed = (reason?: RetryReason): JobStatus => ({ state: 'FAILED', ...(reason ? { reason } : {}) })

  it('is for the reasons that are named, as long as there are tries left', () => {
    fc.assert(
      fc.property(
        fc.subarray([...retryReasons]),
        fc.constantFrom(...retryReasons),
        fc.nat(5),
        fc.nat(5),
        (on, reason, retries, retried) => {
          const policy = resolveRetry({ retries, on })
          expect(isTriedAgain(policy, retried, failed(reason), false)).toBe(
            retried < retries && on.includes(reason),
          )
          expect(isTriedAgain(policy, retried, failed(reason), true)).toBe(retried < retries)
        },
      ),
    )
  })

  it("leaves alone what is canceled or done, and the failures that are the user's", () => {
    const policy = policyOf({})
    expect(isTriedAgain(policy, 0, { state: 'CANCELED', reason: 'by-user' }, true)).toBe(false)
    expect(isTriedAgain(policy, 0, { state: 'COMPLETED' }, true)).toBe(false)
    expect(isTriedAgain(policy, 0, failed(), false)).toBe(false)
    for (const reason of ['exception', 'exit-code', 'signal', 'timeout', 'out-of-memory', 'lost'] as const)
      expect(isTriedAgain(policy, 0, failed(reason), false)).toBe(false)
  })
})

describe('escalation', () => {
  const policy = policyOf({ escalate: { memory: 2, time: 1.5 } })
  const asked = { memoryBytes: 1001, timeSeconds: 61, cores: 2 }

  it('gives more of what ran out, and of nothing else', () => {
    expect(escalated(asked, policy, new Set(['out-of-memory']))).toEqual({ ...asked, memoryBytes: 2002 })
    expect(escalated(asked, policy, new Set(['timeout']))).toEqual({ ...asked, timeSeconds: 92 })
    expect(escalated(asked, policy, new Set(['out-of-memory', 'timeout']))).toEqual({
      memoryBytes: 2002,
      timeSeconds: 92,
      cores: 2,
    })
    expect(escalated(asked, policy, new Set(['node-failure', undefined]))).toEqual(asked)
    expect(escalated(asked, policyOf({ escalate: { time: 2 } }), new Set(['out-of-memory']))).toEqual(asked)
  })

  it('gives whole numbers, more each time, that can be written into a script', () => {
    const amount = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
    const factor = fc.double({ min: 1, max: 1e300, minExcluded: true, noNaN: true })
    fc.assert(
      fc.property(amount, amount, factor, (memoryBytes, timeSeconds, by) => {
        const more = escalated(
          { memoryBytes, timeSeconds },
          policyOf({ escalate: { memory: by, time: by } }),
          new Set(['out-of-memory', 'timeout']),
        )
        for (const [after, before] of [
          [more.memoryBytes!, memoryBytes],
          [more.timeSeconds!, timeSeconds],
        ] as const) {
          expect(Number.isSafeInteger(after)).toBe(true)
          expect(after > before || after === Number.MAX_SAFE_INTEGER).toBe(true)
        }
      }),
    )
  })

  it('needs to know what the first try is granted', () => {
    expect(() => requireBase(policy, { timeSeconds: 1 })).toThrow(/retry\.escalate\.memory: .*memory/)
    expect(() => requireBase(policy, { memoryBytes: 1 })).toThrow(/retry\.escalate\.time: .*time/)
    expect(() => requireBase(policy, asked)).not.toThrow()
    expect(() => requireBase({ ...policy, retries: 0 }, {})).not.toThrow()
  })
})
