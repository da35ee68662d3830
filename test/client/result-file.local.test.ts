import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/client/outcome/result-file.ts'
import { attach, close, cluster, configure, openResult } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

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
  removeFolder(folder)
})

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

  it('is written afterwards from the files of the job, or else from the value', async () => {
    const job = make(3)
    const value = await job
    value.values[0] = 7
    const path = await job.result({ as: 'file', path: join(folder, 'late.result') })
    expect(openResult(path)).toEqual({ values: ramp(3), made: new Date(0) })

    const study = cluster((length: number) => [new Field(ramp(length)), { of: 'study' }] as const)
    const gone = study(4)
    await gone
    removeFolder(join(folder, 'work/jobs', gone.id))
    const again = await gone.result({ as: 'file', path: join(folder, 'value.result') })
    expect(openResult(again, { classes: [Field] })).toEqual([new Field(ramp(4)), { of: 'study' }])
  })

  it('may be tried again with another path', async () => {
    const job = make(3)
    await job
    const bad = job.result({ as: 'file', path: join(folder, 'small.result/inside') })
    await expect(bad).rejects.toMatchObject({ code: 'RESULT_MISSING', message: /cannot be written/ })
    const path = await job.result({ as: 'file', path: join(folder, 'other.result') })
    expect(openResult(path)).toEqual({ values: ramp(3), made: new Date(0) })
  })

  it('that was not asked for in time says why it cannot be had of a job that failed', async () => {
    const job = cluster(() => {
      throw new RangeError('bad')
    })()
    await expect(job).rejects.toThrow(RangeError)
    await expect(job.result({ as: 'file' })).rejects.toThrow(RangeError)
  })

  it('holds instances of classes, which are named when it is opened', async () => {
    const study = cluster((length: number) => new Map([['field', new Field(ramp(length))]]))
    const path = await study(5).result({ as: 'file', path: join(folder, 'study.result') })
    const back = openResult<Map<string, Field>>(path, { classes: [Field] })
    expect(back.get('field')).toBeInstanceOf(Field)
    expect(back).toEqual(new Map([['field', new Field(ramp(5))]]))
    expect(() => openResult(path)).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        message: expect.stringContaining('an instance of Field'),
        hint: 'openResult(path, { classes: [Field] })',
      }),
    )
    expect(() => openResult(path, { classes: [Field, Field] })).toThrow(/two of the classes/)
  })

  it('is one for each item of a map, in their order, written at once or afterwards', async () => {
    const below = join(folder, 'each')
    const jobs = make.map([4, 60_000, 2], { chunk: 2 })
    const paths = await jobs.result({ as: 'file', folder: below })
    expect(paths).toEqual([0, 1, 2].map((index) => join(below, `${jobs.id}.${index}.result`)))
    expect(paths.map((path) => openResult<{ values: Float64Array }>(path).values.length)).toEqual([
      4, 60_000, 2,
    ])
    expect(await jobs.result({ as: 'file', folder: below })).toEqual(paths)

    const late = make.map([1, 2])
    await late
    const others = await late.result({ as: 'file', folder: below })
    expect(others.map((path) => openResult(path))).toEqual(await late)
    const all = attach(late.id)
    await expect(all.result({ as: 'file' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      hint: expect.stringContaining(`attach('${late.id}[0]')`),
    })
  })

  it('of items that failed is none, and the others have theirs', async () => {
    const half = cluster((n: number) => {
      if (n % 2) throw new RangeError(`odd ${n}`)
      return n
    })
    const below = join(folder, 'half')
    const jobs = half.map([0, 1, 2])
    await expect(jobs.result({ as: 'file', folder: below })).rejects.toMatchObject({
      errors: [expect.objectContaining({ message: 'odd 1', index: 1 })],
    })
    expect(readdirSync(below).sort()).toEqual([0, 2].map((index) => `${jobs.id}.${index}.result`))
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
    // A temporary folder of its own: other programs have such files in the common one.
    const before = process.env['TMPDIR']
    const temporary = join(folder, 'tmp')
    mkdirSync(temporary)
    const make = cluster((length: number) => {
      if (length < 0) throw Object.assign(new RangeError('negative'), { bytes: new Uint8Array(-length) })
      return [new Field(new Float64Array(length).fill(length))]
    })
    process.env['TMPDIR'] = temporary
    const seen = new Set<string>()
    const watching = watch(temporary, (_, name) => seen.add(name!.slice(0, 15)))
    try {
      const [field] = await make(50_000)
      expect(field).toBeInstanceOf(Field)
      expect(field!.values).toEqual(new Float64Array(50_000).fill(50_000))
      await expect(make(-200_000)).rejects.toMatchObject({ name: 'RangeError', message: 'negative' })
      const all = await make.map([40_000, 1, 30_000], { chunk: 3 })
      expect(all.map(([each]) => each!.values.length)).toEqual([40_000, 1, 30_000])
      // It did go by way of a file there.
      await expect.poll(() => [...seen], { timeout: 20_000 }).toContain('farcall-result-')
      expect(readdirSync(temporary).filter((name) => name.startsWith('farcall-result-'))).toEqual([])
    } finally {
      watching.close()
      if (before === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = before
    }
  })
})
