import { expect, it } from 'vitest'
import type { JobSpec } from '../../../src/core/protocol.ts'
import type { Api } from '../../../src/executor/kubernetes/api.ts'
import { MemberCancel } from '../../../src/executor/kubernetes/member-cancel.ts'
import type { Pod } from '../../../src/executor/kubernetes/objects.ts'
import { TrackedJob } from '../../../src/executor/kubernetes/tracked-job.ts'

it('a cancel whose pod could not be removed is tried again by the next one; two at a time are one', async () => {
  const job = new TrackedJob({ id: 'f1', members: 1, chunk: 1 } as JobSpec, 'f1', 'mark', 1, new Map())
  job.pods.set(0, { metadata: { name: 'f1-x', uid: 'u' } } as Pod)
  let isAway = true
  const removed: string[] = []
  const ask = async (verb: string, path: string) => {
    if (verb !== 'DELETE') return {}
    removed.push(path)
    if (isAway) throw new Error('the server is away')
    return {}
  }
  const api = { access: { namespace: 'n' }, ask } as unknown as Api
  const canceling = new MemberCancel(api, {}, (work) => work())
  const both = await Promise.allSettled([canceling.cancel(job, [0]), canceling.cancel(job, [0])])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(removed).toHaveLength(1)
  isAway = false
  await canceling.cancel(job, [0])
  expect(removed).toEqual(Array(2).fill(expect.stringContaining('f1-x')))
  await canceling.cancel(job, [0])
  expect(removed).toHaveLength(2)
})
