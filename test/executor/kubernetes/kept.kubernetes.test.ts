import { afterEach, describe, expect, inject, it } from 'vitest'
import { payload } from '../../../src/testing/payload.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { type Job, workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const { ask, batch, open, eventually } = workshop(cluster, await makeNamespace(cluster))

const isGone = ({ spec }: Job) =>
  ask('GET', `${batch}/jobs/${spec.id}`).then(
    () => false,
    () => true,
  )

/** Whether the node takes further pods. */
const takePods = (isOpen: boolean) =>
  ask('PATCH', '/api/v1/nodes/node1', { spec: { unschedulable: !isOpen } }, 'application/merge-patch+json')
afterEach(() => takePods(true))

describe('the server removes a job that is kept, in time', { timeout: 90_000 }, () => {
  const profile = { keep: 'all', keepFor: '1s' } as const

  it('when it has failed', async () => {
    const { executor, run } = open({}, profile)
    const job = payload('() => process.exit(3)')
    await run(job)
    await executor.release([job.spec.id], 'failed')
    await eventually(() => isGone(job), 'its time to live is over')
  })

  it('when none of its pods could run', async () => {
    const { executor, run } = open({ nodeSelector: { pool: 'none-such' }, startTimeout: '1s' }, profile)
    const job = payload('() => 1')
    expect(await run(job)).toMatchObject([{ status: { reason: 'launch-failed' } }])
    await executor.release([job.spec.id], 'failed')
    await eventually(() => isGone(job), 'its time to live is over')
  })

  it('when a pod that took the place of a canceled one finds no node', async () => {
    const { executor, ends, log } = open({}, profile)
    const job = payload('(ms) => new Promise((resolve) => setTimeout(resolve, ms))', { args: [[1], [1e6]] })
    await executor.submit(job)
    const runs = () =>
      log.of(job.spec.id).filter((event) => 'status' in event && event.status.state === 'ACTIVE')
    await log.until(() => runs().some((event) => 'member' in event && event.member === 1))
    await ends(job, 1)
    await takePods(false)
    await executor.cancel([{ id: job.spec.id, members: [1] }])
    await ends(job)
    await executor.release([job.spec.id], 'completed')
    await eventually(() => isGone(job), 'its time to live is over')
  })
})
