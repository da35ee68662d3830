import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, currentTask } from '../../src/index.ts'
import { type SimulatedScheduler, simulateScheduler } from '../../src/testing/simulated/simulated.ts'
import { until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const runs = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))

describe.each(['pbs', 'torque'] as const)('several processes on a simulated %s', (kind) => {
  let simulated: SimulatedScheduler
  let workdir = ''
  /** Open MPI runs as root only for those who say so twice. */
  const variables = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' }
  beforeAll(async () => {
    simulated = await simulateScheduler(kind, { killDelay: 1 })
    workdir = mkdtempSync(join(tmpdir(), 'farcall-simulated-'))
    const place = { scheduler: kind, workdir, queryInterval: '1s', grace: '5s', environment: { variables } }
    configure({ profiles: { [kind]: place }, defaultProfile: kind })
  })
  afterAll(async () => {
    await close()
    await simulated.close()
    removeFolder(workdir)
  })

  it.each(['auto', 'mpirun'] as const)('by %s', async (launcher) => {
    const options = { tasksPerNode: 2, launcher, time: '5m', gather: 'all' } as const
    const look = cluster(options, (n: number) => {
      const { rank, size, index } = currentTask()
      return { n, rank, size, index, job: process.env['PBS_JOBID'] !== undefined }
    })
    const each = { size: 2, job: true }
    expect(await look.map([7, 8], { chunk: 1 })).toEqual([
      [0, 1].map((rank) => ({ n: 7, index: 0, rank, ...each })),
      [0, 1].map((rank) => ({ n: 8, index: 1, rank, ...each })),
    ])
  })

  it('are all gone when somebody else has ended the job', async () => {
    const job = cluster({ tasksPerNode: 2, time: '5m' }, async () => {
      console.log(process.pid)
      await new Promise(() => setInterval(() => {}, 1000))
    })()
    job.catch(() => {})
    const pids: number[] = []
    const look = async () => {
      pids.length = 0
      try {
        for (const rank of [0, 1]) for await (const line of job.logs({ rank })) pids.push(Number(line))
      } catch {
        return false // before a rank has begun it has no log
      }
      return pids.length === 2
    }
    expect(await until(look, 30_000)).toBe(true)
    expect(pids.every(runs)).toBe(true)
    execFileSync('qdel', [job.nativeId!])
    await expect(job).rejects.toMatchObject({ name: 'JobCanceledError' })
    expect(await until(() => !pids.some(runs), 20_000)).toBe(true)
  })
})
