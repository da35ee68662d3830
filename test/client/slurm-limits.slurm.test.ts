import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { wrapTransports } from '../../src/executor/open.ts'
import {
  attach,
  type ClusterOptions,
  close,
  cluster,
  configure,
  currentTask,
  type Job,
  jobs,
} from '../../src/index.ts'
import { run } from '../clusters/processes.ts'
import { failure, forgetLimits, onLogin } from './left.ts'

const { sshd, slurm } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd

/** What a site's accounting holds its users to; one sacctmgr for all, as each takes a while. */
beforeAll(() => {
  const rules = [
    'add qos one-job set MaxJobsPerUser=1',
    'add qos one-submit set MaxSubmitJobsPerUser=1',
    'add qos brief set MaxWall=00:01:00',
    'add qos strict set MaxWall=00:01:00 MaxTRESPerJob=cpu=2,mem=1024 Flags=DenyOnLimit',
    'add qos one-gpu set MaxTRESPerJob=gres/gpu=1 Flags=DenyOnLimit',
    'add qos foreign',
    'add account small,closed,others Organization=lab Description=limits',
    'modify account where name=small set GrpTRES=cpu=2',
    'modify account where name=closed set GrpSubmitJobs=0',
    `add user ${user} account=small,closed`,
    `modify user where name=${user} set qos+=one-job,one-submit,brief,strict,one-gpu`,
  ]
  const options = { env: { ...process.env, ...slurm.env }, input: `${rules.join('\n')}\n`, encoding: 'utf8' }
  const { status, stdout, stderr } = spawnSync('sacctmgr', ['-i'], options as { encoding: 'utf8' })
  expect(status, stdout + stderr).toBe(0)
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { limits: { ...place, queryInterval: '2s' } } })
})
afterAll(close)

const options = { profile: 'limits', memory: '20MB', time: '1m' } as const
const held = ['--hold']

/** What of all files of tests is in the queue counts: a limit is set once that is over. */
async function limit(most: number): Promise<void> {
  const { env } = slurm
  const queued = async () => (await run('squeue', ['-h', '-o', '%i %j %T', '-u', user], { env })).stdout
  if (most > 0) await expect.poll(queued, { timeout: 60_000 }).toBe('')
  const asked = ['-i', 'modify', 'user', 'where', `name=${user}`, 'set', `MaxSubmitJobs=${most}`]
  const { status, stdout, stderr } = spawnSync('sacctmgr', asked, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  expect(status, stdout + stderr).toBe(0)
}

describe('a live slurmctld refuses, and the error says what to change:', () => {
  const policy = /violates accounting\/QOS policy/
  it.each<[ClusterOptions, RegExp, RegExp]>([
    [{ account: 'nonesuch' }, /Invalid account/, /resources\.account/],
    [{ account: 'others' }, /Invalid account/, /sacctmgr show associations.*resources\.account/],
    [{ qos: 'nonesuch' }, /Invalid qos/, /resources\.qos/],
    [{ qos: 'foreign' }, /Invalid qos/, /resources\.qos/],
    [{ account: 'closed' }, /AssocGrpSubmitJobsLimit/, /your account.*larger chunk.*resources\.account/],
    [{ qos: 'strict', time: '10m' }, /QOSMaxWallDurationPerJobLimit/, /the QOS.*lower resources\.time/],
    [{ qos: 'strict', cores: 4 }, /QOSMaxCpuPerJobLimit/, /lower resources\.cores/],
    [{ qos: 'strict', memory: '2GB' }, /QOSMaxMemoryPerJob/, /lower resources\.memory/],
    [{ qos: 'one-gpu', gpus: 2 }, /QOSMaxGRESPerJob/, /lower resources\.gpus/],
    [{ memory: '900GB' }, /Memory specification can not be satisfied/, /lower resources\.memory/],
    [{ cores: 9 }, /CPU count per node can not be satisfied/, /ask for less/],
    [{ gpus: 9 }, /Requested node configuration is not available/, /GPUs.*ask for less/],
  ])('%j', async (asked, message, hint) => {
    const job = cluster({ ...options, ...asked }, () => 1)()
    const code = /Submit/.test(message.source) ? 'SUBMIT_LIMIT' : 'SUBMIT_REFUSED'
    const error = await failure(job, { name: 'SubmitError', code, message, hint })
    if (/Assoc|QOS/.test(message.source)) expect(error.message).toMatch(policy)
  })

  it('one more job than may be submitted, and an array that has more', async () => {
    const message = /QOSMaxSubmitJobPerUserLimit/
    const refused = { name: 'SubmitError', code: 'SUBMIT_LIMIT', message, hint: /have ended.*larger chunk/ }
    const submit = { ...options, qos: 'one-submit' }
    const first = cluster({ ...submit, native: held }, () => 1)()
    first.catch(() => {})
    await expect.poll(() => first.nativeId, { timeout: 20_000 }).toBeDefined()
    await failure(cluster(submit, () => 2)(), refused)
    await first.cancel()
    await failure(cluster(submit, (n: number) => n).map([1, 2, 3]), refused)
  })
})

it('a map is packed into as many members as the user may submit', async () => {
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { few: { ...place, queryInterval: '3s' } } })
  const double = cluster({ ...options, profile: 'few' }, (n: number) => n * 2)
  await limit(20)
  try {
    const inputs = Array.from({ length: 100 }, (_, n) => n)
    expect(await double.map.plan(inputs)).toMatchObject({
      chunk: 5,
      members: 20,
      decidedBy: ['submit-limit'],
    })
    expect(await double.map(inputs)).toEqual(inputs.map((n) => n * 2))
  } finally {
    await limit(-1)
  }
})

