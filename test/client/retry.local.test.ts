import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  attach,
  checkpoint,
  close,
  cluster,
  configure,
  JobCanceledError,
  JobFailedError,
  lastCheckpoint,
  onWarning,
  warned,
} from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-retry-'))
const workdir = `${folder}/work`
let number = 0
/** A file that a job can count its runs in. */
const counter = () => join(folder, `count-${++number}`)
const countOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
const quick = { base: '100ms', backoff: 'fixed' } as const

class State {
  step = 0
  next() {
    return ++this.step
  }
}

beforeAll(() =>
  configure({
    profiles: { here: { scheduler: 'direct', workdir, keep: 'all', queryInterval: '1s' } },
    defaultProfile: 'here',
  }),
)
afterEach(close)
afterAll(() => removeFolder(folder))

describe('a call with retries', () => {
  it('is tried again after a reason that is named, under its own id, until it comes through', async () => {
    const file = counter()
    const flaky = cluster({ retry: { retries: 3, on: ['signal'], ...quick } }, async (path: string) => {
      const fs = await import('node:fs')
      fs.appendFileSync(path, 'run\n')
      if (fs.readFileSync(path, 'utf8').length < 12) process.kill(process.pid, 'SIGKILL')
      return 'came through'
    })
    const job = flaky(file)
    const states: string[] = []
    const watching = (async () => {
      for await (const { state, reason } of job.updates()) states.push(reason ? `${state}/${reason}` : state)
    })()
    expect(await job).toBe('came through')
    await watching
    expect(countOf(file)).toHaveLength(3)
    expect(states.filter((state) => state === 'QUEUED/requeued')).toHaveLength(2)
    expect(states.at(-1)).toBe('COMPLETED')
    const { attempts } = job
    expect(attempts.map(({ attempt, status }) => [attempt, status.state, status.reason])).toEqual([
      [1, 'FAILED', 'signal'],
      [2, 'FAILED', 'signal'],
      [3, 'COMPLETED', undefined],
    ])
    expect(new Set(attempts.map(({ nativeId }) => nativeId)).size).toBe(3)
    expect(
      readdirSync(`${workdir}/jobs/${job.id}`)
        .filter((name) => name.startsWith('submit'))
        .sort(),
    ).toEqual(['submit.1', 'submit.1001', 'submit.2001'])
    expect(await attach(job.id)).toBe('came through')
  })

  it('rejects with the last failure when there are no tries left', async () => {
    const file = counter()
    const job = cluster({ retry: { retries: 1, on: ['exit-code'], ...quick } }, async (path: string) => {
      const fs = await import('node:fs')
      fs.appendFileSync(path, 'run\n')
      process.exit(fs.readFileSync(path, 'utf8').length)
    })(file)
    const error = await job.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(JobFailedError)
    expect(error).toMatchObject({ status: { exitCode: 8 } })
    expect(countOf(file)).toHaveLength(2)
  })

  it('leaves exceptions alone unless asked', async () => {
    const file = counter()
    const fails = cluster({ retry: { retries: 2, ...quick } }, async (path: string, times: number) => {
      const fs = await import('node:fs')
      fs.appendFileSync(path, 'run\n')
      if (fs.readFileSync(path, 'utf8').length <= times * 4) throw new RangeError(`not yet`)
      return 'well'
    })
    await expect(fails(file, 1)).rejects.toThrow(RangeError)
    expect(countOf(file)).toHaveLength(1)
    const patient = fails.with({ retry: { retries: 2, on: ['exception'], ...quick } })
    expect(await patient(counter(), 2)).toBe('well')
    await expect(patient(counter(), 3)).rejects.toThrow('not yet')
  })

  it('grants more memory after an OOM where escalate says so', async () => {
    const heap = cluster({ memory: '60MB', retry: { retries: 2, escalate: { memory: 8 }, ...quick } }, () => {
      const all: string[][] = []
      for (let i = 0; i < 120; i++) all.push(Array.from({ length: 20_000 }, (_, n) => `${i} ${n}`))
      return all.length
    })
    const job = heap()
    expect(await job).toBe(120)
    expect(job.attempts.map(({ status, memory }) => [status.reason, memory! / 2 ** 20])).toEqual([
      ['out-of-memory', 60],
      [undefined, 480],
    ])
  })

  it('runs again only the members that failed, and of a chunk only the items without a result', async () => {
    const [all, dead] = [counter(), counter()]
    const work = cluster({ retry: { retries: 1, on: ['signal'], ...quick } }, async (n: number) => {
      const fs = await import('node:fs')
      fs.appendFileSync(all, `${n}\n`)
      if (n === 4 && !fs.existsSync(dead)) {
        fs.writeFileSync(dead, '')
        process.kill(process.pid, 'SIGKILL')
        await new Promise(() => setInterval(() => {}, 1000))
      }
      return n * n
    })
    const array = work.map([0, 1, 2, 3, 4, 5, 6, 7, 8], { chunk: 3 })
    expect(await array).toEqual([0, 1, 4, 9, 16, 25, 36, 49, 64])
    expect(countOf(all).map(Number).sort()).toEqual([0, 1, 2, 3, 4, 4, 5, 6, 7, 8])
    const { job } = await array.job(4)
    expect(job.attempts).toHaveLength(2)
    expect(readdirSync(`${workdir}/jobs/${array.id}`).filter((name) => name.startsWith('run.1001'))).toEqual([
      'run.1001.1',
    ])
  })

  it('is canceled while it waits for the next try', async () => {
    const job = cluster({ retry: { retries: 1, on: ['exit-code'], base: '60s' } }, () => process.exit(3))()
    for await (const { reason } of job.updates()) if (reason === 'requeued') break
    await job.cancel()
    await expect(job).rejects.toBeInstanceOf(JobCanceledError)
  })

  it('goes on when another process attaches after the first one died between two tries', async () => {
    const file = counter()
    const job = cluster(
      { retry: { retries: 1, on: ['exit-code'], base: '60s', cap: '100ms' } },
      async (path: string) => {
        const fs = await import('node:fs')
        fs.appendFileSync(path, 'run\n')
        if (fs.readFileSync(path, 'utf8').length < 8) process.exit(3)
        return 'second'
      },
    )(file)
    await job.detach()
    await close()
    expect(await attach(job.id)).toBe('second')
    const again = attach(job.id)
    expect(await again).toBe('second')
    expect(again.attempts.map(({ status }) => status.reason)).toEqual(['exit-code', undefined])
  })

  it('refuses what makes no sense, where it is written', () => {
    const make = (retry: unknown) => () => cluster({ retry: retry as number }, () => 1)
    expect(make(-1)).toThrow('retry: expected a whole number from 0, got -1')
    expect(make({ retrys: 1 })).toThrow(
      /retry\.retrys: there is no such setting[\s\S]*did you mean 'retries'/,
    )
    expect(make({ on: ['oom'] })).toThrow(/"oom" is no reason/)
    expect(make({ base: 'soon' })).toThrow(/retry\.base/)
    expect(make({ escalate: { memory: 1 } })).toThrow(/retry\.escalate\.memory: expected a factor above 1/)
    expect(make('often')).toThrow(/retry: expected a number, or a record/)
  })

  it('refuses a factor of what was not asked for', async () => {
    const job = cluster({ retry: { retries: 1, escalate: { time: 2 } } }, () => 1)()
    await expect(job).rejects.toThrow(/retry.escalate.time: the job asks for no time/)
  })
})

