import { chmodSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { close, cluster, configure, connect, watchJobs, watchResources } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const { slurm, sshd } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd
const folder = mkdtempSync(join(tmpdir(), 'farcall-place-'))
const [n1, n2, , n4] = slurm.nodes as [string, string, string, string]
const scontrol = (node: string, state: string) =>
  run('scontrol', ['update', `NodeName=${node}`, `State=${state}`, 'Reason=test'], {
    env: { ...process.env, ...slurm.env },
  })

beforeAll(() =>
  configure({
    defaultProfile: 'lab',
    profiles: {
      lab: { scheduler: 'slurm', host, port, user, identityFile, knownHosts, queryInterval: '1s' },
    },
  }),
)
afterAll(async () => {
  await close()
  for (const node of [n2, n4]) await scontrol(node, 'RESUME').catch(() => {}) // it is up already
  removeFolder(folder)
})

const until = async <T>(look: () => Promise<T>, isIt: (seen: T) => boolean) => {
  let seen = await look()
  const again = async () => {
    seen = await look()
    return isIt(seen)
  }
  await vi.waitUntil(again, { timeout: 60_000, interval: 500 })
  return seen
}
const sleeps = cluster({ gpus: 1, cores: 2, memory: '500MB', name: 'sleeps' }, async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return process.env['CUDA_VISIBLE_DEVICES']
})
const holds = cluster({ gpus: 1, name: 'holds' }, async (gate: string) => {
  while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 200))
})

describe('a real Slurm', () => {
  it('has nothing free on nodes that are drained or down, and less while a job has it', async () => {
    await using lab = await connect()
    const look = async () => (await lab.resources({ partition: 'short' })).partitions[0]!
    const whole = await until(look, ({ nodes }) => nodes!.idle === 4)
    expect(whole).toMatchObject({
      name: 'short',
      isDefault: true,
      up: true,
      timeLimitSeconds: 86_400,
      nodes: { total: 4, idle: 4, allocated: 0, down: 0, drained: 0, other: 0 },
      cores: { total: 16, used: 0, free: 16 },
      memory: { total: 4 * 4000 * 2 ** 20, used: 0 },
      gpus: { total: 4, used: 0, free: 4, kinds: { a100: { total: 4, used: 0, free: 4 } } },
    })
    await scontrol(n2, 'DRAIN')
    await scontrol(n4, 'DOWN')
    const less = await until(look, ({ nodes }) => nodes!.down === 1 && nodes!.drained === 1)
    expect(less).toMatchObject({
      nodes: { total: 4, idle: 2, down: 1, drained: 1 },
      cores: { total: 16, used: 0, free: 8 },
      gpus: { total: 4, used: 0, free: 2 },
    })
    const job = sleeps(300_000)
    const ended = expect(job).rejects.toThrow('was canceled')
    const taken = await until(look, ({ gpus }) => gpus!.used === 1)
    expect(taken).toMatchObject({
      nodes: { idle: 1, allocated: 1, down: 1, drained: 1 },
      cores: { total: 16, used: 2, free: 6 },
      memory: { used: 500 * 2 ** 20 },
      gpus: { total: 4, used: 1, free: 1, kinds: { a100: { total: 4, used: 1, free: 1 } } },
    })
    const { jobs } = await until(
      () => lab.queue(),
      (queue) => queue.jobs.some(({ id }) => id === job.id),
    )
    expect(jobs.find(({ id }) => id === job.id)).toMatchObject({
      mine: true,
      user: slurm.user,
      name: 'sleeps',
      partition: 'short',
      status: { state: 'ACTIVE' },
      cores: 2,
      gpus: 1,
      memory: 500 * 2 ** 20,
      where: n1,
    })
    await job.cancel()
    await ended
    for (const node of [n2, n4]) await scontrol(node, 'RESUME')
    await until(look, ({ nodes }) => nodes!.idle === 4)
  })

  it('lists the jobs of others too, and those of an array that wait as one', async () => {
    await run('sbatch', ['--hold', '--wrap', 'true', '--chdir', '/tmp', '--job-name', 'not ours'], {
      env: { ...process.env, ...slurm.env },
    })
    const map = sleeps.map(
      Array.from({ length: 12 }, () => 300_000),
      { chunk: 1, concurrency: 1 },
    )
    const settled = map.settled()
    await using lab = await connect()
    const all = await until(
      async () => (await lab.queue()).jobs,
      (jobs) => jobs.some(({ id, members }) => id === map.id && members === 11),
    )
    expect(all.find(({ name }) => name === 'not ours')).toMatchObject({
      mine: false,
      user: 'root',
      status: { state: 'QUEUED', reason: 'held' },
    })
    const { jobs: mine } = await lab.queue({ mine: true })
    expect(new Set(mine.map((job) => job.user))).toEqual(new Set([slurm.user]))
    expect((await lab.queue({ partition: 'long' })).jobs).toEqual([])
    await map.cancel()
    await settled
    await run('scancel', ['--name', 'not ours'], { env: { ...process.env, ...slurm.env } })
  })

  it('tells when GPUs are free, and jobs from place to place, each once', async () => {
    const gate = join(folder, 'go')
    chmodSync(folder, 0o755)
    const taking = [holds(gate), holds(gate), holds(gate)]
    const stop = new AbortController()
    const gpus: (boolean | undefined)[] = []
    const watching = (async () => {
      for await (const { enough } of watchResources({ minGpus: 2, signal: stop.signal })) gpus.push(enough)
    })()
    // They stay until it was seen that they have the GPUs.
    const opened = vi
      .waitUntil(() => gpus.at(-1) === false, { timeout: 60_000 })
      .finally(() => writeFileSync(gate, ''))
    const lines: string[] = []
    for await (const { changes } of watchJobs(taking.map(({ id }) => id)))
      for (const { id, status } of changes) lines.push(`${id} ${status.state}`)
    expect(new Set(lines).size).toBe(lines.length)
    // Calls that were made together are one job.
    expect(lines.filter((line) => line.endsWith('COMPLETED'))).toHaveLength(1)
    expect(await Promise.all(taking)).toHaveLength(3)
    await opened
    await vi.waitUntil(() => gpus.at(-1) === true, { timeout: 60_000 })
    stop.abort()
    await watching
    for (const [index, enough] of gpus.entries()) expect(enough).not.toBe(gpus[index - 1])
    await expect(watchResources({ minGpus: 5 }).next()).rejects.toThrow('the most that a partition has is 4')
  })
})
