import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ClusterOptions, close, cluster, configure } from '../../src/index.ts'
import { until } from '../clusters/processes.ts'
import { failure, onLogin } from './left.ts'

const { sshd } = inject('slurms').accounting

describe('what Slurm refuses', () => {
  const left = () => onLogin(sshd, 'ls -A .farcall/jobs .farcall/inbox; squeue -h -o %i')
  let before = ''
  beforeAll(async () => {
    const { host, port, user, identityFile, knownHosts } = sshd
    const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, keep: 'none' } as const
    configure({ profiles: { slurm: { ...place, queryInterval: '2s' } } })
    await cluster({ profile: 'slurm' }, () => 1)()
    await close()
    // Slurm has it for a moment after its result is here, and those of the files before.
    expect(await until(() => onLogin(sshd, 'squeue -h -o %i') === '', 60_000)).toBe(true)
    before = left()
  })
  afterAll(close)

  it.each<[ClusterOptions, RegExp, RegExp]>([
    [{ partition: 'nonesuch' }, /invalid partition/i, /partition/],
    [{ constraint: 'nonesuch' }, /feature/i, /constraint/],
    [{ memory: '900TB' }, /./, /less|partition/],
    [{ native: ['--nonesuch=1'] }, /unrecognized option/, /native/],
  ])('%j is told in its own words, and nothing is left', async (options, message, hint) => {
    const job = cluster({ profile: 'slurm', ...options }, () => 1)()
    await failure(job, { name: 'SubmitError', code: 'SUBMIT_REFUSED', message, hint })
    const mapped = cluster({ profile: 'slurm', ...options }, (n: number) => n).map([1])
    await failure(mapped, { name: 'SubmitError', code: 'SUBMIT_REFUSED', message, hint })
    await close()
    expect(left()).toBe(before)
  })
})
