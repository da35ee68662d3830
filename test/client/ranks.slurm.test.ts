import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  close,
  cluster,
  configure,
  currentTask,
  type JobFailedError,
  lastCheckpoint,
  onWarning,
} from '../../src/index.ts'
import { run, until } from '../clusters/processes.ts'

const { sshd, slurm } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd

/** Two nodes with two processes each. */
const four = { profile: 'hpc', nodes: 2, tasksPerNode: 2, time: '5m' } as const

/** A process that a test can see: all nodes are on this machine. */
const runs = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = []
  for await (const line of lines) list.push(line)
  return list
}

const failure = (job: PromiseLike<unknown>) =>
  job.then(
    (value) => expect.fail(`it gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason as JobFailedError,
  )

/** The pids that ranks have printed, once each of them has. */
async function pidsOf(job: { logs(options: { rank: number }): AsyncIterable<string> }): Promise<number[]> {
  let pids: number[] = []
  const look = async () => {
    const logs = await Promise.all([0, 1, 2, 3].map((rank) => all(job.logs({ rank }))))
    pids = logs.flatMap((lines) => lines.flatMap((line) => /^pid (\d+)$/.exec(line)?.[1] ?? []).map(Number))
    return pids.length === 4
  }
  expect(await until(look, 60_000)).toBe(true)
  return pids
}

describe('several processes on Slurm, by srun', () => {
  beforeAll(() => {
    const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, queryInterval: '2s' }
    configure({ profiles: { hpc: place } })
  })
  afterAll(close)

  it('gives the value of rank 0, and gather: all those of each, from both nodes', async () => {
    const look = (n: number) => {
      const { rank, size, localRank, cores, memory } = currentTask()
      console.log(`rank ${rank} has ${n}`)
      const { SLURMD_NODENAME: node, SLURM_STEP_ID: step } = process.env
      return {
        n,
        rank,
        size,
        localRank,
        cores,
        memory,
        node,
        isStep: step !== undefined,
        heap: process.execArgv.join(),
      }
    }
    const asked = { ...four, cores: 2, memory: '600MB' } as const
    const job = cluster({ ...asked, gather: 'all' }, look)(7)
    const [ranks, first] = await Promise.all([job, cluster(asked, look)(8)])
    expect(ranks.map(({ rank }) => rank)).toEqual([0, 1, 2, 3])
    const half = { n: 7, size: 4, cores: 2, memory: 300 * 2 ** 20, isStep: true }
    for (const one of ranks) expect(one).toMatchObject({ ...half, heap: '--max-old-space-size=255' })
    expect(ranks.map(({ localRank }) => localRank)).toEqual([0, 1, 0, 1])
    expect(new Set(ranks.map(({ node }) => node)).size).toBe(2)
    expect(first).toMatchObject({ n: 8, rank: 0, size: 4 })
    expect(await all(job.logs())).toEqual(['rank 0 has 7'])
    expect(await all(job.logs({ rank: 3 }))).toEqual(['rank 3 has 7'])
    await expect(all(job.logs({ rank: 4 }))).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    const usage = await job.usage()
    expect(usage.cpu.used).toBeGreaterThan(0.2)
  })

  it('maps with a chunk: each item is run by all ranks, one after another, and one that fails takes no other along', async () => {
    const sum = cluster({ ...four, gather: 'all' }, async (n: number) => {
      const { rank, item } = currentTask()
      if (n === 1 && rank === 3) throw new RangeError(`rank ${rank} cannot do ${n}`)
      // Nobody but the launcher ends these.
      if (n === 1) await new Promise(() => setInterval(() => {}, 1000))
      return 10 * item + rank
    })
    const [first, second, third] = await sum.map([0, 1, 2], { chunk: 3 }).settled()
    expect(first).toEqual({ status: 'fulfilled', value: [0, 1, 2, 3] })
    expect(third).toEqual({ status: 'fulfilled', value: [20, 21, 22, 23] })
    const { reason } = second as PromiseRejectedResult
    expect(reason).toBeInstanceOf(RangeError)
    expect(reason).toMatchObject({ message: 'rank 3 cannot do 1', rank: 3, index: 1 })
  })

  it('has one process on each of several nodes, in each member of an array', async () => {
    const rank = cluster({ profile: 'hpc', nodes: 2, time: '5m', gather: 'all' }, (n: number) => {
      const { rank, size, index } = currentTask()
      return [n, index, rank, size, process.env['SLURMD_NODENAME']]
    })
    const [first, second] = await rank.map([5, 6], { chunk: 1 })
    expect(first!.map((one) => one.slice(0, 4))).toEqual([
      [5, 0, 0, 2],
      [5, 0, 1, 2],
    ])
    expect(second!.map((one) => one.slice(0, 4))).toEqual([
      [6, 1, 0, 2],
      [6, 1, 1, 2],
    ])
    expect(new Set(first!.map((one) => one[4])).size).toBe(2)
  })

  it('can be started by mpirun, over both nodes', async () => {
    const odd = 'two\nlines; $HOME "quoted" ü='
    const options = {
      ...four,
      launcher: 'mpirun',
      gather: 'all',
      environment: { variables: { ODD: odd } },
    } as const
    const ranks = await cluster(options, () => {
      const { rank, size, localRank } = currentTask()
      const { SLURMD_NODENAME: node, OMPI_COMM_WORLD_SIZE: mpi, ODD } = process.env
      return { rank, size, localRank, node, mpi, ODD }
    })()
    const each = { size: 4, mpi: '4', ODD: odd }
    expect(ranks).toMatchObject([0, 1, 2, 3].map((rank) => ({ rank, localRank: rank % 2, ...each })))
    expect(new Set(ranks.map(({ node }) => node)).size).toBe(2)
  })

  it('tells which rank was killed', async () => {
    const error = await failure(
      cluster(four, async () => {
        const { rank } = currentTask()
        if (rank === 3) {
          console.error('so long')
          process.kill(process.pid, 'SIGKILL')
        }
        await new Promise(() => setInterval(() => {}, 1000))
      })(),
    )
    expect(error).toMatchObject({ name: 'JobFailedError', reason: 'signal', status: { signal: 9 } })
    expect(error.message).toMatch(/rank 3 was ended by signal 9/)
    expect(error.stderrTail).toMatch(/so long/)
  })

  it('tells which rank ran out of memory', async () => {
    const hoard = async () => {
      console.log(`pid ${process.pid}`)
      const { rank } = currentTask()
      const held: Buffer[] = []
      if (rank === 2)
        for (;;) {
          held.push(Buffer.alloc(16 * 2 ** 20, 1))
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      await new Promise(() => setInterval(() => {}, 1000))
    }
    const kernel = await failure(cluster({ ...four, memory: '500MB' }, hoard)())
    expect(kernel).toMatchObject({ name: 'JobFailedError', reason: 'out-of-memory' })
    // Where there is no cgroup slurmd ends all of the job at once, and names none of its processes.
    if (slurm.memoryLimit === 'cgroup') expect(kernel.message).toMatch(/the kernel killed rank [23]/)
    if (slurm.memoryLimit === 'cgroup') expect(kernel.hint).toMatch(/used 500 of 500 MB/)
    const heap = await failure(
      cluster({ ...four, memory: '400MB' }, () => {
        const held: number[][] = []
        if (currentTask().rank === 1)
          for (;;) held.push(Array.from({ length: 10_000 }, (_, n) => n + held.length / 3))
        return new Promise(() => setInterval(() => {}, 1000))
      })(),
    )
    expect(heap).toMatchObject({ name: 'JobFailedError', reason: 'out-of-memory' })
    expect(heap.message).toMatch(/rank 1: node's heap is full \(limit \d+ MB/)
  })

  it('leaves no rank running when it is canceled', async () => {
    const job = cluster(four, async () => {
      console.log(`pid ${process.pid}`)
      await new Promise(() => setInterval(() => {}, 1000))
    })()
    job.catch(() => {})
    const pids = await pidsOf(job)
    expect(pids.every(runs)).toBe(true)
    await job.cancel()
    await expect(job).rejects.toMatchObject({ name: 'JobCanceledError' })
    expect(await until(() => !pids.some(runs), 30_000)).toBe(true)
  })

  it('is cut off by its time limit, after a warning that each rank hears', { timeout: 240_000 }, async () => {
    const options = { ...four, time: '1m', signal: 'USR1@45', retry: 0 } as const
    const job = cluster(options, async () => {
      console.log(`pid ${process.pid}`)
      onWarning(() => {
        console.log('warned')
        return currentTask().rank
      })
      await new Promise(() => setInterval(() => {}, 1000))
    })()
    job.catch(() => {})
    const pids = await pidsOf(job)
    await expect(job).rejects.toMatchObject({ name: 'JobFailedError', reason: 'timeout' })
    for (const rank of [0, 1, 2, 3]) expect(await all(job.logs({ rank }))).toContain('warned')
    expect(await until(() => !pids.some(runs), 30_000)).toBe(true)
  })

  it('is requeued once every rank has saved its state, and each goes on from its own', {
    timeout: 240_000,
  }, async () => {
    const options = { ...four, signal: 'USR1@60', requeue: true, gather: 'all' } as const
    const job = cluster(options, async () => {
      const { rank, attempt } = currentTask()
      const before = lastCheckpoint()
      if (before !== undefined) return { rank, attempt, before }
      onWarning(() => 100 + rank)
      console.log(`pid ${process.pid}`)
      return new Promise(() => setInterval(() => {}, 1000))
    })()
    await pidsOf(job)
    await run('scancel', ['--batch', '--signal=USR1', job.nativeId!], { env: { ...slurm.env } })
    expect(await job).toEqual([0, 1, 2, 3].map((rank) => ({ rank, attempt: 2, before: 100 + rank })))
  })

  it('starts one process with launcher: single, which may start others itself', async () => {
    const job = cluster({ ...four, launcher: 'single' }, async () => {
      const { execFileSync } = await import('node:child_process')
      const said = execFileSync('srun', ['sh', '-c', 'echo $SLURM_PROCID'], { encoding: 'utf8' })
      return { size: currentTask().size, said: said.split('\n').filter(Boolean).sort() }
    })()
    expect(await job).toEqual({ size: 1, said: ['0', '1', '2', '3'] })
  })
})
