import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SubmitError } from '../../src/core/errors.ts'
import { Limits } from '../../src/executor/batch/limits.ts'
import { LearnedLimits } from '../../src/executor/learned-limits.ts'
import { pbs } from '../../src/scheduler/pbs.ts'
import { sge } from '../../src/scheduler/sge.ts'
import { removeFolder } from '../remove-folder.ts'

const profile = { scheduler: 'pbs', host: 'login', port: 22, user: 'ada' } as never
const day = 24 * 3600 * 1000

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'farcall-limits-'))
  onTestFinished(() => removeFolder(path))
  return path
}

const tooMany = new SubmitError('SUBMIT_REFUSED', 'Array job exceeds server or queue size limit')

test('what was refused is halved until it is taken; then the next program knows, for a day', () => {
  const kept = new LearnedLimits(folder(), profile)
  const limits = new Limits(kept)
  limits.told(pbs, { maxMembers: 100 }, 0)
  limits.refused(pbs, tooMany, 100)
  limits.refused(pbs, tooMany, 50)
  expect(limits.traits).toEqual({ maxMembers: 25 })
  expect(kept.at(0)).toEqual({})
  limits.taken(5)
  const next = new Limits(kept)
  next.told(pbs, { maxMembers: 100, maxSubmitted: 70 }, day)
  expect(next.traits).toEqual({ maxMembers: 25, maxSubmitted: 70 })
  next.told(pbs, { maxMembers: 10 }, day)
  expect(next.traits).toEqual({ maxMembers: 10 })
  next.told(pbs, {}, day + 6)
  expect(next.traits).toEqual({ maxMembers: 10_000 })
})

test('a number that is named counts, and what is no limit teaches nothing', () => {
  const limits = new Limits(undefined)
  limits.told(sge, {}, 0)
  limits.refused(sge, new SubmitError('SUBMIT_REFUSED', 'Unknown queue'), 9)
  limits.refused(sge, new Error('you tried to submit a job with more than 3 tasks'), 9)
  expect(limits.traits).toEqual({ maxMembers: 75_000 })
  limits.refused(sge, new SubmitError('SUBMIT_REFUSED', 'tried to submit a job with more than 3 tasks'), 9)
  limits.refused(
    sge,
    new SubmitError('SUBMIT_LIMIT', 'only 7 jobs are allowed per user (current job count: 7)'),
    1,
  )
  expect(limits.traits).toEqual({ maxMembers: 3, maxSubmissions: 7 })
})

test('a damaged file is none, and places have files of their own', () => {
  const cache = folder()
  const [kept, other] = [
    new LearnedLimits(cache, profile),
    new LearnedLimits(cache, { scheduler: 'pbs' } as never),
  ]
  kept.note({ maxMembers: 3 }, 0)
  expect([kept.at(1), other.at(1)]).toEqual([{ maxMembers: 3 }, {}])
  const [name] = readdirSync(join(cache, 'limits'))
  writeFileSync(join(cache, 'limits', name!), '{"maxMe')
  expect(kept.at(1)).toEqual({})
})
