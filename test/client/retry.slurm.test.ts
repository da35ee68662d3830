import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { checkpoint, close, cluster, configure, lastCheckpoint, onWarning } from '../../src/index.ts'

const { sshd, slurm } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd

/** A command of whoever runs Slurm. */
const admin = (file: string, ...args: string[]) =>
  execFileSync(file, args, { env: { ...process.env, ...slurm.env }, encoding: 'utf8' })

const quick = { base: '100ms', backoff: 'fixed' } as const

/** Counts until it is interrupted; the attempt after that goes on for three more, and says from where each one began. */
const count = cluster({ time: '10m' }, async () => {
  const { froms, n } = lastCheckpoint<{ froms: number[]; n: number }>() ?? { froms: [], n: 0 }
  const state = { froms: [...froms, n], n }
  onWarning(() => state)
  for (; froms.length === 0 || state.n < n + 3; state.n++) {
    checkpoint(state)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { more: state.n - n, froms: state.froms, restarts: process.env['SLURM_RESTART_COUNT'] ?? '0' }
})

/** The job has saved something. */
const saved = (id: string) =>
  expect
    .poll(
      () =>
        execFileSync('sh', ['-c', `ls ${slurm.home}/.farcall/jobs/${id}/run.*/checkpoint.0 2>&1 || true`], {
          encoding: 'utf8',
        }),
      {
        timeout: 60_000,
      },
    )
    .toMatch(/run\.\d+\.\d+\/checkpoint\.0\n$/)

describe('a call that is tried again on Slurm', () => {
  beforeAll(() => {
    const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
    configure({ profiles: { lab: { ...place, queryInterval: '2s', grace: '20s' } }, defaultProfile: 'lab' })
  })
  afterAll(close)

  it('is granted more memory after an OOM', async () => {
    const hungry = cluster(
      { memory: '100MB', retry: { retries: 1, escalate: { memory: 8 }, ...quick } },
      async () => {
        const all: Buffer[] = []
        for (let i = 0; i < 20; i++) {
          all.push(Buffer.alloc(2e7, 1))
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
        return [all.length, process.env['SLURM_MEM_PER_NODE']]
      },
    )
    const job = hungry()
    expect(await job).toEqual([20, '800'])
    expect(job.attempts.map(({ status }) => status.reason)).toEqual(['out-of-memory', undefined])
  })

  it('is started elsewhere when its node goes down, and goes on from its checkpoint', async () => {
    const job = count.with({ requeue: false, retry: { retries: 1, ...quick } })()
    job.catch(() => {})
    await saved(job.id)
    const node = admin('squeue', '-h', '-o', '%N', '-j', job.nativeId!).trim()
    admin('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test')
    try {
      const { froms, more } = await job
      expect([more, froms.length]).toEqual([3, 2])
      expect(job.attempts[0]?.status.reason).toBe('node-failure')
    } finally {
      admin('scontrol', 'update', `nodename=${node}`, 'state=idle')
    }
  })

  it('goes on from its checkpoint when it is requeued from outside', async () => {
    const job = count.with({ requeue: true })()
    await saved(job.id)
    admin('scontrol', 'requeue', job.nativeId!)
    const { froms, more, restarts } = await job
    expect([more, froms.length, restarts]).toEqual([3, 2, '1'])
    expect(job.attempts).toHaveLength(1)
  })

  it('saves its state at the warning, requeues itself, and goes on', async () => {
    const job = count.with({ requeue: true, signal: 'USR1@60' })()
    await saved(job.id)
    admin('scancel', '--batch', '--signal=USR1', job.nativeId!)
    const { froms, more, restarts } = await job
    expect([more, froms.length, restarts]).toEqual([3, 2, '1'])
  })

  it('goes on from its checkpoint after it made room for another', async () => {
    const all = { nodes: 4, exclusive: true, launcher: 'single' } as const
    const job = count.with({ ...all, partition: 'long', requeue: true })()
    await saved(job.id)
    expect(await cluster(all, () => 'urgent')()).toBe('urgent')
    const { froms, more, restarts } = await job
    expect([more, froms.length, restarts]).toEqual([3, 2, '1'])
  })
})
