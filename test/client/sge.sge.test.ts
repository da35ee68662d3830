import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  attach,
  type ClusterOptions,
  checkpoint,
  close,
  cluster,
  configure,
  currentTask,
  type Job,
  JobCanceledError,
  type JobFailedError,
  type JobStatus,
  lastCheckpoint,
  onWarning,
} from '../../src/index.ts'
import { pidIn, run, until } from '../clusters/processes.ts'
import { changeAccounts } from '../clusters/user.ts'
import { hostile } from './hostile.ts'
import { failure, onLogin } from './left.ts'

const { sshd, sge } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd
const asAdmin = async (...argv: string[]) =>
  (await run(argv[0]!, argv.slice(1), { env: { ...sge.env }, cwd: '/' })).stdout.trim()
const waits = () => new Promise((resolve) => setTimeout(resolve, 600_000))

async function ended(job: Promise<unknown>): Promise<JobFailedError> {
  const error = await job.then(
    (value) => expect.fail(`it gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  return error as JobFailedError
}

async function reaches(job: Job<unknown>, test: (status: JobStatus) => boolean): Promise<JobStatus> {
  expect(await until(() => test(job.status()), 60_000), JSON.stringify(job.status())).toBe(true)
  return job.status()
}
/** Those that are still there, by their native ids. */
const inQueue = (...jobs: readonly { readonly nativeId: string | undefined }[]) => {
  const ids = new Set(
    onLogin(sshd, 'qstat')
      .split('\n')
      .map((line) => line.trim().split(/\s/)[0]),
  )
  return jobs.filter(({ nativeId }) => ids.has(nativeId))
}
const isActive = ({ state }: JobStatus) => state === 'ACTIVE'

beforeAll(() => {
  const place = { scheduler: 'sge', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { sge: { ...place, queryInterval: '2s', grace: '20s' } }, defaultProfile: 'sge' })
})
afterAll(close)

describe('a call on Grid Engine', () => {
  it('comes back with its value, from a node of the cluster', async () => {
    const job = cluster({ time: '5m', name: '2 Study.simulate' }, () => ({
      job: process.env['JOB_ID'],
      name: process.env['JOB_NAME'],
      shell: process.env['SHELL'],
    }))()
    const states: JobStatus[] = []
    const watching = (async () => {
      for await (const status of job.updates()) states.push(status)
    })()
    const seen = await job
    await watching
    expect(seen).toMatchObject({ job: job.nativeId, name: '_2_Study.simulate', shell: '/bin/sh' })
    expect(states.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1])).toEqual([
      'NEW',
      'QUEUED',
      'ACTIVE',
      'COMPLETED',
    ])
  })

  it('gets what it asks for, divided by its slots', async () => {
    const options = { cores: 2, memory: '3GB', gpus: 2, partition: 'short.q', time: '5m' } as const
    const remote = cluster(options, async () => {
      const { execFileSync } = await import('node:child_process')
      const { random: _, progress: __, ...task } = currentTask()
      return {
        slots: process.env['NSLOTS'],
        queue: process.env['QUEUE'],
        kilobytes: execFileSync('sh', ['-c', 'ulimit -v'], { encoding: 'utf8' }).trim(),
        asked: execFileSync('qstat', ['-j', process.env['JOB_ID']!], { encoding: 'utf8' }),
        heap: process.execArgv.join(' '),
        task,
      }
    })
    const seen = await remote()
    expect(seen).toMatchObject({ slots: '2', queue: 'short.q', task: { cores: 2, memory: 3 * 2 ** 30 } })
    // What the node allows is the share of each slot times the slots again: 0.85 × 3 GB + 1 GB.
    expect(Number(seen.kilobytes) / 1024).toBeCloseTo(0.85 * 3072 + 1024, -1)
    expect(seen.asked).toMatch(/hard resource_list:.*h_rt=300.*gpu=1/)
    expect(seen.heap).toMatch(/--max-old-space-size=2611/)
    expect(await remote.script()).toMatch(/^#\$ -pe smp 2\n[\s\S]*# gpu is for each of the 2 slots/m)
  })

  it('runs with little memory all the same, though Node reserves more', async () => {
    expect(await cluster({ memory: '100MB' }, () => 1)()).toBe(1)
  })

  it('is asked for in the characters that Grid Engine takes; all else reaches it as it is', async () => {
    const variables = Object.fromEntries(hostile.map((text, n) => [`V${n}`, text]))
    const show = cluster({ environment: { variables } }, (given: string[]) => ({
      given,
      name: process.env['JOB_NAME'],
      variables: given.map((_, n) => process.env[`V${n}`]),
    }))
    const seen = await Promise.all(hostile.map((name) => show.with({ name })(hostile)))
    for (const { given, name, variables: got } of seen) {
      expect([given, got]).toEqual([hostile, hostile])
      expect(name).toMatch(/^[A-Za-z_][\w.+=-]*$/)
    }
    for (const key of ['partition', 'account', 'constraint', 'reservation'] as const)
      for (const text of hostile) {
        const error = await cluster({ [key]: text } as ClusterOptions, () => 1)().catch(
          (reason: unknown) => reason,
        )
        expect({ key, text, error }).toMatchObject({
          error: { code: expect.stringMatching(/^(SUBMIT_REFUSED|VALUE_UNSAFE)$/) },
        })
      }
    expect(onLogin(sshd, 'find . -name pwned')).toBe('')
  })

  it.each(['/bin/dash', '/bin/bash', '/bin/csh'])(
    'runs for an account whose login shell is %s',
    async (shell) => {
      await changeAccounts(['usermod', '-s', shell, user])
      try {
        await close()
        expect(await cluster({}, () => process.env['USER'])()).toBe(user)
        expect(await cluster({}, (n: number) => n).map([1, 2, 3])).toEqual([1, 2, 3])
      } finally {
        await changeAccounts(['usermod', '-s', '/bin/bash', user])
        await close()
      }
    },
  )

  it('gives its log and usage, and is found again by its id', async () => {
    const job = cluster({ memory: '1GB', time: '5m', cores: 2 }, () => {
      console.log('first line')
      const until = process.cpuUsage().user + 3e5
      while (process.cpuUsage().user < until);
      return new Map([['a', 1]])
    })()
    await job
    const lines: string[] = []
    for await (const line of job.logs()) lines.push(line)
    expect(lines).toEqual(['first line'])
    const usage = await job.usage()
    expect(usage.cpu.used!).toBeGreaterThan(0.25)
    expect(usage).toMatchObject({ cpu: { cores: 2 }, memory: { asked: 2 ** 30 }, time: { asked: 300 } })
    await close()
    const again = attach(job.id)
    again.catch(() => {})
    expect(await again.usage()).toEqual(usage)
  })
})

describe('a map on Grid Engine', () => {
  it('of 200 items is one array job, results in order', async () => {
    const items = Array.from({ length: 200 }, (_, n) => n)
    const map = cluster({}, (n: number) => [n * n, process.env['SGE_TASK_ID'], process.env['JOB_ID']]).map(
      items,
      { chunk: 4 },
    )
    const values = await map
    expect(values.map(([square, task]) => [square, task])).toEqual(
      items.map((n) => [n * n, String(Math.floor(n / 4) + 1)]),
    )
    expect(new Set(values.map(([, , job]) => job)).size).toBe(1)
  })

  it('with more members than an array may have is several of them', async () => {
    const set = (tasks: number) =>
      asAdmin(
        'sh',
        '-c',
        `cd ${sge.folder}/etc && qconf -sconf | sed 's/^max_aj_tasks .*/max_aj_tasks ${tasks}/' >global && qconf -Mconf global`,
      )
    await set(5)
    try {
      await close()
      const values = await cluster({}, (n: number) => [n, process.env['JOB_ID']]).map(
        Array.from({ length: 12 }, (_, n) => n),
        { chunk: 1 },
      )
      expect(values.map(([n]) => n)).toEqual(Array.from({ length: 12 }, (_, n) => n))
      expect(new Set(values.map(([, job]) => job)).size).toBe(3)
    } finally {
      await set(10_000)
      await close()
    }
  })

  it('retries those of its members that failed', async () => {
    const remote = cluster({}, async (n: number, file: string) => {
      const { mkdirSync } = await import('node:fs')
      if (n % 3 !== 1) return n
      try {
        mkdirSync(`${file}.${n}`)
      } catch {
        return -n
      }
      process.exit(3)
    })
    const map = remote.starmap(
      [0, 1, 2, 3, 4, 5].map((n) => [n, `${sge.home}/retried`] as const),
      { chunk: 1 },
    )
    const settled = await map.settled()
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(await map.retryFailed()).toEqual([0, -1, 2, 3, -4, 5])
  })
})

/** They wait most of the time. */
describe.concurrent('on Grid Engine, a job that', () => {
  it('exceeds its time is told so, with the limit', async () => {
    const error = await ended(cluster({ time: '4s' }, waits)())
    expect(error).toMatchObject({ name: 'JobFailedError', reason: 'timeout' })
    expect(error.message).toMatch(/time limit \(h_rt\) of 4 s/)
  })

  it('is warned before that', async () => {
    const value = cluster({ time: '30s', signal: 'USR1@26' }, async () => {
      const alive = setInterval(() => {}, 1000)
      const warned = new Promise<string>((resolve) => onWarning(() => resolve('warned')))
      return warned.finally(() => clearInterval(alive))
    })()
    expect(await value).toBe('warned')
  })

  it('uses more memory than h_vmem in several processes is told so, with what it used', async () => {
    const error = await ended(
      cluster({ memory: '300MB' }, async () => {
        const { spawn } = await import('node:child_process')
        const program = 'const b = Buffer.alloc(600e6, 1); setTimeout(() => b.length, 60000)'
        for (let n = 0; n < 3; n++) spawn(process.execPath, ['-e', program])
        await new Promise((resolve) => setTimeout(resolve, 600_000))
      })(),
    )
    expect(error, error.message).toMatchObject({ reason: 'out-of-memory' })
    expect(error.status.native).toMatch(/^failed 37/)
    expect(error.hint).toMatch(/ask for memory: '/)
  })

  it('fills the heap of Node is told so', async () => {
    const job = cluster({ memory: '100MB' }, () => {
      const held: unknown[] = []
      for (;;) held.push({ text: 'x'.repeat(100), list: new Array(1000).fill(held.length) })
    })()
    const error = await ended(job)
    expect(error).toMatchObject({ name: 'JobFailedError', reason: 'out-of-memory' })
    expect(error.message).toMatch(/ask for memory: '/)
  })

  it.each([3, 99, 100])('exits with %i is told with its code, and is not started again', async (code) => {
    const job = cluster({}, (exitCode: number) => {
      console.error('last words')
      process.exit(exitCode)
    })(code)
    expect(await ended(job)).toMatchObject({
      reason: 'exit-code',
      status: { exitCode: code },
      stderrTail: 'last words',
    })
  })

  it('is killed with all that would tell of it is told by accounting', async () => {
    const error = await ended(
      cluster({}, () => {
        process.kill(process.ppid, 'SIGKILL')
        process.kill(process.pid, 'SIGKILL')
      })(),
    )
    expect(error).toMatchObject({ reason: 'signal', status: { signal: 9 } })
  })

  it('loses its node is told so', async () => {
    const job = cluster({}, waits)()
    job.catch(() => {})
    await reaches(job, isActive)
    const running = () => onLogin(sshd, `qstat -s r | grep -c '^ *${job.nativeId} ' || true`).trim()
    expect(await until(() => running() === '1', 60_000)).toBe(true)
    const noted = (name: string) =>
      pidIn(`${sge.folder}/execd/localhost/active_jobs/${job.nativeId}.1/${name}`)
    expect(await until(() => [noted('pid'), noted('job_pid')].every(Boolean), 60_000)).toBe(true)
    const [shepherd, group] = [noted('pid')!, noted('job_pid')!]
    process.kill(shepherd, 'SIGKILL')
    process.kill(-group, 'SIGKILL')
    expect(await ended(job)).toMatchObject({ reason: 'node-failure' })
  })

  it('is requeued by an administrator runs again, and delivers the result of that run', async () => {
    const job = cluster({ requeue: true }, async () => {
      if (process.env['RESTARTED'] === '0') await new Promise((resolve) => setTimeout(resolve, 600_000))
      return { restarted: process.env['RESTARTED'], bytes: new Uint8Array(100_000).fill(7) }
    })()
    await reaches(job, isActive)
    await asAdmin('qmod', '-rj', job.nativeId!)
    const { restarted, bytes } = await job
    expect(restarted).toBe('1')
    expect(bytes.every((byte) => byte === 7) && bytes.length).toBe(100_000)
  })

  it('saves its state at the warning is started again by Grid Engine, and goes on', async () => {
    const job = cluster({ requeue: true, time: '40s', signal: 'USR1@37' }, async () => {
      const { froms, n } = lastCheckpoint<{ froms: number[]; n: number }>() ?? { froms: [], n: 0 }
      const state = { froms: [...froms, n], n }
      onWarning(() => state)
      for (; froms.length === 0 || state.n < n + 3; state.n++) {
        checkpoint(state)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return { more: state.n - n, froms: state.froms, restarted: process.env['RESTARTED'] }
    })()
    const { froms, more, restarted } = await job
    expect([more, froms.length, restarted]).toEqual([3, 2, '1'])
    expect(job.attempts).toHaveLength(1)
  })

  it('is held, suspended, or in error says so, with a way out', async () => {
    const held = cluster({ native: ['-h'] }, () => 1)()
    const first = cluster({}, waits)()
    const after = cluster({}, () => 2)
    for (const job of [held, first]) job.catch(() => {})
    await reaches(held, ({ reason }) => reason === 'held')
    await reaches(first, isActive)
    const second = after.with({ dependency: first.nativeId! })()
    expect((await reaches(second, ({ message }) => message !== undefined)).message).toMatch(
      /waiting for the jobs that it depends on/,
    )
    await asAdmin('qmod', '-sj', first.nativeId!)
    await reaches(first, ({ reason }) => reason === 'suspended')
    await asAdmin('qmod', '-usj', first.nativeId!)
    await first.cancel()
    expect(await second).toBe(2)
    const bad = cluster({ native: ['-o /nonexist/log'] }, () => 3)()
    expect((await reaches(bad, ({ message }) => message !== undefined)).message).toMatch(
      /^in error state: .*can't open output file.*: its node could not open its log.*qmod -cj/,
    )
    for (const job of [held, bad]) {
      await job.cancel()
      await expect(job).rejects.toBeInstanceOf(JobCanceledError)
    }
    // Grid Engine has a job for a moment after its result is here.
    expect(await until(() => inQueue(held, first, second, bad).length === 0, 60_000)).toBe(true)
  })

  it('can never start is refused at once', async () => {
    const refused: [ClusterOptions, RegExp, RegExp][] = [
      [{ partition: 'nonesuch.q' }, /unknown queue/, /resources\.partition/],
      [{ cores: 90 }, /no suitable queues\n.*only offers 0 slots/, /ask for less/],
      [{ gpus: 9 }, /no suitable queues/, /ask for less/],
      [{ partition: 'short.q', time: '1h' }, /no suitable queues/, /ask for less/],
      [{ account: 'nonesuch' }, /project "nonesuch"/, /resources\.account/],
      [{ constraint: 'nonesuch=1' }, /unknown resource/, /resources\.constraint/],
      [{ priority: 5 }, /positive submission priority/, /resources\.priority/],
    ]
    await Promise.all(
      refused.map(([asked, message, hint]) =>
        failure(cluster(asked, () => 1)(), { name: 'SubmitError', code: 'SUBMIT_REFUSED', message, hint }),
      ),
    )
  })

  it('is canceled: in the queue, while it runs, by a signal, and a thousand members at once', async () => {
    const running = cluster({}, waits)()
    const many = cluster({ native: ['-h'] }, (n: number) => n).map(Array.from({ length: 1000 }, (_, n) => n))
    const controller = new AbortController()
    const aborted = cluster({ signal: controller.signal }, waits)()
    for (const job of [running, aborted]) job.catch(() => {})
    const all = many.settled()
    await Promise.all([reaches(running, isActive), reaches(aborted, isActive)])
    controller.abort(new Error('enough'))
    await Promise.all([running.cancel(), many.cancel()])
    await expect(running).rejects.toBeInstanceOf(JobCanceledError)
    await expect(aborted).rejects.toMatchObject({ name: 'JobCanceledError', cause: { message: 'enough' } })
    expect((await all).every(({ status }) => status === 'rejected')).toBe(true)
    expect(await until(() => inQueue(running, many, aborted).length === 0, 60_000)).toBe(true)
  })
})
