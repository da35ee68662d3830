import { describe, expect, inject, it } from 'vitest'
import { payload } from '../../../src/testing/payload.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const { ask, core, batch, open, lines, give, eventually } = workshop(cluster, await makeNamespace(cluster))

/** Each member notes that it has begun, and waits for a file of its own. */
const waits = (file: string) => `async (n) => {
  const { appendFileSync, existsSync } = await import('node:fs')
  appendFileSync('/data/${file}', n + '\\n')
  while (!existsSync('/data/${file}.' + n)) await new Promise((resolve) => setTimeout(resolve, 50))
  return n
}`

describe.concurrent('one member of an array is canceled', { timeout: 90_000 }, () => {
  it('while it runs, and the others go on', async () => {
    const { executor, ends } = open()
    const job = payload(waits('one'), { args: [[0], [1], [2]] })
    await executor.submit(job)
    await eventually(() => lines('one').length === 3, 'all begin')
    await executor.cancel([{ id: job.spec.id, members: [1] }])
    expect(await ends(job, 1)).toMatchObject([
      { member: 1, status: { state: 'CANCELED', reason: 'by-user' } },
    ])
    for (const n of [0, 2]) give(`one.${n}`)
    const all = await ends(job)
    expect(all.map(({ member, status }) => [member, status.state]).sort()).toEqual([
      [0, 'COMPLETED'],
      [1, 'CANCELED'],
      [2, 'COMPLETED'],
    ])
    const complete = async () => {
      const { status } = await ask('GET', `${batch}/jobs/${job.spec.id}`)
      return status.conditions?.some(({ type }: { type: string }) => type === 'Complete')
    }
    await eventually(complete, 'the Job is complete')
    expect(lines('one').sort()).toEqual(['0', '1', '2'])
  })

  it('before it began, and never begins', async () => {
    // Room for two of three.
    const { executor, ends } = open()
    const { status } = await ask('GET', '/api/v1/nodes/node1')
    const cores = Number(status.allocatable.cpu) * 0.4
    const job = payload(waits('waiting'), { args: [[0], [1], [2]], spec: { resources: { cores } } })
    await executor.submit(job)
    await eventually(() => lines('waiting').length === 2, 'two begin')
    const [waiting] = [0, 1, 2].filter((n) => !lines('waiting').includes(String(n)))
    await executor.cancel([{ id: job.spec.id, members: [waiting!] }])
    expect(await ends(job, 1)).toMatchObject([
      { member: waiting, status: { state: 'CANCELED', reason: 'by-user' } },
    ])
    for (const n of [0, 1, 2]) give(`waiting.${n}`)
    expect((await ends(job)).map(({ status }) => status.state).sort()).toEqual([
      'CANCELED',
      'COMPLETED',
      'COMPLETED',
    ])
    expect(lines('waiting')).toHaveLength(2)
  })

  it('by another client, and both are told why', async () => {
    const [first, second] = [open(), open()]
    const job = payload(waits('other'), { args: [[0], [1]] })
    await first.executor.submit(job)
    await eventually(() => lines('other').length === 2, 'all begin')
    await second.executor.find([job.spec.id])
    await second.executor.cancel([{ id: job.spec.id, members: [0] }])
    for (const { ends } of [first, second])
      expect(await ends(job, 1)).toMatchObject([
        { member: 0, status: { state: 'CANCELED', reason: 'by-user' } },
      ])
    const third = open()
    const found = (await third.executor.find([job.spec.id])).get(job.spec.id)
    expect(found?.status.state).toBe('ACTIVE')
    expect(await third.ends(job, 1)).toMatchObject([{ member: 0, status: { state: 'CANCELED' } }])
    give('other.1')
    expect((await first.ends(job)).map(({ status }) => status.state)).toEqual(['CANCELED', 'COMPLETED'])
  })

  it.each([
    ['shared', ''],
    ['deaf', "process.on('SIGTERM', () => {});"],
  ])('in a pod that others run in as well: %s', async (file, deaf) => {
    const { executor, ends } = open()
    const text = waits(file).replace('=> {', `=> { ${deaf}`)
    const job = payload(text, { args: [[0], [1], [2], [3]], spec: { concurrency: 1 } })
    await executor.submit(job)
    await eventually(() => lines(file).length === 1, 'the first begins')
    // One that runs, and one that has not begun.
    await executor.cancel([{ id: job.spec.id, members: [0, 2] }])
    await eventually(() => lines(file).length === 2, 'another begins')
    for (const n of [0, 1, 2, 3]) give(`${file}.${n}`)
    const all = await ends(job)
    expect(all.map(({ member, status }) => [member, status.state]).sort()).toEqual([
      [0, 'CANCELED'],
      [1, 'COMPLETED'],
      [2, 'CANCELED'],
      [3, 'COMPLETED'],
    ])
    expect(lines(file)).toEqual(['0', '1', '3'])
    const { items } = await ask('GET', `${core}/pods?labelSelector=farcall%2Fjob%3D${job.spec.id}`)
    expect(items).toHaveLength(1)
  })
})
