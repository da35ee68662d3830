import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure, JobFailedError } from '../../src/index.ts'
import { isAlive, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { makeJob, nodeProgram } from '../runtime/helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-usage-'))
beforeAll(() =>
  configure({
    store: `${folder}/store`,
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work` } },
    defaultProfile: 'here',
  }),
)
afterAll(async () => {
  await close()
  removeFolder(folder)
})

const megabyte = 2 ** 20
/** Holds memory and burns CPU. */
const work = (megabytes: number, ms: number) => {
  const held = Buffer.alloc(megabytes * 2 ** 20, 1)
  const until = process.cpuUsage().user / 1000 + ms
  while (process.cpuUsage().user / 1000 < until);
  return held.length
}

describe('usage()', () => {
  it('says what a call used of what it asked for, and still does when its files are gone', async () => {
    const job = cluster({ memory: '64GB', cores: 2, time: '2h' }, () => work(200, 500))()
    await job
    const usage = await job.usage()
    expect(usage.memory.asked).toBe(64 * 2 ** 30)
    expect(usage.memory.used! / megabyte).toBeGreaterThan(230)
    expect(usage.memory.used! / megabyte).toBeLessThan(500)
    expect(usage.cpu.used!).toBeGreaterThan(0.5)
    expect(usage.cpu.used!).toBeLessThan(5)
    expect(usage.cpu.cores).toBe(2)
    expect(usage.time.used!).toBeGreaterThan(0.4)
    expect(usage.cpu.efficiency).toBeCloseTo(usage.cpu.used! / usage.time.used! / 2, 2)
    expect(usage.hints[0]).toMatch(/^used \d+(\.\d)? MB of 64 GB: ask for memory: '\d+MB'$/)
    expect(usage.hints[1]).toMatch(
      /^ran [\d.:]+( s)? of 2:00:00: ask for time: '\d+min', and it may start sooner$/,
    )
    await close()
    const again = attach(job.id)
    again.catch(() => {})
    expect(await again.usage()).toEqual(usage)
    expect(await again.environment()).toEqual(await job.environment())
    await expect(again).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    const nobody = attach('faaaaaaaaaaaaa')
    nobody.catch(() => {})
    await expect(nobody.usage()).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
  })

  it('counts what it and its child processes write to disks, of a map all of it, and of one that is killed', async () => {
    const writes = cluster({ chunk: 1 }, async (file: string) => {
      const { execFileSync } = await import('node:child_process')
      const { writeFileSync } = await import('node:fs')
      writeFileSync(`${file}.1`, Buffer.alloc(8 << 20, 1))
      execFileSync('dd', ['if=/dev/zero', `of=${file}.2`, 'bs=1M', 'count=16'], { stdio: 'ignore' })
    })
    const array = writes.map([`${folder}/a`, `${folder}/b`])
    await array
    const { disk, items } = await array.usage()
    for (const item of items) {
      expect(item.disk!.written / megabyte).toBeGreaterThanOrEqual(24)
      expect(item.disk!.written / megabyte).toBeLessThan(40)
    }
    expect(disk!.written).toBe(items.reduce((sum, item) => sum + item.disk!.written, 0))
    const killed = cluster(async (file: string) => {
      const { writeFileSync } = await import('node:fs')
      writeFileSync(file, Buffer.alloc(8 << 20, 1))
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      process.kill(process.pid, 'SIGKILL')
    })(`${folder}/c`)
    await expect(killed).rejects.toMatchObject({ status: { signal: 9 } })
    expect((await killed.usage()).disk!.written / megabyte).toBeGreaterThanOrEqual(8)
  })

  it('counts child processes: their CPU time, and their memory while the event loop is free', async () => {
    const program = `const b = Buffer.alloc(300 * 2 ** 20, 1); while (process.cpuUsage().user < 2.2e6); b.length`
    const job = cluster(async (program: string) => {
      const { spawn } = await import('node:child_process')
      const child = spawn(process.execPath, ['-e', program])
      await new Promise((resolve) => child.on('close', resolve))
    })(program)
    await job
    const { memory, cpu } = await job.usage()
    expect(memory.used! / megabyte).toBeGreaterThan(330)
    expect(cpu.used!).toBeGreaterThan(2)
  })

  it('has each item of a map, and all together', async () => {
    const jobs = cluster({ chunk: 1 }, (k: number) => work(k === 1 ? 300 : 20, 200)).map([0, 1, 2])
    await jobs
    const { items, memory, cpu, disk, sum } = await jobs.usage()
    expect(items).toHaveLength(3)
    expect(memory.used).toBe(items[1]!.memory.used)
    expect(items[0]!.memory.used!).toBeLessThan(250 * megabyte)
    expect(cpu.used).toBeCloseTo(
      items.reduce((total, item) => total + item.cpu.used!, 0),
      5,
    )
    expect(sum.cpu).toBeCloseTo(cpu.used!, 5)
    const { job } = await jobs.job(1)
    expect(await job.usage()).toEqual(items[1])
    await close()
    const again = attach(jobs.id)
    again.catch(() => {})
    expect(await again.usage()).toEqual({ items, memory, cpu, disk, sum, time: expect.anything(), hints: [] })
  })

  it('that was asked while members ran, is in the end what each of them used in all', async () => {
    const gate = join(folder, 'asked')
    const jobs = cluster({ chunk: 1 }, async (k: number, gate: string) => {
      const { existsSync } = await import('node:fs')
      while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 50))
      // They end one after the other, and hold what they hold too shortly for a look.
      await new Promise((resolve) => setTimeout(resolve, k * 1_000))
      return Buffer.alloc(k * 200 * 2 ** 20, 1).length
    }).starmap([
      [0, gate],
      [2, gate],
    ])
    const known = async () => (await jobs.usage()).items.every(({ memory }) => memory.used !== undefined)
    try {
      expect(await until(known, 60_000)).toBe(true)
    } finally {
      writeFileSync(gate, '')
      await jobs
    }
    const used = (await jobs.usage()).items.map(({ memory }) => memory.used! / megabyte)
    expect(used[1]! - used[0]!, used.join()).toBeGreaterThan(350)
  })

  it('tells of one that runs', async () => {
    const job = cluster({ memory: '1GB' }, () => new Promise((resolve) => setTimeout(resolve, 600_000)))()
    job.catch(() => {})
    expect((await job.usage()).memory.asked).toBe(2 ** 30)
    expect(await until(async () => ((await job.usage()).memory.used ?? 0) > 20 * megabyte, 30_000)).toBe(true)
    const usage = await job.usage()
    expect(usage.cpu.used!).toBeGreaterThan(0)
    expect(usage.time.used!).toBeGreaterThan(0)
    expect(await job.environment()).toBeUndefined()
    await job.cancel()
  })

  it('tells of one that computes without a pause, and of its child processes', async () => {
    const job = cluster(async () => {
      const { spawn } = await import('node:child_process')
      spawn('sleep', ['600'])
      const held = Buffer.alloc(100 * 2 ** 20, 1)
      const until = Date.now() + 600_000
      while (Date.now() < until);
      return held.length
    })()
    job.catch(() => {})
    const enough = async () => {
      const { memory, cpu } = await job.usage()
      return (memory.used ?? 0) > 130 * megabyte && (cpu.used ?? 0) > 0.5
    }
    expect(await until(enough, 30_000)).toBe(true)
    await job.cancel()
  })

  it('tells of one that was killed, as far as its script and its last look know', async () => {
    const job = cluster(async () => {
      const held = Buffer.alloc(150 * 2 ** 20, 1)
      await new Promise((resolve) => setTimeout(resolve, 1500))
      process.kill(process.pid, 'SIGKILL')
      return held.length
    })()
    await expect(job).rejects.toThrow(JobFailedError)
    const { memory, cpu } = await job.usage()
    expect(memory.used! / megabyte).toBeGreaterThan(150)
    expect(cpu.used!).toBeGreaterThan(0)
    expect((await job.environment())?.node.version).toBe(process.version)
  })

  it('of a call whose result is cached is that of the job that ran', async () => {
    const cached = cluster({ cache: true }, (n: number) => n * 2)
    const first = cached(1)
    await first
    const usage = await first.usage()
    expect(usage.memory.used).toBeGreaterThan(megabyte)
    const second = cached(1)
    await second
    expect(await second.usage()).toEqual(usage)
  })
})

describe('environment()', () => {
  it('says what was in force: node, host, CPU, kernel, modules, names of variables', async () => {
    const options = {
      environment: { variables: { LOADEDMODULES: 'gcc/12:openmpi/4', MY_OWN: 'not to be seen' } },
    }
    const job = cluster({ ...options, chunk: 1 }, () => process.cwd())
    const jobs = job.map([0, 1] as never)
    const [cwd] = await jobs
    for (const k of [0, 1]) {
      const environment = await (await jobs.job(k)).job.environment()
      expect(environment).toMatchObject({
        node: { version: process.version, path: expect.stringMatching(/^\/.*node/) },
        modules: ['gcc/12', 'openmpi/4'],
        cwd,
        arch: process.arch,
        kernel: `Linux ${release()}`,
        glibc: expect.stringMatching(/^2\.\d+$/),
        cpu: { count: expect.any(Number), usable: expect.any(Number), model: expect.any(String) },
        host: expect.stringMatching(/./),
      })
      expect(environment!.variables).toEqual(expect.arrayContaining(['MY_OWN', 'PATH', 'LOADEDMODULES']))
      expect(JSON.stringify(environment)).not.toContain('not to be seen')
    }
  })
})

it('GPUs are looked at by nvidia-smi, and it ends with the member', async () => {
  // Stands in for nvidia-smi, with what it prints for such a query; there is no GPU here.
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const program = `#!/bin/sh
echo "$$ $*" >'${folder}/asked'
while :; do printf '0, 95, 30210, 40960\\n1, 85, 12000, 40960\\n'; : >'${folder}/printed'; sleep 0.1; done
`
  writeFileSync(join(bin, 'nvidia-smi'), program)
  chmodSync(join(bin, 'nvidia-smi'), 0o755)
  const job = makeJob({
    body: `const { existsSync } = await import('node:fs')
      while (!existsSync('${folder}/printed')) await new Promise((resolve) => setTimeout(resolve, 50))`,
    script: { gpus: 2, environment: { node: nodeProgram } },
    env: { PATH: `${bin}:${process.env['PATH']}`, CUDA_VISIBLE_DEVICES: '0,1' },
  })
  await job.run()
  expect(job.member(0).end?.gpu).toEqual({
    count: 2,
    utilization: 0.9,
    memory: { used: 30210 * megabyte, total: 40960 * megabyte },
  })
  const [pid, ...asked] = readFileSync(join(folder, 'asked'), 'utf8').trim().split(' ')
  expect(asked.join(' ')).toBe(
    '--query-gpu=index,utilization.gpu,memory.used,memory.total --format=csv,noheader,nounits --id=0,1 --loop=10',
  )
  expect(await until(() => !isAlive(Number(pid)), 20_000)).toBe(true)
})
