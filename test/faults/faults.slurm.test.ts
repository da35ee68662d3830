import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { close, cluster, configure, type Job, type Profile } from '../../src/index.ts'
import { type Program, runProgram } from '../client/helpers.ts'
import { onLogin } from '../client/left.ts'
import { type SlurmWithLogin, startCluster } from '../clusters/cluster.ts'
import { run, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

let lab: SlurmWithLogin
beforeAll(async () => {
  // Slurm forgets a job two seconds after its end; no accounting remembers it
  lab = await startCluster({ accounting: false, nodes: 3, settings: { MinJobAge: '2' } })
})
afterEach(async () => {
  await close()
  removeFolder(join(lab.sshd.home, 'bin'))
})
afterAll(() => lab.stop())

const sh = (command: string) => onLogin(lab.sshd, command).trim()
let count = 0
function profile(over: Partial<Profile> = {}): string {
  const { host, port, user, identityFile, knownHosts } = lab.sshd
  const name = `p${count++}`
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
  configure({ profiles: { [name]: { ...place, queryInterval: '2s', grace: '6s', keep: 'all', ...over } } })
  return name
}
/** A command of the login node's that is replaced by a script; `real` calls what was there. */
function replace(name: string, script: string): void {
  const bin = join(lab.sshd.home, 'bin')
  mkdirSync(bin, { recursive: true })
  chmodSync(bin, 0o777)
  const real = lab.slurm.env['PATH']!
  writeFileSync(join(bin, name), `#!/bin/sh\nreal() { PATH='${real}' ${name} "$@"; }\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
}
const withBin = () => `${lab.sshd.home}/bin:${lab.slurm.env['PATH']}`

const runsOf = (id: string) => Number(sh(`ls -d .farcall/jobs/${id}/run.* 2>/dev/null | wc -l`))

const isHeldBack = (job: Job<unknown>) => {
  const { state, message = '' } = job.status()
  return state === 'QUEUED' && /Unable to contact slurm controller.*submitted once it does/.test(message)
}

/** Sleeps in its first run, as the scheduler counts them; a later one comes back at once with its number. */
const restarts = async (ms: number) => {
  const run = Number(process.env['SLURM_RESTART_COUNT'] ?? 0)
  if (run === 0) await new Promise((resolve) => setTimeout(resolve, ms))
  return run
}

it('a controller that is stopped and started while jobs run: their results come', async () => {
  const sleep = cluster({ profile: profile() }, async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return ms
  })
  const jobs = [2_000, 9_000].map((ms) => sleep.with({ name: `n${ms}` })(ms))
  for (const job of jobs) for await (const { state } of job.updates()) if (state === 'ACTIVE') break
  await lab.slurm.stopController()
  expect(await jobs[0]).toBe(2_000)
  await lab.slurm.startController()
  expect(await Promise.all(jobs)).toEqual([2_000, 9_000])
})

it('a call while the controller is down is submitted once it is back, once', async () => {
  const twice = cluster({ profile: profile() }, (n: number) => n * 2)
  const first = twice(1)
  expect(await first).toBe(2)
  await lab.slurm.stopController()
  const job = twice(4)
  // Its client has not seen the cluster before.
  const another = twice.with({ profile: profile() })(5)
  // Made together with the first: one submission of two members.
  const canceled = twice(6)
  canceled.catch(() => {})
  await until(() => [job, another, canceled].every(isHeldBack), 60_000)
  await canceled.cancel()
  await expect(canceled).rejects.toMatchObject({ name: 'JobCanceledError' })
  await lab.slurm.startController()
  expect(await Promise.all([job, another])).toEqual([8, 10])
  const nativeIds = [job, another].map(({ nativeId }) => Number(nativeId) - Number(first.nativeId))
  expect(nativeIds.sort()).toEqual([1, 2])
  expect(runsOf(another.id)).toBe(1)
})

it('a job that the scheduler starts again has one result', async () => {
  const job = cluster({ profile: profile(), requeue: true }, restarts)(600_000)
  for await (const { state } of job.updates()) if (state === 'ACTIVE') break
  await until(() => runsOf(job.id) === 1, 20_000)
  sh(`scontrol requeue ${job.nativeId}`)
  expect(await job).toBe(1)
  expect(runsOf(job.id)).toBe(2)
})

it('a node that goes down under a job: the job runs on another', async () => {
  const job = cluster({ profile: profile(), requeue: true }, restarts)(600_000)
  for await (const { state } of job.updates()) if (state === 'ACTIVE') break
  const node = sh(`squeue -h -j ${job.nativeId} -o %N`)
  const update = (state: string) =>
    run('scontrol', ['update', `NodeName=${node}`, `State=${state}`, 'Reason=test'], { env: lab.slurm.env })
  try {
    await update('DOWN')
    expect(await job).toBe(1)
  } finally {
    await update('RESUME')
  }
})

it('a job that is forgotten before anybody looked is told as lost, after the grace', async () => {
  const job = cluster({ profile: profile({ queryInterval: '5s', grace: '4s' }) }, async () => {
    const { execFileSync } = await import('node:child_process')
    // neither node nor the script can say a word
    execFileSync('kill', ['-9', String(process.ppid), String(process.pid)])
  })()
  await expect(job).rejects.toMatchObject({ name: 'JobFailedError' })
  await expect(job).rejects.toThrow(/without a trace|signal 9/)
})

it('a job of which nothing is left, in the queue or as a file, is lost without a trace, and said so after the grace', async () => {
  const bin = join(lab.sshd.home, 'bin')
  // The controller remembers a job for two seconds: nobody is to be told of it in that time.
  replace('squeue', `[ ! -e ${bin}/down ] || exit 1\nreal "$@"`)
  const path = join(lab.sshd.home, '.profile')
  const before = readFileSync(path, 'utf8')
  writeFileSync(path, `${before}export PATH='${withBin()}'\n`)
  try {
    const job = cluster({ profile: profile({ grace: '5s' }) }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 600_000))
    })()
    job.catch(() => {})
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    await until(() => runsOf(job.id) === 1, 20_000)
    const { nativeId } = job
    // Killed hard, and without its folder, its script says nothing any more.
    sh(
      `touch bin/down; mv .farcall/jobs/${job.id} gone; scancel --full --signal=KILL ${nativeId}; rm -rf gone`,
    )
    const known = () => sh(`scontrol show job ${nativeId} 2>/dev/null || true`)
    await expect.poll(known, { timeout: 60_000, interval: 500 }).toBe('')
    const forgotten = Date.now()
    rmSync(join(bin, 'down'))
    await expect(job).rejects.toMatchObject({
      name: 'JobFailedError',
      reason: 'lost',
      message: expect.stringMatching(/left the queue without a trace, and no result appeared within \d+ s/),
    })
    expect(Date.now() - forgotten).toBeGreaterThan(4_000)
  } finally {
    writeFileSync(path, before)
  }
})

it('accounting that knows nothing yet, and a status command that fails, change nothing', async () => {
  const lies = join(lab.sshd.home, 'bin')
  replace(
    'squeue',
    `echo x >>${lies}/asked; [ "$(wc -l <${lies}/asked)" -gt 3 ] || { echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; }\nreal "$@"`,
  )
  replace('sacct', 'exit 0')
  const path = join(lab.sshd.home, '.profile')
  const before = readFileSync(path, 'utf8')
  writeFileSync(path, `${before}export PATH='${withBin()}'\n`)
  try {
    const job = cluster({ profile: profile({ queryInterval: '1s' }) }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 6_000))
      return 'true to the end'
    })()
    const states: string[] = []
    const watching = (async () => {
      for await (const { state } of job.updates()) states.push(state)
    })()
    expect(await job).toBe('true to the end')
    await watching
    expect(readFileSync(join(lies, 'asked'), 'utf8').length).toBeGreaterThan(3)
    expect(new Set(states)).toEqual(new Set(['NEW', 'QUEUED', 'ACTIVE', 'COMPLETED']))
  } finally {
    writeFileSync(path, before)
  }
})

it('many clients ask the scheduler as often as one does', { timeout: 180_000 }, async () => {
  const asked = join(lab.sshd.home, 'bin', 'asked')
  replace('squeue', `date +%s >>${asked}; real "$@"`)
  const path = join(lab.sshd.home, '.profile')
  const before = readFileSync(path, 'utf8')
  writeFileSync(path, `${before}export PATH='${withBin()}'\n`)
  const { host, port, user, identityFile, knownHosts } = lab.sshd
  const env = {
    FARCALL_SCHEDULER: 'slurm',
    FARCALL_HOST: host,
    FARCALL_PORT: String(port),
    FARCALL_USER: user,
    FARCALL_IDENTITY_FILE: identityFile,
    FARCALL_KNOWN_HOSTS: knownHosts,
    FARCALL_QUERY_INTERVAL: '4s',
  }
  const programs: Program[] = []
  try {
    for (let n = 0; n < 5; n++) programs.push(runProgram('lifecycle.ts', ['waits'], env))
    for (const program of programs) expect(await program.line()).toMatch(/nativeId/)
    const begun = Date.now()
    rmSync(asked, { force: true })
    await new Promise((resolve) => setTimeout(resolve, 16_000))
    const queries = () => readFileSync(asked, 'utf8').split('\n').filter(Boolean).length
    await expect.poll(queries, { timeout: 60_000 }).toBeGreaterThanOrEqual(3)
    const most = queries()
    const seconds = (Date.now() - begun) / 1000
    // one client asks 16 / 4 times; an answer is good for a second less than the interval
    expect(most).toBeLessThanOrEqual(Math.ceil(seconds / 3) + 1)
  } finally {
    writeFileSync(path, before)
    for (const program of programs) program.signal('SIGINT')
    await Promise.all(programs.map((program) => program.ended))
  }
})

const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'
it.runIf(existsSync(faketime)).each(['-1h', '+1h'])('a cluster whose clock is off by %s', async (offset) => {
  const path = join(lab.sshd.home, '.profile')
  const before = readFileSync(path, 'utf8')
  writeFileSync(path, `${before}export LD_PRELOAD=${faketime} FAKETIME=${offset}\n`)
  try {
    const name = profile()
    const job = cluster({ profile: name }, () => Date.now())()
    const there = await job
    const hours = (there - Date.now()) / 3_600_000
    expect(Math.round(hours)).toBe(Number.parseInt(offset, 10))
    const failing = cluster({ profile: name }, () => process.kill(process.pid, 'SIGKILL'))()
    await expect(failing).rejects.toMatchObject({ name: 'JobFailedError', reason: 'signal' })
  } finally {
    writeFileSync(path, before)
  }
})
