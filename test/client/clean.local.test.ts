import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { attach, clean, close, cluster, configure, type Job } from '../../src/index.ts'
import { isAlive } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { age, ageTree, blobsIn, has, isFresh } from './clean.ts'
import { failure } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-clean-'))
const workdir = `${folder}/work`
const disk = `${folder}/disk`
const place = { scheduler: 'direct', workdir, queryInterval: '1s' } as const
const small = { ...place, workdir: `${disk}/place` }

beforeAll(() =>
  configure({
    profiles: {
      here: place,
      all: { ...place, keep: 'all' },
      small: { ...small, minFree: '3MB' },
      full: small,
    },
    defaultProfile: 'here',
  }),
)
afterEach(close)
afterAll(() => removeFolder(folder))

const fail = cluster((): number => {
  throw new RangeError('no')
})
const failed = async () => {
  const job = fail()
  await expect(job).rejects.toThrow(RangeError)
  await close()
  return job.id
}

/** Its end is there, and its processes, which may live a moment longer, write no more. */
async function isOver({ id, nativeId }: Job<unknown>): Promise<void> {
  const leader = Number(nativeId!.split(':')[2])
  const over = () => has(workdir, `jobs/${id}/run.1.0/end`) && !isAlive(leader)
  await expect.poll(over, { timeout: 20_000 }).toBe(true)
}

describe('clean()', () => {
  it('removes a failed job a week after it was collected, and says so before on request', async () => {
    const id = await failed()
    expect(has(workdir, `jobs/${id}/collected`)).toBe(true)
    expect((await clean()).jobs).toEqual([])
    age(workdir, 8, `jobs/${id}/collected`)
    expect((await clean({ dryRun: true })).jobs).toEqual([id])
    expect(has(workdir, `jobs/${id}`)).toBe(true)
    const { jobs, bytes } = await clean()
    expect(jobs).toEqual([id])
    expect(bytes).toBeGreaterThan(1000)
    expect(has(workdir, `jobs/${id}`)).toBe(false)
  })

  it("leaves what keep: 'all' kept until it is told how old is too old", async () => {
    const job = cluster({ profile: 'all' }, (n: number) => n + 1)(1)
    expect(await job).toBe(2)
    await close()
    expect(has(workdir, `jobs/${job.id}/kept`)).toBe(true)
    age(workdir, 300, `jobs/${job.id}/kept`)
    expect((await clean()).jobs).toEqual([])
    expect((await clean({ olderThan: '200d' })).jobs).toEqual([job.id])
  })

  it('leaves what nobody has collected, and on request only what runs or is young', async () => {
    const quick = cluster((n: number) => n)
    const slow = cluster(() => new Promise<number>((resolve) => setTimeout(resolve, 600_000, 1)))
    const [done, runs] = [quick(7), slow()]
    for (const job of [done, runs]) {
      for await (const { state } of job.updates()) if (state !== 'NEW' && state !== 'QUEUED') break
      await job.detach()
    }
    await isOver(done)
    await close()
    for (const id of [done.id, runs.id]) ageTree(workdir, 400, `jobs/${id}`)
    expect(has(workdir, `jobs/${done.id}/collected`)).toBe(false)
    expect((await clean({ olderThan: '1d' })).jobs).toEqual([])
    expect((await clean({ uncollected: true, olderThan: '500d' })).jobs).toEqual([])
    expect((await clean({ uncollected: true, olderThan: '30d', dryRun: true })).jobs).toEqual([done.id])
    // It is there for whoever comes late; then it is collected, and its folder goes.
    expect(await attach(done.id)).toBe(7)
    await close()
    expect((await clean({ uncollected: true, olderThan: '30d' })).jobs).toEqual([])
    const again = attach(runs.id)
    again.catch(() => {})
    await again.cancel()
    await again.catch(() => {})
    await close()
    // What was canceled is nothing to keep.
    expect(has(workdir, `jobs/${runs.id}`)).toBe(false)
  })

  it('takes uncollected jobs whose spec is damaged too, when the queue has them no longer', async () => {
    const quick = cluster((n: number) => n)
    const slow = cluster(() => new Promise<number>((resolve) => setTimeout(resolve, 600_000, 1)))
    const [done, runs] = [quick(7), slow()]
    for (const job of [done, runs]) {
      for await (const { state } of job.updates()) if (state !== 'NEW' && state !== 'QUEUED') break
      await job.detach()
    }
    await isOver(done)
    await close()
    const spec = readFileSync(join(workdir, 'jobs', runs.id, 'spec.json'))
    for (const { id } of [done, runs]) {
      writeFileSync(join(workdir, 'jobs', id, 'spec.json'), spec.subarray(0, 100))
      ageTree(workdir, 400, `jobs/${id}`)
    }
    expect((await clean({ uncollected: true, olderThan: '30d' })).jobs).toEqual([done.id])
    expect(has(workdir, `jobs/${runs.id}`)).toBe(true)
    writeFileSync(join(workdir, 'jobs', runs.id, 'spec.json'), spec)
    const again = attach(runs.id)
    again.catch(() => {})
    await again.cancel()
    await again.catch(() => {})
  })

  it('refuses to take uncollected jobs without an age, and ages that are none', async () => {
    await failure(clean({ uncollected: true }), {
      name: 'ConfigError',
      code: 'OPTION_INVALID',
      message: /olderThan/,
    })
    await failure(clean({ olderThan: 'old' }), {
      name: 'ConfigError',
      code: 'UNIT_INVALID',
      message: /olderThan/,
    })
  })

  it('happens once a day when a program ends', async () => {
    const id = await failed()
    age(workdir, 8, `jobs/${id}/collected`)
    await failed()
    expect(has(workdir, `jobs/${id}`)).toBe(true)
    age(workdir, 2, 'clean/stamp')
    await failed()
    expect(has(workdir, `jobs/${id}`)).toBe(false)
    expect(isFresh(workdir, 'clean/stamp')).toBe(true)
  })

  it('counts from the last time that a job was collected', async () => {
    const id = await failed()
    age(workdir, 6, `jobs/${id}/collected`)
    const again = attach(id)
    await expect(again).rejects.toThrow(RangeError)
    await close()
    expect(isFresh(workdir, `jobs/${id}/collected`)).toBe(true)
  })

  it('takes no blob from a job that is being submitted', { timeout: 120_000 }, async () => {
    for (const name of blobsIn(workdir)) age(workdir, 90, `blobs/${name}`)
    let removed = 0
    for (let round = 0; round < 12; round++) {
      const add = cluster((n: number) => n + 1)
      const jobs = [0, 1, 2].map(async (n) => {
        await new Promise((resolve) => setTimeout(resolve, 12 * n + 5 * round))
        return add(n)
      })
      const cleaned = clean()
      expect(await Promise.all(jobs)).toEqual([1, 2, 3])
      removed += (await cleaned).blobs.length
      await close()
      for (const name of blobsIn(workdir)) age(workdir, 90, `blobs/${name}`)
    }
    expect(removed).toBeGreaterThan(0)
    expect(readdirSync(`${workdir}/blobs`).filter((name) => name.startsWith('.'))).toEqual([])
  })
})

