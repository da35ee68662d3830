import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure, jobs } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-cached-'))
const place = { workdir: `${folder}/work`, store: `${folder}/store` }
const env = {
  FARCALL_SCHEDULER: 'direct',
  FARCALL_WORKDIR: place.workdir,
  FARCALL_QUERY_INTERVAL: '1s',
  FARCALL_STORE: place.store,
}

beforeAll(() => {
  const here = { scheduler: 'direct', workdir: place.workdir, queryInterval: '1s' } as const
  configure({ store: place.store, profiles: { here }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

const file = (name: string) => join(folder, name)
const runs = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').length : 0)

class Point {
  readonly x: number
  constructor(x: number) {
    this.x = x
  }
  double(): number {
    return 2 * this.x
  }
}

describe('a call with cache', () => {
  const noted = cluster({ cache: true }, async (path: string, n: number) => {
    const { appendFileSync } = await import('node:fs')
    appendFileSync(path, `${n}\n`)
    await new Promise((resolve) => setTimeout(resolve, 200))
    if (n < 0) throw new RangeError(`${n} is negative`)
    return n * n
  })

  it('runs once: at the same moment, and later', async () => {
    const path = file('once')
    expect(await Promise.all([noted(path, 3), noted(path, 3)])).toEqual([9, 9])
    const again = noted(path, 3)
    expect(await again).toBe(9)
    expect(again.status().state).toBe('COMPLETED')
    expect(await noted(path, 4)).toBe(16)
    expect(runs(path)).toBe(2)
  })

  it('goes by arguments, captured values, code and environment, not by resources', async () => {
    const path = file('key')
    const with_ = (k: number) =>
      cluster({ cache: true }, async (to: string) => {
        ;(await import('node:fs')).appendFileSync(to, 'x\n')
        return k
      })
    expect(await with_(1)(path)).toBe(1)
    expect(await with_(2)(path)).toBe(2)
    expect(await with_(1).with({ memory: '100MB', time: '5m', tags: ['other'] })(path)).toBe(1)
    expect(runs(path)).toBe(2)
    await with_(1).with({ environment: { variables: { A: '1' } } })(path)
    expect(runs(path)).toBe(3)
  })

  it('of a map submits what is not known, and gives all in order', async () => {
    const path = file('map')
    const calls = (numbers: readonly number[]) => numbers.map((n): [string, number] => [path, n])
    expect(await noted.starmap(calls([1, 2, 3]))).toEqual([1, 4, 9])
    const more = noted.starmap(calls([5, 1, 2, 2, 3, 6, 5]))
    expect(await more).toEqual([25, 1, 4, 4, 9, 36, 25])
    expect(more.progress).toMatchObject({ total: 7, done: 7 })
    expect(runs(path)).toBe(5)
    const [latest] = await jobs({ limit: 1 })
    expect(latest).toMatchObject({ id: more.id, items: 2 })
  })

  it('is run again by force, and what that gives is kept', async () => {
    const path = file('force')
    const random = cluster({ cache: true }, async (to: string) => {
      ;(await import('node:fs')).appendFileSync(to, 'x\n')
      return Math.random()
    })
    const first = await random(path)
    const second = await random.with({ force: true })(path)
    expect(second).not.toBe(first)
    expect(await random(path)).toBe(second)
    expect(runs(path)).toBe(2)
  })

  it('that failed is run again; who waited for it is told', async () => {
    const path = file('errors')
    const both = await Promise.allSettled([noted(path, -1), noted(path, -1)])
    for (const result of both)
      expect(result).toMatchObject({ status: 'rejected', reason: { message: '-1 is negative' } })
    expect(runs(path)).toBe(1)
    await expect(noted(path, -1)).rejects.toThrow(new RangeError('-1 is negative'))
    expect(runs(path)).toBe(2)
  })

  it('tells its tries, when it was tried; none where another job answered it', async () => {
    const path = file('tries')
    const flaky = noted.with({ retry: { retries: 1, on: ['exception'], base: '50ms', backoff: 'fixed' } })
    const job = flaky(path, -1)
    await expect(job).rejects.toThrow('is negative')
    expect(job.attempts.map(({ attempt, status }) => [attempt, status.reason])).toEqual([
      [1, 'exception'],
      [2, 'exception'],
    ])
    const [first, second] = [flaky(path, 5), flaky(path, 5)]
    await Promise.all([first, second])
    expect([first.attempts.length, second.attempts.length].sort()).toEqual([0, 1])
    expect(runs(path)).toBe(3)
  })

  it('gives instances of classes of this program, and large values', async () => {
    const make = cluster({ cache: true }, (x: number) => ({
      point: new Point(x),
      field: new Float64Array(100_000).fill(x),
    }))
    for (let time = 0; time < 2; time++) {
      const { point, field } = await make(21)
      expect(point).toBeInstanceOf(Point)
      expect(point.double()).toBe(42)
      expect(field.length).toBe(100_000)
      expect(field[99_999]).toBe(21)
      await close()
    }
  })
})

describe('two programs that make the same call', () => {
  it('at the same moment: one job, both have its result', { timeout: 120_000 }, async () => {
    const path = file('two')
    const programs = [1, 2, 3].map(() => runProgram('killed.ts', [path], env))
    for (const program of programs) {
      await program.line()
      expect({ value: await program.line(), stderr: program.stderr() }).toEqual({
        value: JSON.stringify({ answer: 42 }),
        stderr: '',
      })
      expect(await program.ended).toMatchObject({ code: 0 })
    }
    expect(runs(path)).toBe(1)
  })
})

describe('the record of jobs', () => {
  it('lists them, with tags, states and times', async () => {
    const job = cluster({ tags: ['thesis', 'b'], name: 'listed' }, () => 1)()
    await job
    const [first, ...others] = await jobs({ tag: 'thesis' })
    expect(others).toEqual([])
    expect(first).toMatchObject({
      id: job.id,
      nativeId: job.nativeId,
      name: 'listed',
      profile: 'here',
      tags: ['thesis', 'b'],
      items: 1,
      status: { state: 'COMPLETED' },
    })
    expect(first!.createdAt).toBeLessThanOrEqual(first!.submittedAt!)
    expect(first!.submittedAt).toBeLessThanOrEqual(first!.endedAt!)
    expect(await jobs({ state: 'FAILED', tag: 'thesis' })).toEqual([])
  })

  it('is what attach goes by, whatever is configured where it is called', { timeout: 120_000 }, async () => {
    const job = cluster({ profile: 'here' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500))
      return 'there'
    })()
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    const { id } = job
    await job.detach()
    await close()
    const before = process.cwd()
    configure({ store: place.store, profiles: { here: { scheduler: 'slurm' } }, defaultProfile: 'local' })
    process.chdir(tmpdir())
    try {
      expect(await attach(id)).toBe('there')
    } finally {
      process.chdir(before)
      const here = { scheduler: 'direct', workdir: place.workdir, queryInterval: '1s' } as const
      configure({ store: place.store, profiles: { here }, defaultProfile: 'here' })
    }
  })

  it('is begun anew when it is damaged: a program says so, and has its result', {
    timeout: 60_000,
  }, async () => {
    const store = file('damaged')
    mkdirSync(join(store, 'index'), { recursive: true, mode: 0o700 })
    writeFileSync(join(store, 'index', 'store.db'), 'no database at all, for some pages '.repeat(1000))
    const program = runProgram('killed.ts', [file('damaged-runs')], { ...env, FARCALL_STORE: store })
    await program.line()
    expect(await program.line()).toBe(JSON.stringify({ answer: 42 }))
    expect(await program.ended).toMatchObject({ code: 0 })
    expect(program.stderr()).toMatch(/damaged/)
    expect(readdirSync(store).filter((name) => name.includes('damaged'))).toHaveLength(1)
  })
})
