import { createHash } from 'node:crypto'
import { describe, expect, inject, it } from 'vitest'
import { decode } from '../../../src/codec/codec.ts'
import { payload } from '../../../src/testing/payload.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { begins, workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const { ask, core, batch, open, podsOf, lines, give, eventually } = workshop(
  cluster,
  await makeNamespace(cluster),
)

describe.concurrent('what only a real server shows', { timeout: 90_000 }, () => {
  it('runs nothing in a pod that took the place of one that was deleted', async () => {
    const { executor, ends, active } = open()
    const job = payload(begins('replaced'))
    await executor.submit(job)
    await active(job)
    await eventually(() => lines('replaced').length === 1, 'the function begins')
    const [first] = await podsOf(job)
    await ask('DELETE', `${core}/pods/${first!.metadata.name}`)
    const [end] = await ends(job)
    expect(end).toMatchObject({ status: { state: 'FAILED', reason: 'preempted', native: 'PodDeleted' } })
    const replaced = async () =>
      (await podsOf(job)).some(
        ({ metadata, status }) => metadata.uid !== first!.metadata.uid && status.phase === 'Failed',
      )
    await eventually(replaced, 'another pod took its place, and ended')
    expect(lines('replaced')).toEqual(['begun'])
  })

  it('fails the member of an array whose pod was deleted, and no other', async () => {
    const { executor, ends } = open()
    const one = `async (n) => {
      const { appendFileSync, existsSync } = await import('node:fs')
      appendFileSync('/data/array', n + '\\n')
      while (!existsSync('/data/array.' + n)) await new Promise((resolve) => setTimeout(resolve, 50))
      return n
    }`
    const job = payload(one, { args: [[0], [1], [2]] })
    await executor.submit(job)
    await eventually(() => lines('array').length === 3, 'all begin')
    const { data } = await ask('GET', `${core}/configmaps/${job.spec.id}`)
    const uid = /^(\S+) 1$/m.exec(data.claims)![1]
    const pod = (await podsOf(job)).find(({ metadata }) => metadata.uid === uid)!
    await ask('DELETE', `${core}/pods/${pod.metadata.name}`)
    await ends(job, 1)
    for (const n of [0, 2]) give(`array.${n}`)
    const all = await ends(job)
    expect(all.map(({ member, status }) => [member, status.state]).sort()).toEqual([
      [0, 'COMPLETED'],
      [1, 'FAILED'],
      [2, 'COMPLETED'],
    ])
    const complete = async () => {
      const { status } = await ask('GET', `${batch}/jobs/${job.spec.id}`)
      return status.conditions?.some(({ type }: { type: string }) => type === 'Complete')
    }
    await eventually(complete, 'the Job is complete')
    expect(lines('array').sort()).toEqual(['0', '1', '2'])
  })

  it('sends what a Secret has no room for into the pod, byte for byte, and what it returns back', async () => {
    const { executor, log, run } = open()
    const bytes = Buffer.alloc(30_000_000, 'a line that is not the same everywhere\n')
    for (let at = 0; at < bytes.length; at += 4096) bytes.writeUInt32LE(at, at)
    const hash = `async (bytes) => {
      const { createHash } = await import('node:crypto')
      return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
    }`
    const job = payload(hash, { args: [[bytes]] })
    const [end] = await run(job)
    expect(end).toMatchObject({ status: { state: 'COMPLETED' }, complete: false })
    const states = log.of(job.spec.id).flatMap((event) => ('status' in event ? [event.status.reason] : []))
    expect(states).toContain('staging-in')
    const records = []
    for await (const record of executor.fetch(job.spec.id, [0])) records.push(record)
    const value = decode(records[0]!.bytes) as { bytes: Uint8Array; sha256: string }
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(value.sha256).toBe(sha256)
    expect(createHash('sha256').update(value.bytes).digest('hex')).toBe(sha256)
  })

  it('gives a function an argument that no command line could hold', async () => {
    const { run, log } = open()
    const job = payload('(text) => text.length', { args: [['x'.repeat(200_000)]] })
    expect(await run(job)).toMatchObject([{ status: { state: 'COMPLETED' } }])
    const [item] = log.of(job.spec.id).filter(({ type }) => type === 'item')
    expect(item).toMatchObject({ record: { kind: 'value' } })
  })

  it('removes the Job with all that belongs to it, and goes on over the same connection', async () => {
    const { executor, run } = open()
    const job = payload('() => 1')
    await run(job)
    await executor.release([job.spec.id], 'completed')
    expect((await executor.find([job.spec.id])).get(job.spec.id)).toBeUndefined()
    const left = async () => {
      const label = `labelSelector=farcall%2Fjob%3D${job.spec.id}`
      const kinds = await Promise.all(
        [`${batch}/jobs`, `${core}/pods`, `${core}/secrets`, `${core}/configmaps`].map((path) =>
          ask('GET', `${path}?${label}`),
        ),
      )
      return kinds.every(({ items }) => items.length === 0)
    }
    await eventually(left, 'nothing of it is left')
  })

  it('keeps a result that is too large for a log until somebody comes for it', async () => {
    const job = payload('() => new Uint8Array(3_000_000).fill(9)')
    const first = open()
    await first.executor.submit(job)
    await first.executor[Symbol.asyncDispose]()
    const over = async () => {
      const pods = await ask('GET', `${core}/pods?labelSelector=farcall%2Fjob%3D${job.spec.id}`)
      const containers = pods.items[0]?.status.containerStatuses ?? []
      return containers.some(
        (one: { name: string; state: object }) => one.name === 'main' && 'terminated' in one.state,
      )
    }
    await eventually(over, 'the function is over')
    const second = open()
    const found = (await second.executor.find([job.spec.id])).get(job.spec.id)
    expect(found).toMatchObject({ status: { state: 'COMPLETED' }, nativeId: job.spec.id })
    expect(await second.ends(job)).toMatchObject([{ status: { state: 'COMPLETED' }, complete: false }])
    const records = []
    for await (const record of second.executor.fetch(job.spec.id, [0])) records.push(record)
    const value = decode(records[0]!.bytes) as Uint8Array
    expect(Buffer.compare(value, new Uint8Array(3_000_000).fill(9))).toBe(0)
    // Kept, the pod need not wait any longer.
    await second.executor.release([job.spec.id], 'failed')
    await eventually(async () => (await podsOf(job))[0]?.status.phase === 'Succeeded', 'the pod ends')
  })

  it('runs members of an array in as many pods as may run at once', async () => {
    const { run, log } = open()
    const one = '(n) => [n, process.env.HOSTNAME]'
    const args = [[0], [1], [2], [3], [4]]
    const job = payload(one, { args, spec: { concurrency: 2 } })
    const ends = await run(job)
    expect(ends.map(({ status }) => status.state)).toEqual(Array.from({ length: 5 }, () => 'COMPLETED'))
    const values = log
      .of(job.spec.id)
      .flatMap((event) => (event.type === 'item' ? [decode(event.record.bytes) as [number, string]] : []))
    expect(values.map(([n]) => n).sort()).toEqual([0, 1, 2, 3, 4])
    expect(new Set(values.map(([, host]) => host)).size).toBe(2)
  })

  it('keeps stdout and stderr of each member apart, while it runs and when it is over', async () => {
    const { executor, ends, log } = open()
    const speaks = `async (n) => {
      console.log('out', n); console.error('err', n)
      const { existsSync } = await import('node:fs')
      while (!existsSync('/data/speaks')) await new Promise((resolve) => setTimeout(resolve, 50))
      process.stdout.write('no newline ' + n)
    }`
    const job = payload(speaks, { args: [[0], [1]], spec: { concurrency: 1 } })
    await executor.submit(job)
    await log.until(() =>
      log.of(job.spec.id).some((event) => 'status' in event && event.status.state === 'ACTIVE'),
    )
    const read = async (member: number, stream: 'stdout' | 'stderr', from = 0) =>
      Buffer.from((await executor.logs(job.spec.id, member, stream, from)).bytes).toString()
    await eventually(async () => (await read(0, 'stdout')) === 'out 0\n', 'it is read while it runs')
    give('speaks')
    await ends(job)
    expect(await read(0, 'stderr')).toBe('err 0\n')
    expect((await read(1, 'stdout')).trimEnd()).toBe('out 1\nno newline 1')
    expect(await read(1, 'stdout', 6)).toMatch(/^no newline 1/)
    expect(await read(1, 'stderr')).toBe('err 1\n')
  })

  it('brings secrets to the function, and into nothing that others may read', async () => {
    const { executor, ends, log } = open()
    const value = `s3cr3t '"$(x) ${Math.random()}`
    const job = payload('() => process.env.TOKEN', { spec: { environment: { secrets: ['TOKEN'] } } })
    await executor.submit({ ...job, secrets: { TOKEN: value } })
    await ends(job)
    const [item] = log.of(job.spec.id).flatMap((event) => (event.type === 'item' ? [event.record] : []))
    expect(decode(item!.bytes)).toBe(value)
    const seen = await Promise.all([
      ask('GET', `${batch}/jobs/${job.spec.id}`),
      ask('GET', `${core}/configmaps/${job.spec.id}`),
      podsOf(job),
    ])
    expect(JSON.stringify(seen.map((one) => ({ ...one, containerStatuses: undefined })))).not.toContain(
      's3cr3t',
    )
  })
})
