import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure, currentTask, remote } from '../../src/index.ts'
import { until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { startProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-stream-'))
const workdir = `${folder}/work`

beforeAll(() => {
  configure({
    profiles: { here: { scheduler: 'direct', workdir, queryInterval: '1s' } },
    defaultProfile: 'here',
  })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

async function all<Y>(stream: AsyncIterable<Y>): Promise<Y[]> {
  const values: Y[] = []
  for await (const value of stream) values.push(value)
  return values
}
const row = (length: number) => Array.from({ length }, (_, n) => n)

const counting = cluster(async function* (to: number, ms: number) {
  for (let n = 0; n < to; n++) {
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    yield n
  }
  return `${to} counted`
})

class Study {
  factor = 3

  @cluster()
  static async *plain(n: number) {
    yield n
    yield n + 1
  }

  @cluster()
  async *scaled(n: number) {
    for (let i = 0; i < n; i++) yield i * this.factor
    return this.factor
  }
}

describe('a generator function that runs elsewhere', () => {
  it('gives each value while it runs, in order, and its result last', async () => {
    // Never so far ahead that it has ended before the fifth is read.
    const stream = counting.with({ window: { items: 1 } })(8, 150)
    const states: string[] = []
    const values: number[] = []
    for await (const value of stream) {
      values.push(value)
      states.push(stream.status().state)
    }
    expect(values).toEqual(row(8))
    expect(states.slice(0, 4)).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE'])
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(await stream.result).toBe('8 counted')
    expect(stream).not.toHaveProperty('then')
    expect([stream.id, stream.nativeId]).toEqual([expect.stringMatching(/^f/), expect.stringMatching(/./)])
    expect(stream.attempts).toHaveLength(1)
    expect((await stream.usage()).time.used).toBeGreaterThan(1)
  })

  it('gives the last result of next(), as a generator does', async () => {
    const stream = counting(1, 0)
    expect(await Promise.all([stream.next(), stream.next(), stream.next()])).toEqual([
      { done: false, value: 0 },
      { done: true, value: '1 counted' },
      { done: true, value: undefined },
    ])
  })

  it('carries small and large values, plain and not, of a sync generator too', async () => {
    const mixed = cluster(function* (size: number) {
      yield 'small'
      yield new Float64Array(size).fill(0.25)
      yield new Map([['date', new Date(0)]])
      yield Promise.resolve(currentTask().item)
      yield undefined
    })
    const [small, large, map, item, nothing, ...rest] = await all(mixed(2_000_000))
    expect(small).toBe('small')
    expect(
      Buffer.compare(
        Buffer.from((large as Float64Array).buffer),
        Buffer.from(new Float64Array(2_000_000).fill(0.25).buffer),
      ),
    ).toBe(0)
    expect([map, item, nothing, rest]).toEqual([new Map([['date', new Date(0)]]), 0, undefined, []])
  })

  it('of a decorated method, static or not, with its own this', async () => {
    expect(await all(Study.plain(4))).toEqual([4, 5])
    const study = new Study()
    expect(await all(study.scaled(3))).toEqual([0, 3, 6])
    const stream = remote(study, 'scaled')(2)
    expect(await all(stream)).toEqual([0, 3])
    expect(await stream.result).toBe(3)
    expect(await all(remote(study, 'scaled').local(2) as AsyncGenerator<number>)).toEqual([0, 3])
  })

  it('throws what it threw after the values before that, with the line', async () => {
    const fails = cluster(function* () {
      yield 1
      yield 2
      throw new RangeError('after two')
    })
    const stream = fails()
    const values: number[] = []
    const error = await (async () => {
      for await (const value of stream) values.push(value)
    })().catch((thrown) => thrown)
    expect(values).toEqual([1, 2])
    expect(error).toBeInstanceOf(RangeError)
    expect(error.stack).toContain('stream.local.test.ts:')
    await expect(stream.result).rejects.toBe(error)
  })

  it('of a process that is killed gives what it yielded, and then how it ended', async () => {
    const dies = cluster(async function* () {
      for (let n = 0; n < 5; n++) yield n
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => setInterval(() => {}, 1000))
    })
    const values: number[] = []
    const error = await (async () => {
      for await (const value of dies()) values.push(value)
    })().catch((thrown) => thrown)
    expect(values).toEqual(row(5))
    expect(error).toMatchObject({ code: 'JOB_FAILED', status: { reason: 'signal' } })
  })

  it('refuses a value that cannot travel by its number, and lets the function clean up', async () => {
    const marker = join(folder, 'cleaned')
    const refuses = cluster(async function* (path: string) {
      const { writeFileSync } = await import('node:fs')
      try {
        yield 1
        yield { callback: () => 1 } as unknown
      } finally {
        writeFileSync(path, '')
      }
    })
    const stream = refuses(marker)
    expect((await stream.next()).value).toBe(1)
    await expect(stream.next()).rejects.toMatchObject({
      code: 'VALUE_REFUSED',
      message: expect.stringContaining('yielded[1].callback'),
    })
    expect(existsSync(marker)).toBe(true)
  })

  it('ends the job when the loop is left, by break, return() or throw()', async () => {
    for (const leave of ['break', 'return', 'throw'] as const) {
      const stream = counting(1_000_000, 20)
      if (leave === 'break') for await (const _ of stream) break
      else await stream.next()
      if (leave === 'return') expect(await stream.return('early')).toEqual({ done: true, value: 'early' })
      if (leave === 'throw') await expect(stream.throw(new Error('mine'))).rejects.toThrow('mine')
      await expect(stream.result).rejects.toMatchObject({ code: 'JOB_CANCELED' })
      expect(stream.status()).toMatchObject({ state: 'CANCELED', reason: 'by-user' })
      expect(await stream.next()).toEqual({ done: true, value: undefined })
    }
  })

  it('tells who waits for a value that it was canceled', async () => {
    const stream = counting(10, 60_000)
    const waiting = stream.next().catch((error) => error)
    for await (const { state } of stream.updates()) if (state === 'ACTIVE') break
    await stream.cancel('enough')
    expect(await waiting).toMatchObject({ code: 'JOB_CANCELED', cause: 'enough' })
  })

  it('is as far ahead of who reads it as the window says', async () => {
    const notes = join(folder, 'ahead')
    const noting = cluster({ window: { items: 4 } }, async function* (path: string) {
      const { writeFileSync } = await import('node:fs')
      for (let n = 0; n < 40; n++) {
        writeFileSync(path, String(n + 1))
        yield n
      }
    })
    const { readFileSync } = await import('node:fs')
    const stream = noting(notes)
    const yielded = () => (existsSync(notes) ? Number(readFileSync(notes, 'utf8')) : 0)
    const most: number[] = []
    for (let n = 0; n < 40; n++) {
      expect((await stream.next()).value).toBe(n)
      most.push(yielded() - n)
      if (n === 9) {
        expect(await until(() => yielded() >= 14, 30_000)).toBe(true)
        await new Promise((resolve) => setTimeout(resolve, 300))
        most.push(yielded() - n)
      }
    }
    expect(Math.max(...most)).toBeLessThanOrEqual(6)
    expect((await stream.next()).done).toBe(true)
  })

  it('needs no reader when its result alone is wanted', async () => {
    const stream = counting.with({ window: { items: 3 } })(50, 0)
    expect(await stream.result).toBe('50 counted')
    // nor does that keep anybody from reading
    expect(await all(stream)).toEqual(row(50))
  })

  it('several at once, read in any order', async () => {
    const streams = row(6).map((n) => counting(5 + n, 10))
    const read = await Promise.all(streams.reverse().map(all))
    expect(read.map((values) => values.length)).toEqual([10, 9, 8, 7, 6, 5])
  })

  it('10,000 values come whole and in order, each once', async () => {
    const values = await all(counting(10_000, 0))
    expect(values).toEqual(row(10_000))
  })

  it('takes a job as an argument, whose value it is there', async () => {
    const half = cluster((n: number) => n / 2)
    expect(await all(counting(half(6), 0))).toEqual(row(3))
  })

  it('runs here by local(), as the generator that it is', async () => {
    const local = cluster(function* (n: number) {
      yield currentTask().id
      return n
    }).local(3) as Generator<string, number, void>
    expect([local.next(), local.next()]).toEqual([
      { done: false, value: 'local' },
      { done: true, value: 3 },
    ])
  })
})

describe('attach to a stream', () => {
  it('reads from the first value on, of one whose program was killed, while it waits for a reader', async () => {
    const program = await startProgram('stream.ts', [], {
      FARCALL_SCHEDULER: 'direct',
      FARCALL_WORKDIR: workdir,
    })
    await program.kill()
    const stream = attach<number, string>(program.firstLine, { stream: true })
    expect(await all(stream)).toEqual(row(60))
    expect(await stream.result).toBe('all of them')
  })

  it('gives what it returns without a reader, and the values after it has ended', async () => {
    const stream = counting.with({ window: { items: 3 } })(30, 5)
    await stream.next()
    const { id } = stream
    await stream.detach()
    expect(await attach(id)).toBe('30 counted')
    expect(await all(attach<number>(id, { stream: true }))).toEqual(row(30))
  })

  it('says so of what is no stream, and of several', async () => {
    const job = cluster(() => 1)()
    await job
    const plain = attach(job.id, { stream: true })
    await expect(plain.next()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('no stream'),
    })
    const two = [counting(2, 0), counting(3, 0)]
    await Promise.all(two.map(all))
    const [id] = two[0]!.id.split('[')
    await expect(attach(id!, { stream: true }).next()).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    expect(await all(attach<number>(`${id}[1]`, { stream: true }))).toEqual(row(3))
  })
})

describe('what is no way to use a stream is refused by name', () => {
  it('at the call', () => {
    expect(() => (counting as never as { map(of: unknown): void }).map([1])).toThrow(
      /map: counting is a generator|map: the function is a generator/,
    )
    expect(() => cluster({ window: { item: 1 } as never }, function* () {})).toThrow(/window.item/)
    expect(() => cluster({ window: { items: 0 } }, function* () {})).toThrow(/window.items/)
    expect(() => cluster({ window: { memory: 'much' } }, function* () {})).toThrow(/window.memory/)
  })

  it('when it is called, or read', async () => {
    const cached = cluster({ cache: true }, function* () {})()
    await expect(cached.next()).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(cluster({ window: {} }, () => 1)()).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    const stream = counting(1, 0)
    await expect((stream as AsyncGenerator<number, string, number>).next(5)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    expect(await all(stream)).toEqual([0])
    const total = cluster((given: unknown) => String(given))
    await expect(total(stream)).rejects.toThrow('call.args[0]: a JobStream cannot travel')
    const returned = cluster(() => (function* () {})())
    await expect(Promise.resolve(returned())).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
  })
})