it('an array with more members than that is sent in parts, each when there is room for it, and is one map', async () => {
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { parts: { ...place, queryInterval: '4s', keep: 'all' } } })
  await limit(3)
  try {
    const f = cluster({ ...options, profile: 'parts', chunk: 1 }, (n: number) => {
      const { item, id } = currentTask()
      return [n, item, id]
    })
    const array = f.map([10, 11, 12, 13, 14])
    expect(await array).toEqual([10, 11, 12, 13, 14].map((n, item) => [n, item, array.id]))
    expect(await attach(array.id)).toEqual(await array)
    expect(await attach(`${array.id}[4]`)).toEqual([14, 4, array.id])
    const rows = (await jobs()).filter(({ id }) => id === array.id)
    expect(rows).toMatchObject([{ items: 5, members: 5, done: 5, status: { state: 'COMPLETED' } }])
  } finally {
    await limit(-1)
  }
})

it('what other jobs are in the way of waits until they have ended, says so, and can be canceled meanwhile', async () => {
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { full: { ...place, queryInterval: '5s' } } })
  const f = cluster({ ...options, profile: 'full', chunk: 1 }, (n: number) => n * 2)
  await limit(2)
  // of a client that knows no limit of it
  const inTheWay = cluster({ ...options, native: held }, () => 1)()
  inTheWay.catch(() => {})
  try {
    await expect.poll(() => inTheWay.nativeId, { timeout: 20_000 }).toBeDefined()
    const waits = { state: 'QUEUED', message: expect.stringMatching(/AssocMaxSubmitJobLimit.*once some of/s) }
    const map = f.map([1, 2])
    const parts = f.map([1, 2, 3])
    const unwanted = f.map([5, 6])
    const all = [map, parts, unwanted]
    for (const array of all) array.catch(() => {})
    for (const array of all) {
      const { job } = await array.job(0)
      await expect.poll(() => job.status(), { timeout: 30_000 }).toMatchObject(waits)
    }
    // What is in the way stays there until this is over.
    await unwanted.cancel()
    await expect(unwanted).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    expect([map, parts].map((array) => array.progress.done)).toEqual([0, 0])
    const said = onLogin(sshd, 'squeue -h -o %j')
    expect(said.trim().split('\n')).toHaveLength(1)
    await inTheWay.cancel()
    expect(await map).toEqual([2, 4])
    expect(await parts).toEqual([2, 4, 6])
    expect([map, parts].map((array) => array.progress.done)).toEqual([2, 3])
  } finally {
    await inTheWay.cancel()
    await limit(-1)
  }
})

it('an array that is larger than the site turned out to take has fewer members', async () => {
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { large: { ...place, queryInterval: '7s' } } })
  // What the site says of itself is another number than what it takes.
  wrapTransports((inner) => ({
    ...inner,
    exec: async (command, how) => {
      const { stdout, ...result } = await inner.exec(command, how)
      const said = Buffer.from(stdout).toString('latin1')
      return {
        ...result,
        stdout: Buffer.from(said.replace(/^MaxArraySize .*/m, 'MaxArraySize = 90000'), 'latin1'),
      }
    },
  }))
  const f = cluster({ ...options, profile: 'large', chunk: 1, native: held }, (n: number) => n)
  const array = f.map(Array.from({ length: 10_002 }, (_, n) => n))
  array.catch(() => {})
  try {
    await expect.poll(() => array.nativeId, { timeout: 60_000 }).toBeDefined()
    const said = onLogin(sshd, `squeue -h -j ${array.nativeId} -o %K`)
    expect(said.trim()).toBe('0-5000')
    expect(await f.map.plan(Array.from({ length: 10_002 }, () => 0))).toMatchObject({ submissions: 2 })
  } finally {
    await array.cancel()
    wrapTransports((inner) => inner)
    forgetLimits()
  }
})

