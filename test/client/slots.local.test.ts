import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import {
  checkpoint,
  close,
  cluster,
  configure,
  currentTask,
  JobCanceledError,
  lastCheckpoint,
} from '../../src/index.ts'
import { isAlive } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-slots-'))

beforeAll(() =>
  configure({
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s' } },
    defaultProfile: 'here',
  }),
)
afterAll(async () => {
  await close()
  removeFolder(folder)
})

const items = (n: number) => Array.from({ length: n }, (_, i) => i)
const parallel = { cores: 2, coresPerItem: 1, memory: '1GB' } as const

describe('coresPerItem', () => {
  it('runs the items of a member at once in processes of their own, results in order', async () => {
    const begun = mkdtempSync(join(folder, 'begun-'))
    const look = cluster(parallel, async (n: number) => {
      const began = Date.now()
      process.chdir('/')
      // Until the other process has an item too.
      writeFileSync(`${begun}/${process.pid}`, '')
      while (readdirSync(begun).length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
      await new Promise((resolve) => setTimeout(resolve, 150))
      const { id, index, item, cores, memory, random } = currentTask()
      return {
        ...{ n, id, index, item, cores, memory, random: random(), pid: process.pid },
        ...{ began, ended: Date.now(), heap: process.execArgv.join(), sends: process.send === undefined },
      }
    })
    const jobs = look.map(items(6), { chunk: 6 })
    const seen = await jobs
    expect(seen.map(({ n, item }) => [n, item])).toEqual(items(6).map((n) => [n, n]))
    expect(new Set(seen.map(({ pid }) => pid)).size).toBe(2)
    expect(
      seen.every((one) => one.cores === 1 && one.memory === 2 ** 29 && one.index === 0 && one.sends),
    ).toBe(true)
    expect(seen.every(({ heap }) => heap === '--max-old-space-size=435')).toBe(true)
    const most = seen.map(({ began }) => seen.filter((one) => one.began <= began && began < one.ended).length)
    expect(Math.max(...most)).toBe(2)
    expect(seen.map(({ random }) => random)).toEqual(items(6).map((n) => seededRandom(jobs.id, n)()))
  })

  it('brings large results, errors with their lines, output and progress', async () => {
    const mixed = cluster(parallel, async (n: number) => {
      console.log(`item ${n} says`)
      if (n === 1) throw new RangeError(`no ${n}`)
      if (n === 2) return new Uint8Array(20 * 2 ** 20).fill(7)
      if (n === 3) {
        currentTask().progress(0.5, 'half')
        await new Promise((resolve) => setTimeout(resolve, 4_000))
      }
      return n
    })
    const jobs = mixed.map(items(4), { chunk: 4 })
    const { job } = await jobs.job(3)
    for await (const { progress } of job.updates()) {
      if (!progress) continue
      expect(progress).toMatchObject({ fraction: 0.5, message: 'half' })
      break
    }
    const settled = await jobs.settled()
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    expect((settled[1] as PromiseRejectedResult).reason.stack).toMatch(
      /RangeError: no 1\n.*slots\.local\.test\.ts:\d+:\d+/,
    )
    const large = (settled[2] as PromiseFulfilledResult<Uint8Array>).value
    expect([large.length, large.every((byte) => byte === 7)]).toEqual([20 * 2 ** 20, true])
    const lines: string[] = []
    for await (const line of job.logs()) lines.push(line)
    expect(lines.sort()).toEqual(items(4).map((n) => `item ${n} says`))
  })

  it('names the items whose process ended, and brings all others', async () => {
    const fatal = cluster(parallel, async (n: number) => {
      if (n === 1) process.exit(3)
      if (n === 4) process.kill(process.pid, 'SIGKILL')
      return n
    })
    const settled = await fatal.map(items(7), { chunk: 7 }).settled()
    expect(settled.map(({ status }) => status[0]).join('')).toBe('frffrff')
    const reasons = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason.message] : []))
    for (const reason of reasons) {
      expect(reason).toMatch(/item 1: process\.exit\(3\) was called/)
      expect(reason).toMatch(/item 4: its process was ended by SIGKILL/)
    }
  })

  it('tells a full heap, and tries again with more what was in it alone', async () => {
    const grow = cluster({ ...parallel, memory: '200MB' }, async (n: number) => {
      const { attempt } = currentTask()
      const all: unknown[] = []
      for (; n === 1 && attempt === 1; ) all.push({ list: [n, n, n] })
      return [n, attempt]
    })
    const plain = await grow.map(items(3), { chunk: 3 }).settled()
    expect(plain.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const { reason } = plain[1] as PromiseRejectedResult
    expect(reason).toMatchObject({ name: 'JobFailedError', reason: 'out-of-memory' })
    expect(reason.message).toMatch(/item 1: node's heap is full .*limit 85 MB/)
    const retry = { retries: 1, base: '1s', escalate: { memory: 2 } } as const
    expect(await grow.map(items(3), { chunk: 3, retry })).toEqual([
      [0, 1],
      [1, 2],
      [2, 1],
    ])
  })

  it('keeps checkpoints apart by item, and goes on after a warning', async () => {
    const count = cluster(
      { ...parallel, time: '8s', signal: 'USR1@4', retry: { retries: 3, base: '1s' } },
      async (n: number) => {
        let turn = lastCheckpoint<number>() ?? 0
        const from = turn
        // The first time it goes on until it is warned.
        for (; from === 0 || turn < from + 5; turn++) {
          checkpoint(turn)
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
        return [n, from > 0, currentTask().attempt > 1]
      },
    )
    expect(await count.map(items(2), { chunk: 2 })).toEqual([
      [0, true, true],
      [1, true, true],
    ])
  })

  it('gives each item a working directory of its own, and brings what it left there', async () => {
    const before = process.cwd()
    process.chdir(folder)
    try {
      const write = cluster({ ...parallel, stage: { out: ['*.txt'] } }, async (n: number) => {
        writeFileSync(`n${n}.txt`, `of ${n}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
        return readdirSync('.')
      })
      const seen = await write.map(items(4), { chunk: 4 })
      expect(seen).toEqual(items(4).map((n) => [`n${n}.txt`]))
      expect(items(4).map((n) => readFileSync(`${n}/n${n}.txt`, 'utf8'))).toEqual(
        items(4).map((n) => `of ${n}`),
      )
    } finally {
      process.chdir(before)
    }
  })

  it('is canceled, and leaves no process behind', async () => {
    const sleep = cluster(parallel, async (_: number) => {
      console.log(process.pid)
      await new Promise((resolve) => setTimeout(resolve, 600_000))
    })
    const jobs = sleep.map(items(2), { chunk: 2 })
    jobs.catch(() => {})
    const { job } = await jobs.job(0)
    const pids: number[] = []
    for await (const line of job.logs({ follow: true })) if (pids.push(Number(line)) === 2) break
    await jobs.cancel()
    await expect(jobs).rejects.toBeInstanceOf(JobCanceledError)
    await expect.poll(() => pids.filter(isAlive), { timeout: 30_000 }).toEqual([])
  })

  it('refuses what has no room', async () => {
    await expect(cluster({ cores: 2, coresPerItem: 4 }, () => 1)()).rejects.toThrow(
      'coresPerItem: an item needs 4, and cores is 2',
    )
    await expect(cluster({ gpusPerItem: 1 }, () => 1)()).rejects.toThrow(
      'gpusPerItem: an item needs 1, and gpus says nothing',
    )
    expect(() => cluster({ coresPerItem: 0 }, () => 1)).toThrow(
      'coresPerItem: expected a whole number from 1',
    )
  })
})
