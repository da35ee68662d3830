import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure, getConfig, jobs } from '../../src/index.ts'
import { startProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-attach-'))
const workdir = `${folder}/work`

beforeAll(() => {
  configure({
    profiles: { here: { scheduler: 'direct', workdir, queryInterval: '1s' } },
    defaultProfile: 'here',
  })
})
afterAll(async () => {
  await close()
  rmSync(folder, { recursive: true, force: true })
})

describe('attach', () => {
  it('brings the result of a job whose client was killed in the middle', async () => {
    const program = await startProgram('long.ts', ['2500'], {
      FARCALL_SCHEDULER: 'direct',
      FARCALL_WORKDIR: workdir,
    })
    expect(program.firstLine).toMatch(/^f[a-z2-7]{13}$/)
    program.kill()
    const job = attach<{ waited: number }>(program.firstLine)
    expect(await job).toEqual({ waited: 2500 })
    expect(job.status().state).toBe('COMPLETED')
  })

  it('gives the array of a map, and one of its items', async () => {
    const square = cluster(async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return n * n
    })
    const squares = square.map([1, 2, 3])
    const { id } = squares
    await squares
    expect(existsSync(`${workdir}/jobs/${id}`)).toBe(true)
    expect(await attach(id)).toEqual([1, 4, 9])
    expect(await attach(`${id}[2]`)).toBe(9)
  })

  it('needs no profile to be chosen among several for a job on record, nor does jobs()', async () => {
    const job = cluster((n: number) => n + 1)(41)
    await job
    const before = getConfig()
    configure({
      profiles: { ...before.profiles, there: { scheduler: 'direct', workdir: `${folder}/there` } },
    })
    configure({ defaultProfile: undefined } as never)
    try {
      await expect(cluster(() => 1)()).rejects.toMatchObject({ code: 'PROFILE_UNKNOWN' })
      expect(await attach(job.id)).toBe(42)
      expect((await jobs()).map(({ id }) => id)).toContain(job.id)
      await expect(attach('faaaaaaaaaaaaa')).rejects.toMatchObject({ code: 'PROFILE_UNKNOWN' })
    } finally {
      configure({ defaultProfile: 'here' })
    }
  })

  it('says so when there is no such job, or what is given is no id', async () => {
    await expect(attach('faaaaaaaaaaaaa')).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    await expect(attach('42')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(attach('faaaaaaaaaaaaa', { profile: 'nowhere' })).rejects.toMatchObject({
      code: 'PROFILE_UNKNOWN',
    })
  })
})
