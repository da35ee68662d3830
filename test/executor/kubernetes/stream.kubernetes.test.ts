import { describe, expect, inject, it } from 'vitest'
import { attemptStep } from '../../../src/core/protocol.ts'
import { payload } from '../../../src/testing/payload.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const namespace = await makeNamespace(cluster)
const { ask, core, open, podsOf, give, eventually } = workshop(cluster, namespace)

const stream = { items: 5, bytes: 1_000_000 }

describe.concurrent('generators in pods', { timeout: 90_000 }, () => {
  it('are heard beside each other, by two clients at once', async () => {
    const [first, second] = [open(), open()]
    const text = `async function* (n) {
      const { existsSync } = await import('node:fs')
      yield [n, 'a']
      while (!existsSync('/data/both')) await new Promise((resolve) => setTimeout(resolve, 50))
      yield [n, 'b']
    }`
    const job = payload(text, { args: [[0], [1]], spec: { stream } })
    await first.executor.submit(job)
    await second.executor.find([job.spec.id])
    const counts = ({ log }: typeof first, item: number) =>
      log
        .of(job.spec.id)
        .flatMap((event) =>
          event.type === 'yield' && event.report.item === item ? [event.report.count] : [],
        )
    for (const client of [first, second])
      await client.log.until(() => [0, 1].every((item) => counts(client, item).at(-1) === 1))
    give('both')
    for (const client of [first, second]) {
      const all = await client.ends(job)
      expect(all.map(({ end }) => end?.yields?.map(({ count }) => count))).toEqual([[2], [2]])
    }
  })

  it('begin anew in another pod only when nobody has heard of a value', async () => {
    const text = `async function* () {
      const { existsSync } = await import('node:fs')
      while (!existsSync('/data/' + values)) await new Promise((resolve) => setTimeout(resolve, 50))
      yield 1
      await new Promise(() => setInterval(() => {}, 1000))
    }`
    for (const [file, isHeard] of [
      ['unheard', false],
      ['heard', true],
    ] as const) {
      const { executor, ends, active, log } = open()
      const job = payload(text, { values: file, spec: { stream } })
      const { id } = job.spec
      await executor.submit(job)
      await active(job)
      if (isHeard) {
        give(file)
        await log.until(() => log.of(id).some(({ type }) => type === 'yield'))
      }
      const [pod] = await podsOf(job)
      await ask('DELETE', `${core}/pods/${pod!.metadata.name}`)
      expect(await ends(job)).toMatchObject([{ status: { reason: 'preempted' } }])
      const again = executor.retry({ ...job.spec, attempt: attemptStep + 1, retried: 1, only: [0] })
      if (isHeard) await expect(again).rejects.toMatchObject({ code: 'RESULT_MISSING' })
      else {
        await again
        give(file)
        await log.until(() => log.of(id).some((event) => event.type === 'yield' && event.attempt > 1))
        await executor.cancel([{ id }])
        await ends(job, 2)
      }
    }
  })

  it('do not wait for a client that is gone', async () => {
    const text = `function* () { for (let i = 0; i < 20; i++) yield i }`
    const job = payload(text, { spec: { stream } })
    const gone = open()
    await gone.executor.submit(job)
    await gone.log.until(() => gone.log.of(job.spec.id).some(({ type }) => type === 'yield'))
    await gone.executor[Symbol.asyncDispose]()
    const over = async () => {
      const pods = await ask('GET', `${core}/pods?labelSelector=farcall%2Fjob%3D${job.spec.id}`)
      const all = pods.items[0]?.status.containerStatuses ?? []
      return all.some(
        (one: { name: string; state: object }) => one.name === 'main' && 'terminated' in one.state,
      )
    }
    // A minute after the last that listened; the pod's log is looked at from time to time.
    await eventually(over, 'it goes on to its end', 240_000)
    const { executor, ends } = open()
    await executor.find([job.spec.id])
    expect(await ends(job)).toMatchObject([{ end: { yields: [{ count: 20 }] } }])
    const values = await executor.yields!({ id: job.spec.id, member: 0, item: 0 }, 0, 100_000, 1)
    expect(values).toHaveLength(20)
  }, 300_000)
})
