import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure, currentTask } from '../../src/index.ts'
import { until } from '../clusters/processes.ts'

const { sshd } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd

const runs = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = []
  for await (const line of lines) list.push(line)
  return list
}

beforeAll(() => {
  const place = { scheduler: 'sge', host, port, user, identityFile, knownHosts }
  configure({ profiles: { grid: { ...place, queryInterval: '1s', grace: '20s' } }, defaultProfile: 'grid' })
})
afterAll(close)

// Without a launcher it is farcall's own: a job there has one node. mpirun reads PE_HOSTFILE, as Debian's Open MPI is built.
describe.each([undefined, 'mpirun'] as const)('several processes on Grid Engine, by %s', (launcher) => {
  const three = { tasksPerNode: 3, time: '5m', ...(launcher ? { launcher } : {}) } as const

  it('have the slots that they need, and each its part of the memory', async () => {
    const look = cluster({ ...three, memory: '600MB', gather: 'all' }, () => {
      const { rank, size, cores, memory } = currentTask()
      const { NSLOTS: slots, PE: environment, OMPI_COMM_WORLD_SIZE: mpi } = process.env
      return { rank, size, cores, memory, slots, environment, mpi }
    })
    const mpi = launcher ? '3' : undefined
    const each = { size: 3, cores: 1, memory: 200 * 2 ** 20, slots: '3', environment: 'smp', mpi }
    expect(await look()).toEqual([0, 1, 2].map((rank) => ({ rank, ...each })))
  })

  it('run the items of an array, and one that fails is told with its rank', async () => {
    const sum = cluster(three, async (n: number) => {
      if (n === 2 && currentTask().rank === 2) throw new RangeError('not this one')
      if (n === 2) await new Promise(() => setInterval(() => {}, 1000))
      return [n, currentTask().size]
    })
    const [first, second] = await sum.map([1, 2], { chunk: 1 }).settled()
    expect(first).toEqual({ status: 'fulfilled', value: [1, 3] })
    expect((second as PromiseRejectedResult).reason).toMatchObject({ message: 'not this one', rank: 2 })
  })

  it('are all gone when the job was canceled', async () => {
    const job = cluster(three, async () => {
      console.log(process.pid)
      await new Promise(() => setInterval(() => {}, 1000))
    })()
    job.catch(() => {})
    let pids: number[] = []
    const look = async () => {
      const logs = [0, 1, 2].map((rank) => all(job.logs({ rank })))
      pids = (await Promise.all(logs)).flat().map(Number)
      return pids.length === 3
    }
    expect(await until(look, 60_000)).toBe(true)
    expect(pids.every(runs)).toBe(true)
    await job.cancel()
    await expect(job).rejects.toMatchObject({ name: 'JobCanceledError' })
    expect(await until(() => !pids.some(runs), 30_000)).toBe(true)
  })
})

it('a job over several nodes is refused by name', async () => {
  await expect(cluster({ nodes: 2 }, () => 1)()).rejects.toThrow(/sge cannot express nodes: 2/)
})
