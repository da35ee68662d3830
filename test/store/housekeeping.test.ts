import { existsSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inRowLimit } from '../../src/store/files.ts'
import { thisProcess } from '../../src/store/owner.ts'
import { newJob, opened, temporaryFolder } from './helpers.ts'

const day = 86_400_000
const roomy = Number.MAX_SAFE_INTEGER

test('old jobs go once they have ended and were collected, and nothing else', () => {
  const state = opened()
  const { store } = state
  const [open, uncollected, unended, done, young] = Array.from({ length: 5 }, (_, k) =>
    newJob({}, { code: `code ${k}` }),
  ) as [ReturnType<typeof newJob>, ...ReturnType<typeof newJob>[]] as ReturnType<typeof newJob>[]
  for (const job of [open, uncollected, unended, done]) store.add(job!)
  for (const job of [uncollected, done]) store.ended(job!.spec.id, { state: 'COMPLETED' })
  store.collected([done!.spec.id, unended!.spec.id])
  state.time += 8 * day
  store.add(young!)
  store.ended(young!.spec.id, { state: 'COMPLETED' })
  store.collected([young!.spec.id])
  const gone = store.trim({ now: state.time + 2 * 3_600_000, maxAgeMs: 7 * day, maxBytes: roomy })
  expect(gone).toMatchObject({ jobs: 1, bundles: 1 })
  expect(store.get(done!.spec.id)).toBeUndefined()
  expect(store.list()).toHaveLength(4)
  for (const job of [open, uncollected, unended]) expect(store.bundle(job!.spec.bundle.sha256)).toBeDefined()
})

test('over its size the oldest go first, until it fits; what is not collected never goes', () => {
  const state = opened()
  const { store, folder } = state
  const kept = newJob({}, { arg: new Uint8Array(inRowLimit * 5) })
  store.add(kept)
  for (let k = 0; k < 300; k++) {
    const job = newJob({
      id: `fdone${String(k)
        .padStart(9, 'a')
        .replace(/\d/g, (d) => 'bcdefghijk'[Number(d)]!)}`,
    })
    store.add(job)
    store.ended(job.spec.id, { state: 'COMPLETED' })
    state.time++
    store.collected([job.spec.id])
  }
  store.result('old', { job: 'fa', item: 0, kind: 'value', content: new Uint8Array(inRowLimit * 10) })
  const limit = 1_200_000
  expect(store.sizes().bytes).toBeGreaterThan(limit)
  store.trim({ now: state.time + 1, maxAgeMs: 30 * day, maxBytes: limit })
  expect(store.sizes().bytes).toBeLessThan(limit)
  expect(store.cacheGet('old')).toBeUndefined()
  expect(store.get(kept.spec.id)!.hasPayload).toBe(true)
  expect(store.payload(kept.spec.id)).toBeDefined()
  expect(readdirSync(join(folder, 'files'))).toHaveLength(1)
  const left = store.list({ limit: 1000 })
  expect(left.length).toBeGreaterThan(50)
  // The youngest are those that stayed.
  expect(left[0]!.createdAt).toBe(state.time - 1)
})

test('results go by their last use', () => {
  const state = opened()
  const { store } = state
  for (const key of ['used', 'unused'])
    store.result(key, { job: 'fa', item: 0, kind: 'value', content: Buffer.from(key) })
  state.time += 5 * day
  store.cacheGet('used')
  state.time += 5 * day
  expect(store.trim({ now: state.time, maxAgeMs: 7 * day, maxBytes: roomy })).toMatchObject({ results: 1 })
  expect(store.cacheGet('used')).toBeDefined()
  expect(store.cacheGet('unused')).toBeUndefined()
})

test('files that nothing names go when they are old, links but not what they lead to', () => {
  const state = opened()
  const { store, folder } = state
  store.add(newJob({}, { arg: new Uint8Array(inRowLimit * 2) }))
  const outside = join(temporaryFolder(), 'precious')
  writeFileSync(outside, 'x')
  const stray = join(folder, 'files', 'stray.args')
  writeFileSync(stray, 'x')
  symlinkSync(outside, join(folder, 'files', 'link'))
  for (const path of [stray, outside]) utimesSync(path, 1000, 1000)
  const young = join(folder, 'files', 'young.args.1.part')
  writeFileSync(young, 'x')
  store.trim({ now: Date.now(), maxAgeMs: day, maxBytes: roomy })
  expect([stray, outside, young].map((path) => existsSync(path))).toEqual([false, true, true])
  expect(store.payload(store.list()[0]!.id)).toBeDefined()
})

test('sizes tell what there is', () => {
  const { store, time } = opened()
  const [a, b] = [newJob(), newJob()]
  for (const job of [a, b]) store.add(job)
  store.ended(a.spec.id, { state: 'CANCELED', reason: 'by-user' })
  store.result('k', { job: a.spec.id, item: 0, kind: 'value', content: Buffer.from('x') })
  store.lease('w', thisProcess(), 1)
  expect(store.sizes()).toMatchObject({ jobs: 2, openJobs: 1, results: 1, bundles: 1, oldest: time })
  expect(store.sizes().bytes).toBeGreaterThan(10_000)
})
