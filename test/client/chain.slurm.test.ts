import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { attach, close, cluster, configure, JobCanceledError } from '../../src/index.ts'
import { comes, makeGate } from './gate.ts'

const { sshd, slurm } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd

const admin = (file: string, ...args: string[]) =>
  execFileSync(file, args, { env: { ...process.env, ...slurm.env }, encoding: 'utf8' })

const queued = (nativeId: string) => admin('squeue', '-h', '-o', '%T %E', '-j', nativeId).trim()

const later = cluster({ time: '5m' }, async (file: string, value: number) => {
  const starts = process.env['SLURM_RESTART_COUNT'] ?? '0'
  if (starts === '0') await comes(file)
  return { value, starts }
})
const fails = cluster({ time: '5m' }, async (seconds: number) => {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  throw new RangeError('7 is out of range')
})
const take = cluster({ time: '5m' }, (given: unknown) => ({ given, job: process.env['SLURM_JOB_ID'] }))
const double = cluster({ time: '5m' }, (n: number) => 2 * n)
const total = cluster({ time: '5m' }, (values: readonly number[]) => values.reduce((sum, n) => sum + n, 0))

describe('a job as an argument, on Slurm over ssh', () => {
  beforeAll(() => {
    const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
    configure({ profiles: { lab: { ...place, queryInterval: '2s', grace: '20s' } }, defaultProfile: 'lab' })
  })
  afterAll(close)

  it('is submitted at once with a dependency, says what it waits for, and is attached to as any', async () => {
    const gate = makeGate()
    const parent = later(gate.file, 5)
    const child = take({ list: [parent] })
    await expect.poll(() => child.nativeId, { timeout: 30_000 }).toBeDefined()
    expect(queued(child.nativeId!)).toMatch(new RegExp(`^PENDING afterany:${parent.nativeId}`))
    await expect
      .poll(() => child.status().message, { timeout: 30_000 })
      .toBe(`Dependency: waiting for job ${parent.id} (later), whose value is an argument of it`)
    const again = attach<{ given: unknown }>(child.id)
    gate.open()
    expect(await child).toMatchObject({ given: { list: [{ value: 5 }] }, job: child.nativeId })
    expect((await again).given).toEqual({ list: [{ value: 5, starts: '0' }] })
  })

  it('of several calls together is waited for alone; the items of a map are those of another', async () => {
    const [open, shut] = [makeGate(), makeGate()]
    open.open()
    const [quick, slow] = [later(open.file, 1), later(shut.file, 2)]
    expect(await take(quick)).toMatchObject({ given: { value: 1 } })
    expect(['QUEUED', 'ACTIVE']).toContain(slow.status().state)
    await slow.cancel()
    await expect(slow).rejects.toBeInstanceOf(JobCanceledError)
    const first = double.map([1, 2, 3])
    const second = double.map(first)
    expect([await total(second), await second]).toEqual([24, [4, 8, 12]])
  })

  it('that fails or is canceled ends what needs it, and nothing stays in the queue', async () => {
    const bad = fails(3)
    const slow = later(makeGate().file, 1)
    const [child, grandchild, canceled] = [take(bad), take(take(bad)), take(slow)]
    // On a busy machine they may fail before they are looked at below.
    for (const job of [child, grandchild, canceled]) job.catch(() => {})
    await expect.poll(() => canceled.nativeId, { timeout: 30_000 }).toBeDefined()
    await slow.cancel()
    await expect(canceled).rejects.toMatchObject({ code: 'JOB_CANCELED', cause: { jobId: slow.id } })
    await expect(child).rejects.toMatchObject({
      code: 'PARENT_FAILED',
      status: { state: 'FAILED', reason: 'exception' },
      cause: { message: '7 is out of range' },
    })
    await expect(grandchild).rejects.toMatchObject({
      code: 'PARENT_FAILED',
      cause: { code: 'PARENT_FAILED' },
    })
    await expect.poll(() => admin('squeue', '-h', '-u', user, '-t', 'PD,R'), { timeout: 30_000 }).toBe('')
  })

  it('that Slurm starts again is waited for until that is over', async () => {
    const parent = later(makeGate().file, 6)
    const child = take(parent)
    await expect.poll(() => child.nativeId, { timeout: 30_000 }).toBeDefined()
    await expect.poll(() => queued(parent.nativeId!), { timeout: 30_000 }).toMatch(/^RUNNING/)
    admin('scontrol', 'requeue', parent.nativeId!)
    expect((await child).given).toEqual({ value: 6, starts: '1' })
  })

  it('goes on when Slurm is told to end what needs it', async () => {
    const gate = makeGate()
    const parent = later(gate.file, 7)
    const child = take(parent)
    await expect.poll(() => child.nativeId, { timeout: 30_000 }).toBeDefined()
    admin('scancel', child.nativeId!)
    await expect(child).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    gate.open()
    expect((await parent).value).toBe(7)
  })
})