it('a script that is larger than the site takes is refused with what makes it so', async () => {
  const large = "{ echo '#!/bin/sh'; head -c 4194304 /dev/zero | tr '\\0' '#'; } | sbatch --hold 2>&1 || true"
  expect(onLogin(sshd, large)).toMatch(/too long|too large/)
  const setup = [`: ${'x'.repeat(3 * 2 ** 20)}`]
  const f = (lines: string[]) => cluster({ ...options, environment: { setup: lines } }, () => 1)()
  expect(await f(setup)).toBe(1)
  await failure(f([...setup, ...setup]), {
    name: 'SubmitError',
    code: 'SUBMIT_REFUSED',
    message: /script has \d+ KiB, and the site takes 4096 KiB: most of it is environment\.setup/,
    hint: /travel beside the script/,
  })
  const variables = { LONG: 'x'.repeat(2 ** 17) }
  await failure(cluster({ ...options, environment: { variables } }, () => 1)(), {
    name: 'ConfigError',
    code: 'OPTION_INVALID',
    message: /variables\.LONG has 131077 bytes/,
  })
  const longest = { LONG: 'x'.repeat(2 ** 17 - 1 - 'LONG='.length) }
  const count = cluster(
    { ...options, environment: { variables: longest } },
    () => process.env['LONG']?.length,
  )
  expect(await count()).toBe(longest.LONG.length)
})

it('refused although nothing is in the way, it is another limit, and is told', async () => {
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { alone: { ...place, queryInterval: '6s' } } })
  await limit(5)
  try {
    const array = cluster(
      { ...options, profile: 'alone', qos: 'one-submit', chunk: 1 },
      (n: number) => n,
    ).map([1, 2])
    await failure(array, {
      name: 'SubmitError',
      code: 'SUBMIT_LIMIT',
      message: /QOSMaxSubmitJobPerUserLimit/,
    })
  } finally {
    await limit(-1)
  }
})

describe('a live slurmctld lets a job wait, and its status says what to change:', () => {
  const one = cluster(options, () => 1)
  const waits = cluster(
    { ...options, time: '5m' },
    () => new Promise((resolve) => setTimeout(resolve, 600_000)),
  )
  const says = (job: Job<unknown>, message: RegExp) =>
    expect.poll(() => job.status().message, { timeout: 30_000 }).toMatch(message)

  it('limits of account, QOS and partition', async () => {
    const runs = waits.with({ qos: 'one-job' })()
    const jobs = {
      cores: one.with({ account: 'small', cores: 4 })(),
      time: one.with({ qos: 'brief', time: '10m' })(),
      partition: one.with({ partition: 'short', time: '2d' })(),
      nodes: one.with({ nodes: 9 })(),
    }
    const all: Job<unknown>[] = [runs, ...Object.values(jobs)]
    for (const job of all) job.catch(() => {})
    try {
      await expect.poll(() => runs.status().state, { timeout: 30_000 }).toBe('ACTIVE')
      const second = one.with({ qos: 'one-job' })()
      second.catch(() => {})
      all.push(second)
      await Promise.all([
        says(second, /^QOSMaxJobsPerUserLimit: its QOS allows one user no more running jobs; it waits/),
        says(
          jobs.cores,
          /^AssocGrpCpuLimit: your account allows no more cores at once.*lower resources\.cores$/,
        ),
        says(
          jobs.time,
          /^QOSMaxWallDurationPerJobLimit: .*more wall clock time than its QOS.*lower resources\.time$/,
        ),
        says(
          jobs.partition,
          /^PartitionTimeLimit: its time of .* limit of its partition.*lower resources\.time$/,
        ),
        says(jobs.nodes, /^PartitionNodeLimit: it asks for more nodes than its partition.*ask for less/),
      ])
    } finally {
      await Promise.all(all.map((job) => job.cancel()))
    }
    const ids = all.map(({ nativeId }) => nativeId).join(',')
    expect(onLogin(sshd, `squeue -h -t PD,R -j ${ids} || true`)).toBe('')
    expect((await run('squeue', ['-h', '-t', 'R', '-q', 'one-job'], { env: { ...slurm.env } })).stdout).toBe(
      '',
    )
  })
})
