import { describe, expect, inject, it } from 'vitest'
import { decode } from '../../../src/codec/codec.ts'
import { payload } from '../../../src/testing/payload.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { type Job, workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const { open, give, eventually, lines } = workshop(cluster, await makeNamespace(cluster))

/** Says how far it is, by the key that `currentTask()` goes by, and waits for files. */
const tells = (file: string) => `async (n) => {
  const { existsSync, appendFileSync } = await import('node:fs')
  const wait = async (name) => { while (!existsSync(name)) await new Promise((resolve) => setTimeout(resolve, 50)) }
  appendFileSync('/data/${file}', n + '\\n')
  const task = globalThis[Symbol.for('farcall.task')]
  process.stderr.write('half a ')
  task.progress(1, 4, 'first of ' + n)
  await wait('/data/${file}.half')
  process.stderr.write('line\\n')
  task.progress(0.5)
  await wait('/data/${file}.' + n)
  return n
}`

describe.concurrent('what is heard while a function runs', { timeout: 90_000 }, () => {
  it('how far it is, and its stderr is as it was written', async () => {
    const { executor, ends, log } = open()
    const job = payload(tells('far'), { args: [[0], [1]] })
    const fractions = (member: number) =>
      log
        .of(job.spec.id)
        .flatMap((event) => (event.type === 'progress' && event.member === member ? [event.progress] : []))
    await executor.submit(job)
    await log.until(() => [0, 1].every((member) => fractions(member).length > 0))
    expect(fractions(1)[0]).toMatchObject({ fraction: 0.25, message: 'first of 1' })
    give('far.half')
    await log.until(() => [0, 1].every((member) => fractions(member).at(-1)?.fraction === 0.5))
    for (const n of [0, 1]) give(`far.${n}`)
    await ends(job)
    // None is told twice.
    expect(fractions(0).map(({ fraction }) => fraction)).toEqual([0.25, 0.5])
    const { bytes } = await executor.logs(job.spec.id, 0, 'stderr', 0)
    expect(Buffer.from(bytes).toString()).toBe('half a line\n')
  })

  it('the end of a member whose pod runs others as well, with its result', async () => {
    const { executor, ends, log } = open()
    const job = payload(tells('early'), { args: [[0], [1], [2]], spec: { concurrency: 1 } })
    const active = (of: Job) =>
      log
        .of(of.spec.id)
        .flatMap((event) => (event.type === 'state' && event.status.state === 'ACTIVE' ? [event.member] : []))
    give('early.half')
    await executor.submit(job)
    for (const n of [0, 1]) {
      give(`early.${n}`)
      await ends(job, n + 1)
      const items = log.of(job.spec.id).flatMap((event) => (event.type === 'item' ? [event.record] : []))
      expect(items.map(({ bytes }) => decode(bytes))).toEqual(n === 0 ? [0] : [0, 1])
      await log.until(() => active(job).includes(n + 1))
    }
    await eventually(() => lines('early').length === 3, 'the last one runs')
    expect(log.ends(job.spec.id)).toHaveLength(2)
    give('early.2')
    expect((await ends(job)).map(({ status }) => status.state)).toEqual(Array(3).fill('COMPLETED'))
  })
})
