import { mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const { slurm } = inject('slurms').plain

describe('farcall on the login node itself: a profile with a scheduler and no host', () => {
  const before = { ...process.env }
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'farcall-login-node-'))
    Object.assign(process.env, slurm.env)
    process.env['PATH'] = `${slurm.env['PATH'] ?? ''}:${before['PATH']}`
    configure({
      profiles: {
        here: { scheduler: 'slurm', workdir: join(folder, 'work'), queryInterval: '2s', grace: '20s' },
      },
    })
  })
  afterAll(async () => {
    await close()
    process.env = before
    removeFolder(folder)
  })

  it('submits, and gets its results, with no ssh', async () => {
    const square = cluster({ profile: 'here', time: '5m' }, (n: number) => ({
      square: n * n,
      job: process.env['SLURM_JOB_ID'] ?? process.env['SLURM_ARRAY_JOB_ID'],
    }))
    const job = square(6)
    const one = await job
    expect(one).toEqual({ square: 36, job: job.nativeId })
    const many = await square.map([1, 2, 3])
    expect(many.map((each) => each.square)).toEqual([1, 4, 9])
    expect(readdirSync(join(folder, 'work'))).toContain('blobs')
  })

  it('tells what a job came to, and cancels', async () => {
    const fails = cluster({ profile: 'here', time: '5m' }, () => {
      throw new RangeError('of my own')
    })
    await expect(fails()).rejects.toThrow('of my own')
    const long = cluster(
      { profile: 'here', time: '5m' },
      () => new Promise((resolve) => setTimeout(resolve, 600_000)),
    )
    const job = long()
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    await job.cancel()
    await expect(job).rejects.toMatchObject({ code: 'JOB_CANCELED' })
  })

  it('where there is no sbatch says so, with what to do', async () => {
    const path = process.env['PATH']
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    for (const name of readdirSync('/usr/bin'))
      if (name !== 'sbatch') symlinkSync(`/usr/bin/${name}`, join(bin, name))
    process.env['PATH'] = bin
    try {
      const other = cluster({ profile: 'here', time: '5m', name: 'none' }, () => 1)
      await expect(other()).rejects.toMatchObject({
        code: 'SCHEDULER_MISSING',
        hint: expect.stringContaining('before you start a program on it'),
      })
    } finally {
      process.env['PATH'] = path
    }
  })
})
