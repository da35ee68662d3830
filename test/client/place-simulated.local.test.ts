import { mkdtempSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { close, cluster, configure, connect } from '../../src/index.ts'
import { type SimulatedScheduler, simulateScheduler } from '../../src/testing/simulated/simulated.ts'
import { removeFolder } from '../remove-folder.ts'

describe.each(['pbs', 'torque'] as const)('a simulated %s', (kind) => {
  let simulated: SimulatedScheduler
  let workdir = ''
  beforeAll(async () => {
    simulated = await simulateScheduler(kind, { cores: 4, killDelay: 1 })
    workdir = mkdtempSync(join(tmpdir(), 'farcall-simulated-'))
    configure({
      defaultProfile: 'lab',
      profiles: { lab: { scheduler: kind, workdir, queryInterval: '1s', grace: '5s' } },
    })
  })
  afterAll(async () => {
    await close()
    await simulated.close()
    removeFolder(workdir)
  })

  it('has less while a job has it, and lists it', async () => {
    await using lab = await connect()
    const look = async () => (await lab.resources()).partitions
    expect(await look()).toMatchObject([
      {
        name: 'workq',
        isDefault: true,
        up: true,
        nodes: { total: 1, idle: 1 },
        cores: { total: 4, used: 0, free: 4 },
      },
    ])
    const sleeps = cluster({ cores: 3, time: '5m', name: 'sleeps' }, async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
    })
    const job = sleeps(60_000)
    const ended = expect(job).rejects.toThrow('was canceled')
    await vi.waitUntil(async () => (await look())[0]?.cores?.used === 3, { timeout: 30_000, interval: 300 })
    expect(await look()).toMatchObject([
      { nodes: { total: 1, idle: 0, allocated: 1 }, cores: { total: 4, used: 3, free: 1 } },
    ])
    for (const mine of [true, false]) {
      const ours = async () => (await lab.queue({ mine })).jobs.find(({ id }) => id === job.id)
      await vi.waitUntil(async () => (await ours())?.status.state === 'ACTIVE', {
        timeout: 20_000,
        interval: 300,
      })
      expect(await ours()).toMatchObject({
        mine: true,
        name: 'sleeps',
        user: userInfo().username,
        partition: 'workq',
        timeLimitSeconds: 300,
      })
    }
    await job.cancel()
    await ended
  })
})
