import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  attach,
  close,
  cluster,
  configure,
  currentTask,
  type Job,
  JobCanceledError,
  JobFailedError,
  jobs,
  onWarning,
  SubmitError,
} from '../../src/index.ts'
import { type SimulatedScheduler, simulateScheduler } from '../../src/testing/simulated/simulated.ts'
import { removeFolder } from '../remove-folder.ts'
import { forgetLimits } from './left.ts'

const forever = () => new Promise(() => setInterval(() => {}, 1000))

async function failed(job: PromiseLike<unknown>): Promise<JobFailedError> {
  const error = await job.then(
    () => expect.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(JobFailedError)
  return error as JobFailedError
}

async function running(job: Job<unknown>): Promise<void> {
  for await (const { state } of job.updates()) if (state === 'ACTIVE') return
}

/** What differs: variables of a job, how it is deleted by hand, what becomes of a job whose node fails, refusals. */
const kinds = {
  pbs: {
    id: 'PBS_JOBID',
    name: 'PBS_JOBNAME',
    takes: 'where_is__it___',
    cores: 'NCPUS',
    remove: 'qdel',
    nodeFailure: 'node-failure',
    refuses: ['Unknown queue', 'qstat -Q'],
    silence: /^(Connection refused|cannot connect to server)/,
  },
  torque: {
    id: 'PBS_JOBID',
    name: 'PBS_JOBNAME',
    takes: 'where_is__it___',
    cores: 'PBS_NUM_PPN',
    remove: 'qdel',
    nodeFailure: 'launch-failed',
    refuses: ['Unknown queue', 'qstat -Q'],
    silence: /^(Connection refused|cannot connect to server)/,
  },
  slurm: {
    id: 'SLURM_JOB_ID',
    name: 'SLURM_JOB_NAME',
    takes: 'where is "it"? $(id) `ü`',
    cores: 'SLURM_CPUS_PER_TASK',
    remove: 'scancel',
    nodeFailure: 'node-failure',
    refuses: ['invalid partition', 'sinfo'],
    silence: /^Batch job submission failed: Unable to contact slurm controller/,
  },
  sge: {
    id: 'JOB_ID',
    name: 'JOB_NAME',
    takes: 'where_is__it_____id___u_',
    cores: 'NSLOTS',
    remove: 'qdel',
    nodeFailure: 'node-failure',
    refuses: ['unknown queue', 'qconf -sql'],
    silence: /^(commlib error: got select error|unable to send message to qmaster)/,
  },
} as const

describe.each(['pbs', 'torque', 'slurm', 'sge'] as const)('a call on a simulated %s', (kind) => {
  const { id: idVariable, name: nameVariable, takes, cores: coresVariable, ...words } = kinds[kind]
  const canRequeue = kind === 'slurm' || kind === 'sge'
  let simulated: SimulatedScheduler
  let workdir = ''
  beforeAll(async () => {
    simulated = await simulateScheduler(kind, { killDelay: 1 })
    workdir = mkdtempSync(join(tmpdir(), 'farcall-simulated-'))
    configure({ profiles: { [kind]: { scheduler: kind, workdir, queryInterval: '1s', grace: '5s' } } })
  })
  afterAll(async () => {
    await close()
    await simulated.close()
    removeFolder(workdir)
  })
  afterEach(() =>
    simulated.set({
      startDelay: 0,
      outage: false,
      loseAnswers: false,
      history: 3600,
      lag: 0,
      maxArraySize: 1000,
      maxJobs: undefined,
      timeScale: undefined,
      maxTime: undefined,
      unknownState: undefined,
      emptyAnswers: undefined,
      accounting: undefined,
    }),
  )
  const remove = (...ids: string[]) => execFileSync(words.remove, ids)

  it('comes back with its value, under a name that the scheduler takes', async () => {
    const job = cluster({ profile: kind, time: '5m', name: 'where is "it"? $(id) `ü`' }, () => ({
      job: process.env[idVariable],
      name: process.env[nameVariable],
    }))()
    const { job: id, name } = await job
    expect(id).toBe(job.nativeId)
    expect(name).toBe(takes)
  })

  it('gets what it asks for', async () => {
    const task = await cluster({ profile: kind, cores: 2, memory: '1GB', time: '5m' }, () => {
      const { cores, memory } = currentTask()
      return { cores, memory, granted: process.env[coresVariable] }
    })()
    expect(task).toEqual({ cores: 2, memory: 1024 ** 3, granted: '2' })
  })

  it('is a map, and of a map only what failed runs again', async () => {
    const square = cluster({ profile: kind }, (n: number) => {
      if (n === 5 && currentTask().attempt === 1) throw new Error('five')
      return n * n
    })
    const jobs = square.map([0, 1, 2, 3, 4, 5, 6], { chunk: 1, concurrency: 3 })
    await expect(jobs).rejects.toThrow(/five/)
    expect(await jobs.retryFailed()).toEqual([0, 1, 4, 9, 16, 25, 36])
  })

  it('that is over its time limit says so', async () => {
    // A minute is the least that Slurm limits to.
    if (kind === 'slurm') await simulated.set({ timeScale: 60 })
    const error = await failed(cluster({ profile: kind, time: '1s' }, forever)())
    expect(error.status).toMatchObject({ state: 'FAILED', reason: 'timeout' })
  })

  it('that is over its memory limit says so', async () => {
    const error = await failed(
      cluster({ profile: kind, memory: '150MB', time: '1m' }, async () => {
        const { spawn } = await import('node:child_process')
        const holds = 'const held = Buffer.alloc(100e6, 1); setInterval(() => held.length, 1000)'
        for (let n = 0; n < 2; n++) spawn(process.execPath, ['-e', holds])
        await new Promise((resolve) => setTimeout(resolve, 600_000))
      })(),
    )
    expect(error.status).toMatchObject({ state: 'FAILED', reason: 'out-of-memory' })
  })

  it('is canceled, alone or as one of several', async () => {
    const job = cluster({ profile: kind }, forever)()
    await running(job)
    await job.cancel()
    await expect(job).rejects.toBeInstanceOf(JobCanceledError)

    const wait = cluster({ profile: kind, cores: 1 }, async (n: number) => {
      if (n === 1) await new Promise(() => setInterval(() => {}, 1000))
      return n
    })
    const [zero, one, two] = [wait(0), wait(1), wait(2)]
    await running(one!)
    await one!.cancel()
    await expect(one).rejects.toBeInstanceOf(JobCanceledError)
    expect(await Promise.all([zero, two])).toEqual([0, 2])
  })

  it('that somebody else deletes is told to be canceled where that is known, before it began and while it runs', async () => {
    const running1 = cluster({ profile: kind }, forever)()
    await running(running1)
    remove(running1.nativeId!)
    // Grid Engine kills it, and tells nobody that somebody asked for that.
    if (kind === 'sge') expect((await failed(running1)).status).toMatchObject({ reason: 'signal', signal: 9 })
    else await expect(running1).rejects.toBeInstanceOf(JobCanceledError)
    await simulated.set({ startDelay: 3600 })
    const waiting = cluster({ profile: kind }, () => 1)()
    for await (const { state } of waiting.updates()) if (state === 'QUEUED') break
    remove(waiting.nativeId!)
    // What never ran leaves Grid Engine's accounting no record.
    if (kind === 'sge') expect((await failed(waiting)).status).toMatchObject({ reason: 'lost' })
    else await expect(waiting).rejects.toBeInstanceOf(JobCanceledError)
  })

  it('whose node goes down says so', async () => {
    const job = cluster({ profile: kind, ...(canRequeue && { requeue: false }) }, forever)()
    await running(job)
    await simulated.failNode()
    const { status } = await failed(job)
    expect(status).toMatchObject({ state: 'FAILED', reason: words.nodeFailure })
  })

  it.runIf(canRequeue)('whose node goes down, or that gives way, runs again where it may', async () => {
    for (const how of ['down', 'preempt'] as const) {
      const job = cluster({ profile: kind, requeue: true }, async () => {
        const again = (process.env['SLURM_RESTART_COUNT'] ?? process.env['RESTARTED'] ?? '0') !== '0'
        if (!again) await new Promise(() => setInterval(() => {}, 1000))
        return 'again'
      })()
      await running(job)
      await simulated.failNode(how)
      expect(await job).toBe('again')
    }
  })

  it.runIf(canRequeue)('is warned before its time is over', async () => {
    await simulated.set({ timeScale: 10 })
    const job = cluster(
      { profile: kind, time: '2m', signal: 'USR1@90' },
      () =>
        new Promise<string>((resolve) => {
          onWarning(() => resolve('warned'))
          setTimeout(() => resolve('not warned'), 60_000)
        }),
    )()
    expect(await job).toBe('warned')
  })

  it('that the scheduler refuses is refused in its words, with a way out', async () => {
    const job = cluster({ profile: kind, queue: 'nowhere' }, () => 1)()
    const error = await job.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SubmitError)
    expect(error).toMatchObject({
      message: expect.stringContaining(words.refuses[0]),
      hint: expect.stringContaining(words.refuses[1]),
    })
    await simulated.set({ maxTime: 60 })
    const long = await cluster({ profile: kind, time: '5m' }, () => 1)().catch((reason: unknown) => reason)
    expect(long).toMatchObject({ name: 'SubmitError', hint: expect.stringMatching(/time|limit/) })
    if (canRequeue) return
    await expect(cluster({ profile: kind, signal: 'USR1@60' }, () => 1)()).rejects.toMatchObject({
      code: 'RESOURCE_UNSUPPORTED',
    })
  })

  it.skipIf(canRequeue)(
    'has as many members as the server turns out to take, and the next program knows',
    async () => {
      const f = cluster({ profile: kind, chunk: 1 }, (n: number) => [
        n,
        Number(process.env['PBS_ARRAY_INDEX'] ?? process.env['PBS_ARRAYID']),
      ])
      const inputs = [0, 1, 2, 3, 4, 5, 6]
      expect(await f.map.plan(inputs)).toMatchObject({ submissions: 1 })
      await simulated.set({ maxArraySize: 3 })
      const array = f.map(inputs)
      // 7 were refused, 3 are as many as half of them
      expect(await array).toEqual(inputs.map((n) => [n, Math.floor(n / 3)]))
      expect((await jobs()).find(({ id }) => id === array.id)).toMatchObject({ members: 3, items: 7 })
      await close()
      await simulated.set({ maxArraySize: 1000 })
      expect(await f.map.plan(inputs)).toMatchObject({ submissions: 3 })
      // one job at a time: a further part is refused until the one before it has ended
      await simulated.set({ maxJobs: 1, startDelay: 3 })
      const parts = f.map(inputs.slice(3))
      const lone = expect.anything()
      expect(await parts).toEqual([3, 4, 5, 6].map((n) => [n, n < 6 ? n - 3 : lone]))
      const [of] = (await jobs()).filter(({ id }) => id === parts.id)
      expect(of).toMatchObject({ members: 4, done: 4 })
      await close()
      forgetLimits()
      expect(await f.map.plan(inputs)).toMatchObject({ submissions: 1 })
    },
  )

  it('goes on while the server does not answer, and is found by another program', async () => {
    const job = cluster({ profile: kind }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 3000))
      return 'there'
    })()
    await running(job)
    await simulated.set({ outage: true })
    expect(await job).toBe('there')
    await simulated.set({ outage: false })
    const left = cluster({ profile: kind }, () => 'left')()
    for await (const { state } of left.updates()) if (state !== 'NEW') break
    await left.detach()
    expect(await attach<string>(left.id)).toBe('left')
  })

  it('that is made while the server does not answer says so, in its words alone, and is submitted once it does', async () => {
    await simulated.set({ outage: true })
    // What tar says of a clock that is behind is none of the scheduler's words.
    const bin = mkdtempSync(join(tmpdir(), 'farcall-bin-'))
    const path = process.env['PATH']!
    const tar = `#!/bin/sh\necho 'tar: spec.json: time stamp is 3600 s in the future' >&2\nPATH='${path}' exec tar "$@"\n`
    writeFileSync(join(bin, 'tar'), tar, { mode: 0o755 })
    process.env['PATH'] = `${bin}:${path}`
    try {
      const job = cluster({ profile: kind }, () => process.env[idVariable])()
      const message = () => job.status().message ?? ''
      await expect.poll(message, { timeout: 20_000 }).toContain('it is submitted once it does')
      expect(message()).toMatch(words.silence)
      await simulated.set({ outage: false })
      expect(await job).toBe(job.nativeId)
    } finally {
      process.env['PATH'] = path
      removeFolder(bin)
    }
  })

  it('is submitted once, when the answer to its submission was lost', async () => {
    await simulated.set({ loseAnswers: true })
    const job = cluster({ profile: kind }, () => process.env[idVariable])()
    const ran = await job.catch((error: unknown) => error)
    expect(ran).toBe(job.nativeId)
  })

  it('is not lost where the scheduler forgets at once, and answers late', async () => {
    await simulated.set({ history: 0, lag: 2 })
    const twice = cluster({ profile: kind }, (n: number) => 2 * n)
    expect(await twice.map([1, 2, 3], { chunk: 1 })).toEqual([2, 4, 6])
  })

  it('comes back where the scheduler has words that nobody knows, says nothing, or keeps no accounting', async () => {
    const nap = cluster({ profile: kind }, async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return ms
    })
    await simulated.set({ unknownState: 'ZX' })
    expect(await nap(2000)).toBe(2000)
    await simulated.set({ unknownState: undefined, emptyAnswers: true })
    expect(await nap(2001)).toBe(2001)
    await simulated.set({ emptyAnswers: undefined, accounting: false })
    expect(await nap(1)).toBe(1)
  })
})
