import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure, JobFailedError } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-cut-off-'))
const workdir = `${folder}/work`

beforeAll(() =>
  configure({
    profiles: { here: { scheduler: 'direct', workdir, keep: 'all', queryInterval: '1s' } },
    defaultProfile: 'here',
  }),
)
afterEach(close)
afterAll(() => removeFolder(folder))

/** Notes each time that it runs. */
const nap = cluster({ time: 6 }, async (ms: number, runs: string) => {
  const { appendFileSync } = await import('node:fs')
  appendFileSync(runs, `${ms}\n`)
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})
const runsOf = (file: string) => readFileSync(file, 'utf8').trim().split('\n').map(Number)
const attemptsOf = (id: string) =>
  readdirSync(`${workdir}/jobs/${id}`).filter((name) => name.startsWith('submit'))

describe('a chunk that its time limit cuts off', () => {
  it('goes on where it stopped; an item that alone takes longer fails, and the others go on without it', async () => {
    const file = join(folder, 'one-by-one')
    const times = [700, 701, 30_000, 702, 1]
    const jobs = nap.starmap(
      times.map((ms) => [ms, file]),
      { chunk: 5 },
    )
    const settled = await jobs.settled()
    expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : 'failed'))).toEqual([
      700,
      701,
      'failed',
      702,
      1,
    ])
    const { reason } = settled[2] as PromiseRejectedResult
    expect(reason).toBeInstanceOf(JobFailedError)
    expect(reason.status.reason).toBe('timeout')
    expect(reason.message).toMatch(/ran into its time limit.*\n.*\n.*ask for time: 12, or split the item/)
    // What was done did not run again, and the one that takes too long had its time for itself once.
    const runs = runsOf(file)
    for (const ms of [700, 1]) expect(runs.filter((one) => one === ms)).toHaveLength(1)
    expect(runs.filter((one) => one === 30_000).length).toBeLessThanOrEqual(2)
    const made = attemptsOf(jobs.id).length
    expect(made).toBeLessThanOrEqual(runs.length)

    // Who looks later is told the same, and starts nothing.
    await close()
    const again = await attach(`${jobs.id}[3]`)
    expect(again).toBe(702)
    await expect(attach(`${jobs.id}[2]`)).rejects.toMatchObject({
      status: { reason: 'timeout', message: 'item 2 alone took longer than the time limit' },
    })
    expect(attemptsOf(jobs.id)).toHaveLength(made)
  })

  it('counts items that run at once, and no retry', async () => {
    const file = join(folder, 'at-once')
    const times = [30_000, 600, 601, 602, 603, 604]
    const jobs = nap
      .with({ cores: 2, coresPerItem: 1, retry: { retries: 1, on: ['timeout'], base: '100ms' } })
      .starmap(
        times.map((ms) => [ms, file]),
        { chunk: 6 },
      )
    const settled = await jobs.settled()
    expect(settled.map(({ status }) => status)).toEqual(['rejected', ...Array(5).fill('fulfilled')])
    // Once, and once more as its retry says.
    expect(runsOf(file).filter((one) => one === 30_000)).toHaveLength(2)
  })

  it('goes on once somebody follows the job again', async () => {
    const file = join(folder, 'followed')
    const jobs = nap.starmap(
      [2000, 2001, 2002, 2003].map((ms) => [ms, file]),
      { chunk: 4 },
    )
    await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(true)
    await jobs.detach()
    const end = `${workdir}/jobs/${jobs.id}/run.1.0/end`
    await expect.poll(() => existsSync(end), { timeout: 20_000 }).toBe(true)
    expect(await attach(jobs.id)).toEqual([2000, 2001, 2002, 2003])
    expect(runsOf(file).filter((ms) => ms === 2000)).toHaveLength(1)
    expect(attemptsOf(jobs.id).length).toBeGreaterThan(1)
  })

  it('gives up after two attempts that got nothing done', async () => {
    const file = join(folder, 'nothing')
    const jobs = nap.starmap(
      [20_000, 20_001, 20_002, 20_003].map((ms) => [ms, file]),
      { chunk: 4 },
    )
    const settled = await jobs.settled()
    expect(settled.map((one) => (one as PromiseRejectedResult).reason.status.reason)).toEqual(
      Array(4).fill('timeout'),
    )
    expect(runsOf(file)).toEqual([20_000, 20_001])
  })
})
