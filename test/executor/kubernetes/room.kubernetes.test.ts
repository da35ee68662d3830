import { expect, inject, it } from 'vitest'
import { decode } from '../../../src/codec/codec.ts'
import { payload } from '../../../src/testing/payload.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const { ask, open } = workshop(cluster, await makeNamespace(cluster))

it('lets pods with large results go once these are here and other members find no node', {
  timeout: 90_000,
}, async () => {
  const { executor, ends, log } = open()
  const { status } = await ask('GET', '/api/v1/nodes/node1')
  const job = payload('(n) => new Uint8Array(100_000).fill(n)', {
    args: [[0], [1], [2], [3], [4]],
    spec: { resources: { cores: Number(status.allocatable.cpu) * 0.4 } },
  })
  const { id } = job.spec
  await executor.submit(job)
  const read: number[] = []
  while (read.length < 5) {
    const all = await ends(job, read.length + 1)
    for (const { member, status } of all.slice(read.length)) {
      expect(status.state).toBe('COMPLETED')
      for await (const { bytes } of executor.fetch(id, [member])) {
        const value = decode(bytes) as Uint8Array
        expect(value).toEqual(new Uint8Array(100_000).fill(member))
        read.push(member)
      }
    }
  }
  expect(read.sort()).toEqual([0, 1, 2, 3, 4])
  const waited = log.of(id).some((event) => 'status' in event && event.status.native === 'Unschedulable')
  expect(waited).toBe(true)
})
