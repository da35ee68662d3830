import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, jobs, remote } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-plan-'))

beforeAll(() =>
  configure({
    store: `${folder}/store`,
    profiles: {
      here: { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s', concurrency: 2 },
      local: { workdir: `${folder}/local`, queryInterval: '1s' },
      // There is no such thing on this machine: what runs, runs elsewhere.
      lab: { scheduler: 'slurm', resources: { partition: 'short' }, localThreshold: 3 },
    },
    defaultProfile: 'here',
  }),
)
afterEach(close)
afterAll(() => removeFolder(folder))

const range = (n: number) => Array.from({ length: n }, (_, i) => i)

class Study {
  @cluster({ profile: 'lab' })
  static async simulate(n: number) {
    return n * n
  }
}

describe('map.plan', () => {
  it('knows how long an item takes once some have run, and packs by that', async () => {
    const quick = cluster((n: number) => n + 1)
    const before = await quick.map.plan(range(1000))
    expect(before).toMatchObject({
      items: 1000,
      chunk: 125,
      members: 8,
      atOnce: 2,
      waves: 4,
      profile: 'here',
    })
    expect(before.itemTime).toBeUndefined()
    expect(inspect(before)).toBe(String(before))
    expect(String(before)).toBe(
      [
        '1,000 items in 8 members',
        '  where     profile here (direct on local)',
        '  chunk     125 items, some for each core, to even out items of unequal length',
        '  an item   nobody knows: it has not run yet',
        '  a member  ?, 1 item at once',
        '  at once   2 members, 4 waves',
      ].join('\n'),
    )
    // So many that the time of one says little of how busy this machine is.
    await quick.map(range(5000))
    const after = await quick.map.plan(range(1000))
    expect(after).toMatchObject({ decidedBy: ['start'] })
    expect(after.members).toBeLessThan(8)
    expect(after.itemTime).toMatchObject({ from: 'history', profile: 'here' })

    await quick.map(range(1000))
    const [job] = await jobs({ limit: 1 })
    expect(job).toMatchObject({ items: 1000 })
    expect(job!.members).toBeLessThan(8)
  })

  it('measures the items of a member one by one, also those that run at once', async () => {
    const nap = cluster({ cores: 2, coresPerItem: 1 }, async (ms: number) => {
      const began = Date.now()
      await new Promise((resolve) => setTimeout(resolve, ms))
      return (Date.now() - began) / 1000
    })
    const took = await nap.map([200, 300, 200, 300], { chunk: 4 })
    const mean = took.reduce((sum, one) => sum + one) / 4
    const { itemTime, parallel, chunk, memberTime } = await nap.map.plan(range(100), { targetTime: 2 })
    expect(itemTime!.seconds).toBeGreaterThan(0.2)
    expect(itemTime!.seconds).toBeLessThan(mean + 0.2)
    expect(parallel).toBe(2)
    expect(chunk % 2).toBe(0)
    expect(memberTime).toBeLessThanOrEqual(2)
  })

  it('counts what any kind of inputs gives, and refuses what is none', async () => {
    const fn = cluster((n: number) => n)
    const counted = async function* () {
      yield* [1, 2, 3]
    }
    expect((await fn.map.plan(new Set([1, 2]))).items).toBe(2)
    expect((await fn.map.plan(counted())).items).toBe(3)
    expect((await fn.starmap.plan([[1], [2]])).items).toBe(2)
    expect(String(await fn.map.plan([]))).toBe('0 items in 0 members')
    await expect(fn.map.plan(5 as never)).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
    await expect(fn.map.plan([1], { targetTime: 'soon' as never })).rejects.toMatchObject({
      code: 'UNIT_INVALID',
    })
  })
})

describe('probe', () => {
  it('tries the first items here where nobody knows how long one takes, and plans by that', async () => {
    const runs = join(folder, 'probe')
    const tried = cluster({ profile: 'lab', probe: true, localThreshold: 0 }, async (_: number) => {
      const { appendFileSync } = await import('node:fs')
      appendFileSync(runs, 'run\n')
      await new Promise((resolve) => setTimeout(resolve, 300))
    })
    const before = await tried.map.plan(range(100))
    expect(before).toMatchObject({ members: 100, decidedBy: ['unknown'] })
    expect(before.notes).toEqual([
      expect.stringMatching(/^not known yet: the first 3 items run on this machine/),
    ])
    // There is no Slurm here to send it to.
    await expect(tried.map(range(100))).rejects.toMatchObject({ name: 'SubmitError' })
    expect(readFileSync(runs, 'utf8')).toBe('run\n'.repeat(3))
    const after = await tried.map.plan(range(100))
    expect(after).toMatchObject({
      decidedBy: ['spread'],
      notes: [],
      itemTime: { profile: 'local', measured: 3 },
    })
    expect(after.members).toBeLessThanOrEqual(8)
    // It is known now.
    await expect(tried.map(range(100))).rejects.toMatchObject({ name: 'SubmitError' })
    expect(readFileSync(runs, 'utf8')).toBe('run\n'.repeat(3))
  })

  it('is not done without being asked for, nor where what the function needs may be missing', async () => {
    const fn = cluster({ profile: 'lab' }, (n: number) => n)
    for (const options of [{}, { probe: true, gpus: 1 }, { probe: true, environment: { modules: ['gcc'] } }])
      expect((await fn.with({ localThreshold: 0, ...options }).map.plan(range(100))).notes).toEqual([])
  })
})

describe('localThreshold', () => {
  it('keeps a small map on this machine, and says so', async () => {
    const why = 'on this machine and not with profile lab: 3 items, localThreshold is 3'
    const plan = await remote(Study.simulate).map.plan(range(3))
    expect(plan).toMatchObject({ kept: true, profile: 'local', notes: [why] })
    const array = remote(Study.simulate).map(range(3))
    expect(await array).toEqual([0, 1, 4])
    const { job } = await array.job(0)
    expect(job.status()).toMatchObject({ state: 'COMPLETED', message: why })
    await close()
    const [record] = await jobs({ limit: 1 })
    expect(record).toMatchObject({ id: array.id, profile: 'local', provenance: { kept: why } })
  })

  it('sends a larger one, and one that needs what may not be here', async () => {
    const simulate = remote(Study.simulate)
    const large = await simulate.map.plan(range(4))
    expect(large).toMatchObject({ kept: false, profile: 'lab', notes: [] })
    const several = await simulate.map.plan(range(2500), { chunk: 1 })
    expect(several).toMatchObject({ chunk: 1, members: 2500, submissions: 3, decidedBy: ['chunk'] })
    expect(String(several)).toMatch(/^2,500 items in 2,500 members, 3 submissions\n/)
    const gpu = await simulate.with({ gpus: 1 }).map.plan(range(2))
    expect(gpu).toMatchObject({
      kept: false,
      notes: ['localThreshold does not keep it here: it asks for GPUs'],
    })
    await expect(simulate.map(range(4))).rejects.toMatchObject({ name: 'SubmitError' })
    await expect(simulate.map(range(2), { localThreshold: 0 })).rejects.toMatchObject({ name: 'SubmitError' })
  })
})
