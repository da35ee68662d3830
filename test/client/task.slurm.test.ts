import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { resourceLimits, threadId } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure, currentTask, localMap } from '../../src/index.ts'
import { comes, makeGate } from './gate.ts'

const { sshd } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd
const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, workdir: '~/task' }

/** Says that one is here, and waits for the other: both at once, or never. */
async function meets(folder: string, me: number, other: number | undefined): Promise<void> {
  writeFileSync(join(folder, String(me)), '')
  if (other !== undefined) await comes(join(folder, String(other)))
}

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
    const job = cluster({ cores: 2, memory: '500MB', time: '5m' }, async (folder: string) => {
      const base = 10
      const seen = await localMap([1, 2, 3, 4], async (x) => {
        await meets(folder, x, { 1: 2, 2: 1 }[x])
        return [x + base, threadId]
      })
      const limit = await localMap([0], () => resourceLimits.maxOldGenerationSizeMb)
      return { values: seen.map(([x]) => x), threads: new Set(seen.map(([, id]) => id)).size, limit }
    })(dirname(makeGate().file))
    expect(await job).toEqual({ values: [11, 12, 13, 14], threads: 2, limit: [141] })
  })

  it('items of a map see GPUs of their own, and run at once', async () => {
    const met = dirname(makeGate().file)
    const look = async (n: number, folder: string) => {
      const began = Date.now()
      await meets(folder, n, { 0: 1, 1: 0, 3: 4, 4: 3 }[n])
      const { CUDA_VISIBLE_DEVICES: cuda, SLURM_ARRAY_TASK_ID: member, SLURM_JOB_GPUS: all } = process.env
      const { gpus, index } = currentTask()
      return { n, index, member, cuda, all, gpus, began, ended: Date.now(), pid: process.pid }
    }
    const remote = cluster({ gpus: 2, time: '5m' }, look)
    const [seen, alone] = await Promise.all([
      remote.starmap(
        [0, 1, 2, 3, 4, 5].map((n) => [n, met] as const),
        { gpusPerItem: 1, chunk: 3 },
      ),
      remote.starmap([[9, met]], { gpusPerItem: 1 }),
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
      expect(first!.began <= second!.ended && second!.began <= first!.ended).toBe(true)
    }
    expect(alone[0]).toMatchObject({ cuda: '0', gpus: ['0'] })
    const few = remote.starmap([[0, met]], { gpusPerItem: 3 })
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
    const gate = makeGate()
    const job = cluster({ time: '5m' }, async (file: string) => {
      currentTask().progress(1, 4, 'a quarter')
      await comes(file)
    })(gate.file)
    for await (const { progress } of job.updates()) {
      if (!progress) continue
      expect(progress).toMatchObject({ fraction: 0.25, message: 'a quarter' })
      break
    }
    expect(job.progress?.fraction).toBe(0.25)
    gate.open()
    await job
  })
})
