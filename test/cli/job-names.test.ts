import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { newJob } from '../../bench/store.ts'
import { nameJob, nameJobs, oneItem } from '../../src/cli/job-names.ts'
import { openStore } from '../../src/store/open.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-names-'))
let now = 1_000
const store = openStore({ folder, warn: () => {}, clock: { now: () => now } })
afterAll(() => {
  store.close()
  removeFolder(folder)
})
const ids = ['faaaaaaaaaaaaa', 'faaabaaaaaaaaa', 'fbbbbbbbbbbbbb', 'fccccccccccccc']
for (const [at, id] of ids.entries()) {
  const job = newJob(at)
  store.add({ ...job, spec: { ...job.spec, id } })
  store.submitted(id, 1, String(100 + at))
  now += 1_000
}

test('an id, the beginning of one, or the scheduler’s id', () => {
  expect(nameJob(store, ids[2]!).id).toBe(ids[2])
  expect(nameJob(store, 'fbbb').id).toBe(ids[2])
  expect(nameJob(store, '103')).toMatchObject({ id: ids[3], record: { nativeId: '103' } })
  expect(nameJob(store, 'fzzzzzzzzzzzzz')).toEqual({ id: 'fzzzzzzzzzzzzz' })
})

test('what may be several, or is none, is told', () => {
  expect(() => nameJob(store, 'faaa')).toThrow(`'faaa' may be 2 jobs: ${ids[1]}, ${ids[0]}`)
  expect(() => nameJob(store, 'fbb')).toThrow("there is no job 'fbb' on record here")
  expect(() => nameJob(store, 'fbcbbb')).toThrow(`did you mean ${ids[2]} (simulate-2)?`)
  expect(() => nameJob(store, '100', 'other')).toThrow("there is no job '100' of profile 'other'")
})

test('items of a map, and jobs made from one to another', () => {
  expect(nameJob(store, 'fbbb[3-5,0]')).toMatchObject({ id: ids[2], items: [0, 3, 4, 5] })
  expect(() => nameJob(store, 'fbbb[5-3]')).toThrow("'5-3' is no item, and no range of items")
  expect(nameJobs(store, ['fccc..faaab', 'fccc']).map(({ id }) => id)).toEqual(ids.slice(1))
  expect(() => nameJobs(store, ['fbbb[1]..fccc'])).toThrow("'fbbb[1]' is no whole job on record here")
  expect(oneItem(nameJob(store, 'fbbb[2]'), 'fbbb[2]')).toBe(2)
  expect(() => oneItem(nameJob(store, 'fbbb[2-3]'), 'fbbb[2-3]')).toThrow('is 2 items, and one is wanted')
})
