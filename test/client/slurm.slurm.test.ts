import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  attach,
  close,
  cluster,
  configure,
  JobCanceledError,
  JobFailedError,
  type JobStatus,
} from '../../src/index.ts'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

for (const [kind, { sshd }] of Object.entries(inject('slurms'))) {
  const { host, port, user, identityFile, knownHosts } = sshd
  const accounting = kind === 'accounting'

  /** A command of the user's on the login node, outside of farcall. */
  const onLogin = (command: string): string => {
    const options = ['-o', 'IdentitiesOnly=yes', '-o', `UserKnownHostsFile=${knownHosts}`]
    const to = ['-F', 'none', '-p', String(port), '-i', identityFile, ...options, `${user}@${host}`]
    return execFileSync('ssh', [...to, command], { encoding: 'utf8' })
  }

  describe(`a call on Slurm, ${accounting ? 'with' : 'without'} accounting`, () => {
    beforeAll(() => {
      const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
      configure({ profiles: { [kind]: { ...place, queryInterval: '2s', grace: '20s' } } })
    })
    afterAll(close)

    it('comes back with its value, from a node of the cluster', async () => {
      const job = cluster({ profile: kind, time: '5m', name: 'where is "it"? $(id) `ü`' }, () => ({
        job: process.env['SLURM_JOB_ID'],
        name: process.env['SLURM_JOB_NAME'],
      }))()
      const states: JobStatus[] = []
      const watching = (async () => {
        for await (const status of job.updates()) states.push(status)
      })()
      const { job: slurmId, name } = await job
      await watching
      expect(slurmId).toBe(job.nativeId)
      expect(name).toBe('where is "it"? $(id) `ü`')
      expect(states.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1])).toEqual([
        'NEW',
        'QUEUED',
        'ACTIVE',
        'COMPLETED',
      ])
    })

    it('gets what it asks for', async () => {
      const options = {
        profile: kind,
        cores: 2,
        memory: '300MB',
        gpus: 1,
        partition: 'long',
        time: '00:10:00',
      } as const
      const seen = await cluster(options, () => ({
        cores: process.env['SLURM_CPUS_PER_TASK'],
        memory: process.env['SLURM_MEM_PER_NODE'],
        partition: process.env['SLURM_JOB_PARTITION'],
        gpus: process.env['SLURM_JOB_GPUS'] ?? process.env['CUDA_VISIBLE_DEVICES'],
        threads: process.env['UV_THREADPOOL_SIZE'],
        heap: process.execArgv.join(' '),
      }))()
      expect(seen).toMatchObject({ cores: '2', memory: '300', partition: 'long', threads: '4' })
      expect(seen.gpus).toMatch(/^\d+$/)
      expect(seen.heap).toMatch(/--max-old-space-size=255/)
    })

    it('maps 40 items as one array job, results in order', async () => {
      const squares = cluster({ profile: kind }, (n: number) => [
        n * n,
        process.env['SLURM_ARRAY_TASK_ID'],
      ]).map(
        Array.from({ length: 40 }, (_, n) => n),
        { chunk: 1 },
      )
      const values = await squares
      expect(values).toEqual(Array.from({ length: 40 }, (_, n) => [n * n, String(n)]))
    })

    it("tells a refused partition in Slurm's own words, and leaves nothing behind", async () => {
      const before = onLogin('ls .farcall/jobs | sort')
      const job = cluster({ profile: kind, partition: 'nonesuch' }, () => 1)()
      await expect(job).rejects.toMatchObject({ name: 'SubmitError', code: 'SUBMIT_REFUSED' })
      await expect(job).rejects.toThrow(/invalid partition/i)
      expect(onLogin('ls .farcall/jobs | sort')).toBe(before)
      expect(onLogin('ls -A .farcall/jobs | grep "^[.]" || true')).toBe('')
    })

    it('names the time limit when it ended the job, and a chunk goes on after it', {
      timeout: 240_000,
    }, async () => {
      // Slurm looks at limits each half minute: the second item is cut off, whenever that is. Of the minute ten seconds
      // and more are left for the start, before the first item and again before the second.
      const nap = cluster({ profile: kind, time: '1m' }, async (seconds: number) => {
        await new Promise((resolve) => setTimeout(resolve, 1000 * seconds))
        return [seconds, process.env['SLURM_JOB_ID']]
      })
      const chunk = accounting ? nap.map([48, 49, 1], { chunk: 3 }) : undefined
      chunk?.catch(() => {})
      // A minute is the least that Slurm limits to.
      const job = cluster(
        { profile: kind, time: '1m' },
        () => new Promise((resolve) => setTimeout(resolve, 600_000)),
      )()
      job.catch(() => {})
      const error = await job.catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(JobFailedError)
      expect(error).toMatchObject({ reason: 'timeout' })
      expect((error as Error).message).toMatch(/time limit/)
      if (!chunk) return
      const values = await chunk
      expect(values.map(([seconds]) => seconds)).toEqual([48, 49, 1])
      expect(values[1]![1]).toBe(values[2]![1])
      expect(values[1]![1]).not.toBe(values[0]![1])
      const { job: last } = await chunk.job(2)
      expect(last.attempts.map(({ status }) => status.reason)).toEqual(['timeout', undefined])
    })

    it('says why when the job was killed before it wrote anything', async () => {
      const job = cluster({ profile: kind }, () => {
        process.kill(process.ppid, 'SIGKILL')
        process.kill(process.pid, 'SIGKILL')
      })()
      const error = await job.catch((reason: unknown) => reason)
      expect(error).toMatchObject({ name: 'JobFailedError', reason: 'signal', status: { signal: 9 } })
      expect((error as Error).message).toMatch(/ended by signal 9/)
    })

    it('cancels in the queue and while it runs', async () => {
      const sleep = cluster(
        { profile: kind },
        (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
      )
      const running = sleep(600_000)
      running.catch(() => {})
      for await (const { state } of running.updates()) if (state === 'ACTIVE') break
      await running.cancel()
      await expect(running).rejects.toBeInstanceOf(JobCanceledError)

      const queued = sleep.with({ dependency: `afterok:${running.nativeId}`, native: ['--begin=now+1hour'] })(
        1,
      )
      queued.catch(() => {})
      for await (const { state } of queued.updates()) if (state === 'QUEUED') break
      await queued.cancel()
      await expect(queued).rejects.toBeInstanceOf(JobCanceledError)
      expect(onLogin(`squeue -h -t PD,R -j ${running.nativeId},${queued.nativeId} || true`)).toBe('')
    })

    it('is canceled by an AbortSignal', async () => {
      const controller = new AbortController()
      const job = cluster(
        { profile: kind, signal: controller.signal },
        () => new Promise(() => setInterval(() => {}, 1e3)),
      )()
      job.catch(() => {})
      for await (const { state } of job.updates()) if (state === 'ACTIVE') break
      controller.abort(new Error('enough'))
      await expect(job).rejects.toMatchObject({ name: 'JobCanceledError', cause: { message: 'enough' } })
    })

    it('gives its log, and is found again by its id', async () => {
      const job = cluster({ profile: kind }, () => {
        console.log('first line')
        console.error('to stderr')
        process.stdout.write('no newline at the end ü')
        return new Map([['a', 1]])
      })()
      await job
      expect(await all(job.logs())).toEqual(['first line', 'no newline at the end ü'])
      expect(await all(job.logs({ stream: 'stderr' }))).toEqual(['to stderr'])
      expect(await attach(job.id, { profile: kind })).toEqual(new Map([['a', 1]]))
    })

    it('runs out of memory with a name and advice', async () => {
      const job = cluster({ profile: kind, memory: '100MB' }, () => {
        const held: unknown[] = []
        for (;;) held.push({ text: 'x'.repeat(100), list: new Array(1000).fill(held.length) })
      })()
      const error = await job.catch((reason: unknown) => reason)
      expect(error).toMatchObject({ name: 'JobFailedError', reason: 'out-of-memory' })
      expect((error as Error).message).toMatch(/ask for memory: '/)
    })
  })
}