describe('retryFailed', () => {
  it('runs what failed again, and keeps the values that are here', async () => {
    const all = counter()
    const work = cluster(async (n: number) => {
      const fs = await import('node:fs')
      fs.appendFileSync(all, `${n}\n`)
      const runs = fs
        .readFileSync(all, 'utf8')
        .split('\n')
        .filter((line) => line === String(n)).length
      if (n % 3 === 1 && runs === 1) throw new Error(`not ${n}`)
      return n * n
    })
    const first = work.map([0, 1, 2, 3, 4, 5], { chunk: 2 })
    await expect(first).rejects.toThrow('2 of 6 items failed')
    const second = first.retryFailed()
    expect(await second).toEqual([0, 1, 4, 9, 16, 25])
    expect(second.id).toBe(first.id)
    expect(countOf(all).map(Number).sort()).toEqual([0, 1, 1, 2, 3, 4, 4, 5])
    const { job } = await second.job(4)
    expect(job.attempts.map(({ status }) => status.reason)).toEqual(['exception', undefined])
    expect(await second.retryFailed()).toEqual([0, 1, 4, 9, 16, 25])
    expect(await attach(first.id)).toEqual([0, 1, 4, 9, 16, 25])
  })

  it.each([
    ['over nothing', [], {}],
    ['whose calls the cache knows', [2, 3], { cache: true }],
  ])('has nothing to do for a map %s', async (_, items, options) => {
    const jobs = cluster(options, (n: number) => n * n).map(items)
    const values = await jobs
    expect(await jobs.retryFailed()).toEqual(values)
    await expect(jobs.retryFailed({ memory: 'much' })).rejects.toMatchObject({ code: 'UNIT_INVALID' })
  })
})

describe('a checkpoint', () => {
  it('is what the next attempt begins with, however the last one ended', async () => {
    const file = counter()
    const count = cluster({ retry: { retries: 3, on: ['signal'], ...quick } }, async (path: string) => {
      const fs = await import('node:fs')
      const state = lastCheckpoint<State>() ?? new State()
      for (let step = 0; step < 10; ) {
        step = state.next()
        fs.appendFileSync(path, `${step}\n`)
        checkpoint(state)
        if (step === 3 || step === 7) process.kill(process.pid, 'SIGKILL')
      }
      return lastCheckpoint<State>()!.next()
    })
    expect(await count(file)).toBe(11)
    expect(countOf(file).map(Number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  it('is saved at the warning before the time limit, and the next attempt goes on from there', async () => {
    const options = { time: '8s', signal: 'USR1@3', retry: { retries: 5, ...quick } } as const
    const job = cluster(options, async (turns: number) => {
      let turn = lastCheckpoint<number>() ?? 0
      onWarning(() => turn)
      for (; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 50))
      return turn
    })(120)
    expect(await job).toBe(120)
    expect(job.attempts.length).toBeGreaterThan(1)
    expect(job.attempts[0]).toMatchObject({ status: { state: 'FAILED', reason: 'timeout' } })
  })

  it('ends a loop that never waits at its next checkpoint after the warning', async () => {
    const options = { time: '8s', signal: 'USR1@3', retry: { retries: 5, ...quick } } as const
    const job = cluster(options, (turns: number) => {
      let turn = lastCheckpoint<number>() ?? 0
      for (; turn < turns; turn++) {
        for (const until = Date.now() + 50; Date.now() < until; );
        if (warned()) checkpoint(turn + 1)
      }
      return turn
    })(120)
    expect(await job).toBe(120)
    expect(job.attempts.length).toBeGreaterThan(1)
  })

  it('does nothing in a local run', async () => {
    const local = cluster(() => {
      onWarning(() => 1)
      checkpoint(1)
      return [lastCheckpoint(), warned()]
    })
    expect(await local.local()).toEqual([undefined, false])
  })
})
