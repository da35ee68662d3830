import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/client/result-file.ts'
import { attach, close, cluster, configure, openResult } from '../../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-files-'))
const { largeResult } = limits

class Field {
  constructor(readonly values: Float64Array) {}
}

const ramp = (length: number) => Float64Array.from({ length }, (_, at) => at)

beforeAll(() => {
  configure({
    profiles: {
      here: { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s', keep: 'all' },
    },
    defaultProfile: 'here',
  })
})
afterEach(() => {
  limits.largeResult = largeResult
})
afterAll(async () => {
  await close()
  rmSync(folder, { recursive: true, force: true })
})

const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith('farcall-result-'))

describe('a result as a file', () => {
  const make = cluster((length: number) => ({
    values: Float64Array.from({ length }, (_, at) => at),
    made: new Date(0),
  }))

  it('is copied from the place where it was left, and opened there', async () => {
    const wanted = join(folder, 'deep/below/large.result')
    const path = await make(500_000).result({ as: 'file', path: wanted })
    expect(path).toBe(wanted)
    expect(statSync(path).size).toBeGreaterThan(4_000_000)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(folder, 'deep/below'))).toEqual(['large.result'])
    expect(openResult(path)).toEqual({ values: ramp(500_000), made: new Date(0) })
  })

  it('is a file when it is small, too', async () => {
    const path = await make(2).result({ as: 'file', path: join(folder, 'small.result') })
    expect(openResult(path)).toEqual({ values: ramp(2), made: new Date(0) })
  })

  it('is called after its job, in the working directory, when nobody says otherwise', async () => {
    const jobs = [make(1), make(2)]
    const paths = await Promise.all(jobs.map((job) => job.result({ as: 'file' })))
    try {
      expect(paths).toEqual(jobs.map((job) => `${process.cwd()}/${job.id.replace(/\[(\d)\]/, '.$1')}.result`))
    } finally {
      for (const path of paths) rmSync(path)
    }
  })

  it('rejects with what the function threw, and leaves no file', async () => {
    const bad = cluster((size: number) => {
      throw Object.assign(new RangeError('bad'), { text: 'x'.repeat(size) })
    })
    for (const size of [1, 100_000]) {
      const path = join(folder, `bad-${size}.result`)
      const job = bad(size)
      await expect(job.result({ as: 'file', path })).rejects.toThrow(RangeError)
      await expect(job).rejects.toMatchObject({ message: 'bad' })
      expect([existsSync(path), existsSync(`${path}.partial`)]).toEqual([false, false])
    }
  })

  it('says to whoever waits for the value where it is', async () => {
    const job = make(3)
    const path = await job.result({ as: 'file', path: join(folder, 'named.result') })
    await expect(job).rejects.toMatchObject({
      code: 'RESULT_MISSING',
      message: expect.stringContaining(path),
    })
    expect(job.status().state).toBe('COMPLETED')
  })

  it('is refused when it is in memory already', async () => {
    const job = make(3)
    await job
    await expect(job.result({ as: 'file' })).rejects.toMatchObject({ code: 'RESULT_MISSING' })
  })

  it('says so when the file cannot be written', async () => {
    for (const length of [1, 100_000])
      await expect(
        make(length).result({ as: 'file', path: join(folder, 'small.result/inside') }),
      ).rejects.toMatchObject({
        code: 'RESULT_MISSING',
        cause: expect.objectContaining({ code: expect.stringMatching(/ENOTDIR|EEXIST/) }),
      })
  })

  it('is had again on another day', async () => {
    const job = make(50_000)
    await job
    const path = await attach(job.id).result({ as: 'file', path: join(folder, 'again.result') })
    expect(openResult(path)).toEqual({ values: ramp(50_000), made: new Date(0) })
  })
})

describe('a large result', () => {
  it('comes by way of a file that is gone afterwards, errors and classes of the program too', async () => {
    limits.largeResult = 100_000
    const before = temporary()
    const make = cluster((length: number) => {
      if (length < 0) throw Object.assign(new RangeError('negative'), { bytes: new Uint8Array(-length) })
      return [new Field(new Float64Array(length).fill(length))]
    })
    const [field] = await make(50_000)
    expect(field).toBeInstanceOf(Field)
    expect(field!.values).toEqual(new Float64Array(50_000).fill(50_000))
    await expect(make(-200_000)).rejects.toMatchObject({ name: 'RangeError', message: 'negative' })
    const all = await make.map([40_000, 1, 30_000], { chunk: 3 })
    expect(all.map(([each]) => each!.values.length)).toEqual([40_000, 1, 30_000])
    expect(temporary()).toEqual(before)
  })
})
