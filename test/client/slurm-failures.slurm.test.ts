import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure, type Job, JobFailedError, type JobStatus } from '../../src/index.ts'
import { run, until } from '../clusters/processes.ts'
import { comes, makeGate } from './gate.ts'
import { onLogin } from './left.ts'

async function ended(job: Promise<unknown>): Promise<JobFailedError> {
  const error = await job.then(
    (value) => expect.fail(`it gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  return error as JobFailedError
}

/** Follows a job's states from now on. */
function follow(job: Job<unknown>) {
  const states: JobStatus[] = []
  const over = (async () => {
    for await (const status of job.updates()) states.push(status)
  })()
  const reaches = (test: (status: JobStatus) => boolean) =>
    until(() => states.some(test) || test(job.status()), 60_000)
  return { states, over, reaches }
}

for (const [kind, { sshd, slurm }] of Object.entries(inject('slurms'))) {
  const { host, port, user, identityFile, knownHosts } = sshd
  const accounting = kind === 'accounting'
  /** As root, who runs this Slurm. */
  const asAdmin = async (...argv: string[]) =>
    (await run(argv[0]!, argv.slice(1), { env: { ...slurm.env } })).stdout.trim()
  const waits = () => new Promise((resolve) => setTimeout(resolve, 600_000))
  const isActive = ({ state }: JobStatus) => state === 'ACTIVE'

  describe(`on Slurm, ${accounting ? 'with' : 'without'} accounting, a job that`, () => {
    const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
    const often = { ...place, queryInterval: '2s' } as const
    beforeAll(() =>
      configure({
        profiles: { [kind]: { ...often, grace: '20s' }, impatient: { ...often, grace: '4s' } },
      }),
    )
    afterAll(close)
    const options = { profile: kind, memory: '200MB' } as const

    it('exits is told with its code, its last words, and what it used of what it asked for', async () => {
      const job = cluster({ ...options, time: '5m' }, () => {
        console.error('last words')
        process.exit(3)
      })()
      const error = await ended(job)
      expect(error).toMatchObject({ reason: 'exit-code', status: { exitCode: 3 }, stderrTail: 'last words' })
      expect(error.usage).toMatchObject({
        memory: { used: expect.any(Number), asked: 200 * 2 ** 20 },
        time: { used: expect.any(Number), asked: 300 },
      })
      expect(error.message).toMatch(/used [\d.]+ of 200 MB, ran [\d.]+ of 300 s/)
    })

    it('uses more memory than it was granted is told so, with what it used', async () => {
      // Outside of Node's heap, so that the kernel, or slurmd, ends it.
      const job = cluster(options, async () => {
        const held: Buffer[] = []
        for (;;) {
          held.push(Buffer.alloc(2e7, 1))
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      })()
      const error = await ended(job)
      expect(error, error.message).toBeInstanceOf(JobFailedError)
      expect(error, error.message).toMatchObject({ reason: 'out-of-memory' })
      if (slurm.memoryLimit === 'cgroup') {
        expect(error.status.native).toBe('OUT_OF_MEMORY')
        expect(error.usage.memory.used).toBeGreaterThan(150 * 2 ** 20)
      }
      expect(error.hint).toMatch(/^used [\d.]+ of 200 MB: ask for memory: '\d+MB'$/)
    })

    it('is preempted is queued again, and its second run delivers the result', async () => {
      const first = cluster(
        { ...options, partition: 'long', nodes: 4, exclusive: true, requeue: true },
        async () => {
          const restarts = Number(process.env['SLURM_RESTART_COUNT'] ?? 0)
          if (restarts === 0) await new Promise((resolve) => setTimeout(resolve, 600_000))
          // Larger than a notice: it is fetched from the files of the run that made it.
          return { restarts, bytes: new Uint8Array(100_000).fill(7) }
        },
      )()
      const seen = follow(first)
      expect(await seen.reaches(isActive)).toBe(true)
      const gate = makeGate()
      const second = cluster(
        { ...options, partition: 'short', nodes: 4, exclusive: true },
        async (file: string) => {
          await comes(file)
          return 'second'
        },
      )(gate.file)
      // As long as the second has all nodes the first cannot begin again.
      expect(await seen.reaches(({ state, reason }) => state === 'QUEUED' && reason === 'requeued')).toBe(
        true,
      )
      gate.open()
      expect(await second).toBe('second')
      const { restarts, bytes } = await first
      expect(restarts).toBe(1)
      expect(bytes.every((byte) => byte === 7) && bytes.length).toBe(100_000)
      await seen.over
      const order = seen.states.map(({ state, reason }) => `${state}${reason === 'requeued' ? ' again' : ''}`)
      expect(order.filter((state, i) => state !== order[i - 1])).toEqual(
        expect.arrayContaining(['ACTIVE', 'QUEUED again', 'ACTIVE', 'COMPLETED']),
      )
    })

    it('is preempted without being queued again has failed, and says so', async () => {
      const first = cluster(
        { ...options, partition: 'long', nodes: 4, exclusive: true, requeue: false },
        waits,
      )()
      expect(await follow(first).reaches(isActive)).toBe(true)
      const second = cluster({ ...options, partition: 'short', nodes: 4, exclusive: true }, () => 'second')()
      const error = await ended(first)
      expect(error, error.message).toMatchObject({
        reason: 'preempted',
        transient: true,
        status: { native: 'PREEMPTED' },
        hint: expect.stringContaining('requeue: true'),
      })
      expect(await second).toBe('second')
    })

    it('loses its node has failed, and says so', async () => {
      const node = slurm.nodes[3]!
      const job = cluster({ ...options, nodelist: node, requeue: false }, waits)()
      expect(await follow(job).reaches(isActive)).toBe(true)
      try {
        await asAdmin('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test')
        const error = await ended(job)
        expect(error, error.message).toMatchObject({
          reason: 'node-failure',
          transient: true,
          status: { native: 'NODE_FAIL' },
          hint: expect.stringContaining('run it again'),
        })
      } finally {
        await asAdmin('scontrol', 'update', `nodename=${node}`, 'state=resume')
      }
    })

    it('is canceled by an administrator, or by its owner outside of farcall, tells by whom', async () => {
      const wait = cluster(options, waits)
      const [byAdmin, byOwner] = [wait.with({ name: 'admin' })(), wait.with({ name: 'owner' })()]
      for (const job of [byAdmin, byOwner]) job.catch(() => {})
      expect(await follow(byAdmin).reaches(isActive)).toBe(true)
      expect(await follow(byOwner).reaches(isActive)).toBe(true)
      await asAdmin('scancel', byAdmin.nativeId!)
      onLogin(sshd, `scancel ${byOwner.nativeId}`)
      const [admin, owner] = await Promise.all([ended(byAdmin), ended(byOwner)])
      // Without accounting Slurm tells nobody who it was.
      const by = (reason: string) => (accounting ? reason : undefined)
      expect(admin, admin.message).toMatchObject({ name: 'JobCanceledError', status: { state: 'CANCELED' } })
      expect(admin.status.reason).toBe(by('by-admin'))
      expect(owner.name).toBe('JobCanceledError')
      expect(owner.status.reason).toBe(by('by-user'))
      expect(admin.message).toMatch(accounting ? /by an administrator/ : /outside of farcall/)
    })

    it('depends on one that failed is ended, since it would wait for ever', async () => {
      const failing = cluster(options, () => process.exit(1))()
      await ended(failing)
      const dependent = cluster({ ...options, dependency: `afterok:${failing.nativeId}` }, () => 1)
      const jobs = [
        dependent.with({ name: 'waits' })(),
        dependent.with({ native: ['--kill-on-invalid-dep=yes'] })(),
      ]
      for (const job of jobs) {
        const error = await ended(job)
        expect(error, error.message).toMatchObject({
          name: 'JobFailedError',
          reason: 'launch-failed',
          hint: expect.stringContaining('depends on'),
        })
        expect(error.message).toMatch(/DependencyNeverSatisfied/)
      }
      expect(
        onLogin(sshd, `squeue -h -t PD,R -j ${jobs.map(({ nativeId }) => nativeId).join(',')} || true`),
      ).toBe('')
    })

    it("waits says why, in Slurm's words and in plain ones", async () => {
      const one = cluster(options, () => 1)
      const blocker = cluster({ ...options, nodes: 4, exclusive: true }, waits)()
      blocker.catch(() => {})
      expect(await follow(blocker).reaches(isActive)).toBe(true)
      const waiting = {
        held: one.with({ native: ['--hold'] })(),
        begin: one.with({ native: ['--begin=now+1hour'] })(),
        dependency: one.with({ dependency: `afterok:${blocker.nativeId}` })(),
        resources: one.with({ cores: 2, nodes: 2 })(),
      }
      const says = async (job: Job<number>, message: RegExp, reason?: string) => {
        const seen = follow(job)
        const right = await seen.reaches(
          (status) => message.test(status.message ?? '') && status.reason === reason,
        )
        expect(right, JSON.stringify(seen.states)).toBe(true)
        expect(job.status()).toMatchObject({ state: 'QUEUED', native: 'PENDING' })
      }
      try {
        for (const job of Object.values(waiting)) job.catch(() => {})
        await Promise.all([
          says(waiting.held, /^JobHeldUser: held by you; `scontrol release` lets it go on$/, 'held'),
          says(waiting.begin, /^BeginTime: waiting for its begin time/),
          says(
            waiting.dependency,
            new RegExp(`^Dependency: waiting for .*\\(afterok:${blocker.nativeId}\\)`),
          ),
          says(waiting.resources, /^Resources: waiting for 2 nodes with 2 cores and 200 MB to become free$/),
        ])
        onLogin(sshd, `scontrol release ${waiting.held.nativeId}`)
        await blocker.cancel()
        expect(await waiting.held).toBe(1)
        expect(await waiting.resources).toBe(1)
      } finally {
        await Promise.all([blocker, ...Object.values(waiting)].map((job) => job.cancel()))
      }
    })

    it('ends by its own account, but without a result, is lost, and says so', async () => {
      const short = { ...options, profile: 'impatient' }
      // A line that replaces the script's shell: what would say how the job ended is gone with it.
      const error = await ended(cluster({ ...short, environment: { setup: ['exec true'] } }, () => 1)())
      expect(error, error.message).toMatchObject({
        name: 'JobFailedError',
        reason: 'lost',
        status: { state: 'FAILED' },
        hint: expect.stringMatching(/work folder shared.*environment\.setup replace the shell/),
      })
      expect(error.message).toMatch(
        /is lost, COMPLETED in the scheduler's words: the scheduler says COMPLETED, but no result appeared within \d+ s/,
      )
    })

    it('cannot be written where it is to run is told so', async () => {
      const job = cluster(
        { ...options, native: ['--chdir=/nonexistent', '--output=/nonexistent/log'] },
        () => 1,
      )()
      const error = await ended(job)
      expect(error, error.message).toMatchObject({
        name: 'JobFailedError',
        reason: 'launch-failed',
        hint: /./,
      })
    })
  })
}
