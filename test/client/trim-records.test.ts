import { statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { trimRecordsDaily } from '../../src/client/submission/trim-records.ts'
import { newJob, opened } from '../store/helpers.ts'

const day = 24 * 3_600_000

it('trims once a day what was collected more than 90 days ago', () => {
  const now = Date.now()
  const state = opened()
  const { store, folder } = state
  state.time = now
  const [taken, open] = [newJob(), newJob()]
  for (const job of [taken, open]) {
    store.add(job)
    store.ended(job.spec.id, { state: 'COMPLETED' })
  }
  store.collected([taken.spec.id])
  const stamp = join(folder, 'trimmed')
  const left = () => [taken, open].map((job) => store.get(job.spec.id) !== undefined)

  trimRecordsDaily(store, now)
  expect(left()).toEqual([true, true])
  const later = now + 100 * day
  utimesSync(stamp, later / 1000, later / 1000)
  trimRecordsDaily(store, later + day / 2)
  expect(left()).toEqual([true, true])
  trimRecordsDaily(store, later + 2 * day)
  expect(left()).toEqual([false, true])
  expect(statSync(stamp).mode & 0o777).toBe(0o600)
})
