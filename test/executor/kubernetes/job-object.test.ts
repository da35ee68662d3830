import { describe, expect, it } from 'vitest'
import { jobObject } from '../../../src/executor/kubernetes/job-object.ts'
import { planOf } from '../../../src/executor/kubernetes/plan.ts'
import { hasOwnIndexes } from '../../../src/executor/kubernetes/server.ts'
import { payload } from '../../../src/testing/payload.ts'

const specOf = (members: number, ownIndexes: boolean) => {
  const { spec } = payload('() => 1', { args: Array.from({ length: members }, () => []) })
  const job = jobObject(spec, { image: 'node:22' }, planOf(spec, {}, false, 60, 'farcall-mark'), ownIndexes)
  return (job as { spec: Record<string, unknown> }).spec
}

describe('the Job of an array', () => {
  it('has indexes of its own where the server knows them, and none is run again', () => {
    const { template, ...spec } = specOf(3, true)
    // Fields of io.k8s.api.batch.v1.JobSpec: backoffLimitPerIndex takes completionMode Indexed and restartPolicy Never.
    expect(spec).toEqual({
      completions: 3,
      parallelism: 3,
      completionMode: 'Indexed',
      backoffLimitPerIndex: 0,
      podReplacementPolicy: 'Failed',
      // Where a server leaves the limit of an index out, one that fails is not to end the others.
      backoffLimit: 12,
      ttlSecondsAfterFinished: 60,
    })
    expect(template).toMatchObject({ spec: { restartPolicy: 'Never' } })
  })

  it('has none elsewhere, nor has that of one call', () => {
    for (const spec of [specOf(3, false), specOf(1, true)])
      expect(Object.keys(spec).sort()).toEqual([
        'backoffLimit',
        'completions',
        'parallelism',
        'template',
        'ttlSecondsAfterFinished',
      ])
  })

  it('goes by the version of the server', () => {
    const has = (major: string, minor: string) => hasOwnIndexes({ major, minor })
    expect([has('1', '20'), has('1', '28+'), has('1', '29'), has('1', '30+'), has('2', '0')]).toEqual([
      false,
      false,
      true,
      true,
      true,
    ])
    expect(hasOwnIndexes({})).toBe(false)
  })
})
