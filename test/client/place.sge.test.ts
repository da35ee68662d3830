import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { close, cluster, configure, connect } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'

const { sge, sshd } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd
const qmod = (option: string) => run('qmod', [option, 'all.q'], { env: { ...process.env, ...sge.env } })

beforeAll(() =>
  configure({
    defaultProfile: 'lab',
    profiles: { lab: { scheduler: 'sge', host, port, user, identityFile, knownHosts, queryInterval: '1s' } },
  }),
)
afterAll(async () => {
  await qmod('-e').catch(() => {}) // it is enabled already
  await close()
})

describe('a real Grid Engine', () => {
  it('has less while a job has it, and nothing free in a queue that is disabled', async () => {
    await using lab = await connect()
    const look = async () => (await lab.resources({ partition: 'all.q' })).partitions[0]!
    const until = async (isIt: (seen: Awaited<ReturnType<typeof look>>) => boolean) => {
      let seen = await look()
      const again = async () => {
        seen = await look()
        return isIt(seen)
      }
      await vi.waitUntil(again, { timeout: 60_000, interval: 500 })
      return seen
    }
    const whole = await until(({ gpus, cores }) => gpus!.used === 0 && cores!.used === 0)
    expect(whole).toMatchObject({ nodes: { total: 1, idle: 1 }, gpus: { total: 2, used: 0, free: 2 } })
    const sleeps = cluster({ gpus: 1, queue: 'all.q', name: 'sleeps' }, async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
    })
    const job = sleeps(300_000)
    const ended = expect(job).rejects.toThrow('was canceled')
    const taken = await until(({ gpus }) => gpus!.used === 1)
    expect(taken).toMatchObject({
      nodes: { total: 1, allocated: 1 },
      cores: { total: whole.cores!.total, used: 1, free: whole.cores!.free - 1 },
      gpus: { total: 2, used: 1, free: 1 },
    })
    const ours = async () => (await lab.queue()).jobs.find(({ id }) => id === job.id)
    // Grid Engine hands it to its node first.
    await vi.waitUntil(async () => (await ours())?.status.state === 'ACTIVE', {
      timeout: 30_000,
      interval: 500,
    })
    expect(await ours()).toMatchObject({ mine: true, user: sge.user, partition: 'all.q', cores: 1, gpus: 1 })
    expect((await lab.queue({ mine: true })).jobs.map((one) => one.id)).toContain(job.id)
    await qmod('-d')
    const closed = await until(({ nodes }) => nodes!.drained === 1)
    expect(closed).toMatchObject({ up: false, cores: { free: 0 }, gpus: { total: 2, used: 1, free: 0 } })
    await qmod('-e')
    await job.cancel()
    await ended
  })
})
