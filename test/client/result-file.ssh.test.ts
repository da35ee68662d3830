import { existsSync, mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, it } from 'vitest'
import { close, cluster, configure, openResult } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { loginProfile } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-files-'))
afterEach(close)
afterAll(() => removeFolder(folder))

it('a large result comes over ssh into a file, piece by piece', { timeout: 120_000 }, async () => {
  configure({ profiles: { login: loginProfile({ keep: 'none' }) } })
  // More than two of the pieces that it is copied in.
  const make = cluster({ profile: 'login' }, (length: number) =>
    Float64Array.from({ length }, (_, at) => Math.sqrt(at)),
  )
  const length = 17_500_000
  const path = await make(length).result({ as: 'file', path: join(folder, 'large.result') })
  expect(statSync(path).size).toBeGreaterThan(8 * length)
  const back = openResult<Float64Array>(path)
  expect(back.length).toBe(length)
  expect(back.findIndex((value, at) => value !== Math.sqrt(at))).toBe(-1)
})

it('a result that was awaited is written afterwards, and those of a map', async () => {
  configure({ profiles: { login: loginProfile({ keep: 'none' }) } })
  const make = cluster({ profile: 'login' }, (length: number) => new Array(length).fill('x'))
  const job = make(100_000)
  const value = await job
  const path = await job.result({ as: 'file', path: join(folder, 'late.result') })
  expect(openResult(path)).toEqual(value)
  const jobs = make.map([3, 50_000])
  const paths = await jobs.result({ as: 'file', folder })
  expect(paths.map((each) => openResult<string[]>(each).length)).toEqual([3, 50_000])

  const second = make(5)
  await second
  await close()
  // The job's files went with the connection; what is in memory is written.
  const other = await second.result({ as: 'file', path: join(folder, 'closed.result') })
  expect(openResult(other)).toEqual(new Array(5).fill('x'))
  expect(existsSync(`${other}.partial`)).toBe(false)
})
