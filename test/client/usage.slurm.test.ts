import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { attach, close, cluster, configure } from '../../src/index.ts'
import { until } from '../clusters/processes.ts'
import { onLogin } from './left.ts'

const megabyte = 2 ** 20

for (const [kind, { sshd }] of Object.entries(inject('slurms'))) {
  const { host, port, user, identityFile, knownHosts } = sshd
  const accounting = kind === 'accounting'

  describe(`on Slurm, ${accounting ? 'with' : 'without'} accounting, usage()`, () => {
    beforeAll(() => {
      const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
      configure({
        defaultProfile: kind,
        profiles: { [kind]: { ...place, queryInterval: '2s', grace: '20s' } },
      })
    })
    afterAll(close)
    const options = { profile: kind, memory: '3GB', cores: 2, time: '2h' } as const

    it('has what a call used, and once it is collected, too', async () => {
      const job = cluster(options, async () => {
        const { execFileSync } = await import('node:child_process')
        const held = Buffer.alloc(120 * 2 ** 20, 1)
        // It blocks this process, which then sees nothing of the child's memory.
        const program =
          'const b = Buffer.alloc(500 * 2 ** 20, 1); while (process.cpuUsage().user < 1.5e6); b.length'
        execFileSync(process.execPath, ['-e', program])
        return held.length
      })()
      await job
      const usage = await job.usage()
      expect(usage.memory.asked).toBe(3 * 2 ** 30)
      expect(usage.memory.used! / megabyte).toBeGreaterThan(accounting ? 500 : 150)
      expect(usage.cpu.used!).toBeGreaterThan(1.5)
      expect(usage.cpu).toMatchObject({ cores: 2, efficiency: expect.any(Number) })
      expect(usage.time.used!).toBeGreaterThan(1)
      expect(usage.hints).toContainEqual(
        expect.stringMatching(/^ran [\d.:]+( s)? of 2:00:00: ask for time: '\d+min', and/),
      )
      expect(await job.environment()).toMatchObject({
        node: { version: process.version },
        cpu: { count: expect.any(Number) },
      })
      await close()
      const again = attach(job.id)
      again.catch(() => {})
      expect(await again.usage()).toEqual(usage)
    })

    it('tells of a job that runs, and then of one that was killed', async () => {
      const job = cluster(options, async () => {
        const held = Buffer.alloc(200 * 2 ** 20, 1)
        const until = process.cpuUsage().user + 1e6
        while (process.cpuUsage().user < until);
        await new Promise((resolve) => setTimeout(resolve, 600_000))
        return held.length
      })()
      job.catch(() => {})
      const enough = async () => {
        const { memory, cpu, time } = await job.usage()
        return (memory.used ?? 0) > 200 * megabyte && (cpu.used ?? 0) > 1 && (time.used ?? 0) > 1
      }
      expect(await until(enough, 60_000)).toBe(true)
      onLogin(sshd, `scancel --signal=KILL --full ${job.nativeId}`)
      await expect(job).rejects.toThrow(/signal 9|canceled/)
      const { memory, cpu, time } = await job.usage()
      expect(memory.used! / megabyte).toBeGreaterThan(200)
      expect(cpu.used!).toBeGreaterThan(1)
      expect(time.used!).toBeGreaterThan(1)
    })

    it('has each item of an array', async () => {
      const jobs = cluster(
        { ...options, cores: 1, chunk: 1 },
        (k: number) => Buffer.alloc(k * 100 * 2 ** 20, 1).length,
      ).map([0, 1, 3])
      await jobs
      const { items, memory, sum } = await jobs.usage()
      const used = items.map((item) => item.memory.used! / megabyte)
      expect(used[2]! - used[0]!, used.join()).toBeGreaterThan(250)
      expect(memory.used! / megabyte).toBeCloseTo(Math.max(...used), 5)
      expect(sum.cpu).toBeGreaterThan(0)
    })
  })
}
