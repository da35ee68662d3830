import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'

const { sshd } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd
const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, workdir: '~/loops' }

describe('loops on Slurm', () => {
  beforeAll(() => {
    configure({ profiles: { real: { ...place, queryInterval: '2s' } }, defaultProfile: 'real' })
  })
  afterAll(close)

  it('become an array job, between a job for what stands before and one for what stands behind', async () => {
    const sweep = cluster({ parallel: 'auto', chunk: 2, time: '5m' }, async (xs: number[]) => {
      const host = (await readFile('/etc/hostname', 'utf8')).trim()
      const jobs = [process.env['SLURM_JOB_ID']]
      const members: (string | undefined)[] = []
      let total = 0
      for (const x of xs) {
        members.push(process.env['SLURM_ARRAY_TASK_ID'])
        total += x * 0.1
      }
      jobs.push(process.env['SLURM_JOB_ID'])
      return { host, jobs, members, total }
    })
    const { host, jobs, members, total } = await sweep([1, 2, 3, 4, 5])
    expect(host).not.toBe('')
    expect(members).toEqual(['0', '0', '1', '1', '2'])
    expect(total).toBe([1, 2, 3, 4, 5].reduce((sum, x) => sum + x * 0.1, 0))
    expect(new Set(jobs).size).toBe(2)
  })
})
