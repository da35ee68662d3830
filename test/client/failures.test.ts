import { describe, expect, it } from 'vitest'
import { failureOf, type MemberFailure } from '../../src/client/failures.ts'

const gigabyte = 2 ** 30

function outOfMemory(memoryBytes: number | undefined, peakMemory: number | undefined) {
  return failureOf({
    spec: { name: 'simulate', resources: memoryBytes === undefined ? {} : { memoryBytes } },
    jobId: 'fabcdefghijklm',
    status: {
      state: 'FAILED',
      reason: 'out-of-memory',
      ...(peakMemory === undefined ? {} : { peakMemory }),
    },
  } as MemberFailure)
}

describe('the hint of a job that ran out of memory', () => {
  it.each([
    [16 * gigabyte, 15.9 * gigabyte, "used 15.9 GB of 16.0 GB: ask for memory: '24GB'"],
    [16 * gigabyte, undefined, "it was granted 16.0 GB: ask for memory: '24GB'"],
    [undefined, 3 * gigabyte, "used 3.0 GB: ask for more with memory: '…GB'"],
    [undefined, undefined, "ask for more with memory: '…GB'"],
  ])('is a whole sentence when it was granted %s and used %s bytes', (granted, used, hint) => {
    expect(outOfMemory(granted, used).hint).toBe(hint)
  })
})