describe.runIf(process.getuid?.() === 0)('on a disk that is nearly full', () => {
  beforeAll(() => {
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=700', 'tmpfs', disk])
  })
  // What ended a moment ago may still have a folder open there.
  afterAll(() => execFileSync('umount', ['-l', disk]))
  afterEach(() => rmSync(`${disk}/filler`, { force: true }))
  const fill = (megabytes: number) => writeFileSync(`${disk}/filler`, Buffer.alloc(megabytes * 2 ** 20))
  const add = cluster({ profile: 'small' }, (n: number) => n + 1)

  it('nothing is submitted, and the error says what to do', async () => {
    fill(14)
    const expected = {
      name: 'SubmitError',
      code: 'DISK_LOW',
      message: /\d+ (MB|KB) \(\d+\.\d %\) are free .* 3 MB must be/,
    }
    await failure(add(1), { ...expected, hint: /minFree/ })
    expect(readdirSync(`${disk}/place/jobs`)).toEqual([])
    rmSync(`${disk}/filler`)
    expect(await add(1)).toBe(2)
  })

  it('old work goes first', async () => {
    const old = 'faaaaaaaaaaaaa'
    const young = 'fbbbbbbbbbbbbb'
    for (const id of [old, young]) {
      mkdirSync(`${disk}/place/jobs/${id}`, { recursive: true })
      writeFileSync(`${disk}/place/jobs/${id}/collected`, '')
    }
    writeFileSync(`${disk}/place/jobs/${old}/out.pack`, Buffer.alloc(5 * 2 ** 20))
    age(`${disk}/place`, 0.1, `jobs/${old}/collected`)
    fill(9)
    expect(await add(1)).toBe(2)
    expect(has(`${disk}/place`, `jobs/${old}`)).toBe(false)
    expect(has(`${disk}/place`, `jobs/${young}`)).toBe(true)
  })

  it('2 % and 1 GB are the default', async () => {
    const plain = cluster({ profile: 'full' }, (n: number) => n + 1)
    fill(14)
    expect(await plain(1)).toBe(2)
    execFileSync('sh', ['-c', 'dd if=/dev/zero of="$1" bs=64k 2>/dev/null || :', 'sh', `${disk}/filler`])
    await failure(plain(1), { name: 'SubmitError', code: 'DISK_LOW', message: /1 GB or 2 % must be/ })
  })
})
