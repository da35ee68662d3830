import { resourceLimits, threadId } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure, currentTask, localMap } from '../../src/index.ts'

const { sshd } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd
const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, workdir: '~/task' }

describe('inside a job on Slurm', () => {
  beforeAll(() => {
    configure({ profiles: { real: { ...place, queryInterval: '2s' } }, defaultProfile: 'real' })
  })
  afterAll(close)

  it('currentTask tells what Slurm granted, asked for or not', async () => {
    const look = () => {
      const { random: _, progress: __, ...facts } = currentTask()
      const { SLURM_CPUS_PER_TASK: cores, CUDA_VISIBLE_DEVICES: cuda, SLURM_PROCID: rank } = process.env
      return { facts, cores, cuda, rank }
    }
    const remote = cluster(look)
    const [asked, plain] = await Promise.all([
      remote.with({ cores: 2, memory: '300MB', gpus: 2, time: '5m' })(),
      remote(),
    ])
    expect(asked.facts).toMatchObject({ index: 0, item: 0, items: 1, attempt: 1, rank: 0 })
    expect(asked).toMatchObject({ cores: '2', rank: '0', facts: { cores: 2, memory: 300 * 2 ** 20 } })
    expect(asked.facts.gpus).toEqual(asked.cuda?.split(','))
    expect(asked.facts.gpus.length).toBe(2)
    expect(plain.facts).toMatchObject({ cores: 1, gpus: [] })
    expect(plain.facts.memory).toBeGreaterThan(0)
  })

  it('localMap has a thread for each core that Slurm granted', async () => {
    const job = cluster({ cores: 2, memory: '500MB', time: '5m' }, async () => {
      const base = 10
      const seen = await localMap([1, 2, 3, 4], async (x) => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        return [x + base, threadId]
      })
      const limit = await localMap([0], () => resourceLimits.maxOldGenerationSizeMb)
      return { values: seen.map(([x]) => x), threads: new Set(seen.map(([, id]) => id)).size, limit }
    })()
    expect(await job).toEqual({ values: [11, 12, 13, 14], threads: 2, limit: [141] })
  })

  it('items of a map see GPUs of their own, and run at once', async () => {
    const look = async (n: number) => {
      const began = Date.now()
      await new Promise((resolve) => setTimeout(resolve, 500))
      const { CUDA_VISIBLE_DEVICES: cuda, SLURM_ARRAY_TASK_ID: member, SLURM_JOB_GPUS: all } = process.env
      const { gpus, index } = currentTask()
      return { n, index, member, cuda, all, gpus, began, ended: Date.now(), pid: process.pid }
    }
    const remote = cluster({ gpus: 2, time: '5m' }, look)
    const [seen, alone] = await Promise.all([
      remote.map([0, 1, 2, 3, 4, 5], { gpusPerItem: 1, chunk: 3 }),
      remote.map([0], { gpusPerItem: 1 }),
    ])
    expect(seen.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5])
    expect(seen.every(({ gpus, cuda, all }) => gpus.length === 1 && gpus[0] === cuda && all === '0,1')).toBe(
      true,
    )
    for (const index of [0, 1]) {
      const member = seen.filter((one) => one.index === index)
      expect(new Set(member.map(({ cuda }) => cuda))).toEqual(new Set(['0', '1']))
      const [first, second] = member
      expect(first!.cuda).not.toBe(second!.cuda)
      expect(first!.began < second!.ended && second!.began < first!.ended).toBe(true)
    }
    expect(alone[0]).toMatchObject({ cuda: '0', gpus: ['0'] })
    const few = remote.map([0, 1], { gpusPerItem: 3 })
    await expect(few).rejects.toThrow('gpusPerItem: an item needs 3, and gpus is 2')
  })

  it('a process of a member that is killed names its item, and the others come', async () => {
    const fatal = cluster({ cores: 2, coresPerItem: 1, memory: '400MB', time: '5m' }, (n: number) => {
      if (n === 1) process.kill(process.pid, 'SIGKILL')
      const held: Buffer[] = []
      // Outside of the heap: it is the kernel that ends this one.
      for (; n === 3; ) held.push(Buffer.alloc(2 ** 20, 1))
      return n
    })
    const settled = await fatal.map([0, 1, 2, 3, 4], { chunk: 5 }).settled()
    const values = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(values).toEqual([0, 2, 4])
    const { reason } = settled[1] as PromiseRejectedResult
    expect(reason.message).toMatch(/item 1: its process was ended by SIGKILL/)
    expect(reason.message).toMatch(/item 3: the kernel killed its process/)
  })

  it('progress reaches the client over its connection', async () => {
    const job = cluster({ time: '5m' }, async () => {
      currentTask().progress(1, 4, 'a quarter')
      await new Promise((resolve) => setTimeout(resolve, 6_000))
    })()
    for await (const { progress } of job.updates()) {
      if (!progress) continue
      expect(progress).toMatchObject({ fraction: 0.25, message: 'a quarter' })
      break
    }
    expect(job.progress?.fraction).toBe(0.25)
    await job
  })
})
