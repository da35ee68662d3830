import { describe, expect, it } from 'vitest'
import { failureOf, type MemberFailure } from '../../src/client/outcome/failures.ts'
import type { JobFailedError } from '../../src/core/errors.ts'
import type { JobReason } from '../../src/core/status.ts'

const gigabyte = 2 ** 30

function failed(status: object, resources: object = {}, more: Partial<MemberFailure> = {}) {
  return failureOf({
    spec: { name: 'simulate', resources },
    jobId: 'fabcdefghijklm',
    status: { state: 'FAILED', ...status },
    ...more,
  } as MemberFailure) as JobFailedError
}

describe('the hint of a job that ran out of memory', () => {
  it.each([
    [16 * gigabyte, 15.9 * gigabyte, "used 15.9 of 16 GB: ask for memory: '24GB'"],
    [100 * 2 ** 20, 99.9 * 2 ** 20, "used 99.9 of 100 MB: ask for memory: '150MB'"],
    [16 * gigabyte, undefined, "it had 16 GB: ask for memory: '24GB'"],
    [undefined, 3 * gigabyte, "used 3 GB: ask for more with memory: '…GB'"],
    [undefined, undefined, "ask for more with memory: '…GB'"],
  ])('is a whole sentence when it was granted %s and used %s bytes', (memoryBytes, peakMemory, hint) => {
    expect(failed({ reason: 'out-of-memory', peakMemory }, { memoryBytes }).hint).toBe(hint)
  })
})

describe('the hint of a job that was over its time', () => {
  it.each([
    [60, 61, 'ran 61 of 60 s: ask for time: 120, or split the work with map'],
    [7200, 7205, 'ran 2:00:05 of 2:00:00: ask for time: 14400, or split the work with map'],
    [undefined, 601, "ran 0:10:01: ask for more with time: '2h', or split the work with map"],
    [undefined, undefined, "ask for more with time: '2h', or split the work with map"],
  ])('is a whole sentence when it was granted %s and ran %s seconds', (timeSeconds, elapsed, hint) => {
    expect(failed({ reason: 'timeout', elapsed }, { timeSeconds }).hint).toBe(hint)
  })
})

describe('the error of a job', () => {
  const reasons: JobReason[] = [
    'exit-code',
    'signal',
    'timeout',
    'out-of-memory',
    'node-failure',
    'preempted',
    'launch-failed',
    'interpreter-missing',
    'lost',
  ]
  it.each(reasons)('%s says what was used of what was asked, and what to change', (reason) => {
    const error = failed(
      { reason, peakMemory: 15.9 * gigabyte, elapsed: 61, native: 'WORD', exitCode: 3, signal: 11 },
      { memoryBytes: 16 * gigabyte, timeSeconds: 60 },
      { stderrTail: 'last words' },
    )
    expect(error.message).toContain('used 15.9 of 16 GB')
    expect(error.message).toContain('ran 61 of 60 s')
    expect(error.message).toContain('stderr: last words')
    expect(error.hint).toMatch(/\w+ .*\w+/)
    expect(error.usage).toEqual({
      memory: { used: 15.9 * gigabyte, asked: 16 * gigabyte },
      time: { used: 61, asked: 60 },
      cpu: {},
      hints: [
        "used 15.9 of 16 GB, close to the limit: ask for memory: '24GB'",
        "ran 61 of 60 s, close to the limit: ask for time: '2min'",
      ],
    })
    expect(error.message).toMatchSnapshot()
  })

  it('says nothing of what nobody knows', () => {
    const error = failed({ reason: 'lost' })
    expect(error.message).not.toMatch(/undefined|NaN|used|ran \d/)
    expect(error.usage).toEqual({ memory: {}, time: {}, cpu: {}, hints: [] })
  })

  it.each([
    ['by-user', /was canceled, CANCELLED/],
    ['by-admin', /by an administrator/],
    [undefined, /canceled outside of farcall/],
  ])('that was canceled tells by whom, as far as that is known: %s', (reason, said) => {
    const error = failed({ state: 'CANCELED', reason, native: 'CANCELLED' })
    expect(error).toMatchObject({ name: 'JobCanceledError', message: expect.stringMatching(said) })
  })
})
