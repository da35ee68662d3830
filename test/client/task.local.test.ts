import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, currentTask, type JobStatus } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-task-'))

beforeAll(() =>
  configure({
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s' } },
    defaultProfile: 'here',
  }),
)
afterAll(async () => {
  await close()
  removeFolder(folder)
})

const look = () => {
  const { random, progress, ...facts } = currentTask()
  return { ...facts, numbers: [random(), random(), random()] }
}

describe('currentTask', () => {
  it('tells inside a job what it is and what it was granted', async () => {
    const job = cluster({ cores: 2, memory: '1GB' }, look)()
    const { numbers, ...facts } = await job
    const cores = Math.min(2, availableParallelism())
    const granted = { rank: 0, size: 1, localRank: 0, cores, memory: 2 ** 30, gpus: [] }
    expect(facts).toEqual({ id: job.id, index: 0, item: 0, items: 1, attempt: 1, ...granted })
    expect(numbers.every((n) => n >= 0 && n < 1)).toBe(true)
  })

  it('gives each item the same random numbers on every retry and in every chunk', async () => {
    const draw = cluster(async (fail: boolean) => {
      const task = currentTask()
      const numbers = [task.random(), task.random()]
      if (fail && task.attempt === 1) throw new Error(numbers.join())
      return { numbers, item: task.item, attempt: task.attempt }
    })
    const jobs = draw.map([false, true, true, false], { chunk: 3 })
    const first = await jobs.settled()
    const again = await jobs.retryFailed()
    expect(again.map(({ item }) => item)).toEqual([0, 1, 2, 3])
    expect(again.map(({ attempt }) => attempt)).toEqual([1, 2, 2, 1])
    const before = first.map((one) =>
      one.status === 'fulfilled' ? one.value.numbers : one.reason.message.split(',').map(Number),
    )
    expect(again.map(({ numbers }) => numbers)).toEqual(before)
    expect(new Set(before.flat()).size).toBe(8)
  })

  it('says outside of a job that it is outside, and is a task of this machine under .local()', async () => {
    expect(() => currentTask()).toThrow(expect.objectContaining({ code: 'NOT_IN_JOB' }))
    const remote = cluster(async () => {
      await Promise.resolve()
      currentTask().progress(0.5)
      return look()
    })
    const { numbers, ...facts } = await remote.local()
    expect(facts).toMatchObject({ id: 'local', index: 0, item: 0, rank: 0, cores: availableParallelism() })
    expect((await remote.local()).numbers).toEqual(numbers)
  })
})

describe('progress', () => {
  it('reaches the client while the job runs, and is gone when it has ended', async () => {
    const job = cluster(async () => {
      const { progress } = currentTask()
      const began = Date.now()
      for (let step = 1; step <= 60; step++) {
        for (let i = 0; i < 1_000; i++) progress(step, 60, `step ${step}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return (Date.now() - began) / 1000
    })()
    const seen: JobStatus[] = []
    for await (const status of job.updates()) {
      seen.push(status)
      if (status.progress) expect(job.progress).toEqual(status.progress)
    }
    const seconds = await job
    const told = seen.flatMap(({ progress }) => (progress ? [progress] : []))
    expect(told.length).toBeGreaterThan(1)
    // At most once a second, however often it is called.
    expect(told.length).toBeLessThan(seconds + 2)
    const fractions = told.map(({ fraction }) => fraction)
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(told.map(({ message }) => message)).toEqual(fractions.map((f) => `step ${Math.round(f * 60)}`))
    expect(job.progress).toBeUndefined()
    expect(seen.filter(({ progress }) => progress).every(({ state }) => state === 'ACTIVE')).toBe(true)
  })

  it('of the items of a map is that of each', async () => {
    const gate = join(folder, 'seen')
    const jobs = cluster(async (n: number) => {
      currentTask().progress(n / 10)
      while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 50))
    }).map([1, 2], { chunk: 1, concurrency: 2 })
    const fractions = await Promise.all(
      [0, 1].map(async (index) => {
        const { job } = await jobs.job(index)
        for await (const { progress } of job.updates()) if (progress) return progress.fraction
        return undefined
      }),
    )
    expect(fractions).toEqual([0.1, 0.2])
    writeFileSync(gate, '')
    await jobs
  })
})
