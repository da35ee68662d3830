import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inRowLimit } from '../../src/store/files.ts'
import { isDead, thisProcess } from '../../src/store/owner.ts'
import { removeFolder } from '../remove-folder.ts'
import { newJob, opened, temporaryFolder } from './helpers.ts'

const here = thisProcess()
// Its pid runs, and began at another time: pids recur.
const dead = { ...here, startTime: '1' }
const elsewhere = { ...here, host: 'another', pid: 1 }

test('a process is dead when its pid began at another time, or before the last boot; elsewhere nobody knows', () => {
  expect(
    [here, dead, elsewhere, { ...here, bootId: 'before' }, { ...here, pid: 2 ** 30 }].map((owner) =>
      isDead(owner),
    ),
  ).toEqual([false, true, false, true, true])
})

test('one job wins a key; others are told which, and once it is done, that it is', () => {
  const { store } = opened()
  const [a, b] = [newJob(), newJob()]
  for (const job of [a, b]) store.add(job)
  const claim = (job: typeof a, ...keys: string[]) =>
    store.claim(
      job.spec.id,
      here,
      keys.map((key, item) => ({ key, item })),
    )
  expect(claim(a, 'k1', 'k2', 'k1').map((one) => one.outcome)).toEqual(['won', 'won', 'held'])
  expect(claim(b, 'k0', 'k2')).toEqual([
    { key: 'k0', outcome: 'won', job: b.spec.id, item: 0 },
    { key: 'k2', outcome: 'held', job: a.spec.id, item: 1 },
  ])
  store.result('k2', { job: a.spec.id, item: 1, kind: 'value', content: Buffer.from('two') })
  expect(claim(b, 'k2')).toEqual([{ key: 'k2', outcome: 'cached', job: a.spec.id, item: 1 }])
  // It failed: whoever asks next may run it.
  store.ended(a.spec.id, { state: 'FAILED', reason: 'lost' })
  expect(claim(b, 'k1')[0]!.outcome).toBe('won')
  store.unclaim(b.spec.id, ['k1'])
  expect(claim(a, 'k1')[0]!.outcome).toBe('won')
})

test('a key of a process that died before it recorded its job is free; of a job that is recorded it is not', () => {
  const state = opened()
  const { store } = state
  const b = newJob()
  const keys = [{ key: 'k', item: 0 }]
  store.claim('funrecordedaaa', dead, keys)
  expect(store.claim(b.spec.id, here, keys)[0]!.outcome).toBe('won')
  const recorded = newJob({}, { owner: dead })
  store.add(recorded)
  store.claim(recorded.spec.id, dead, [{ key: 'k2', item: 0 }])
  expect(store.claim(b.spec.id, here, [{ key: 'k2', item: 0 }])[0]).toMatchObject({
    outcome: 'held',
    job: recorded.spec.id,
  })
  // Of another machine it can only be told by time.
  store.claim('funrecordedbbb', elsewhere, [{ key: 'k3', item: 0 }])
  expect(store.claim(b.spec.id, here, [{ key: 'k3', item: 0 }])[0]!.outcome).toBe('held')
  state.time += 3_600_000
  expect(store.claim(b.spec.id, here, [{ key: 'k3', item: 0 }])[0]!.outcome).toBe('won')
})

test.each([
  ['small', 10],
  ['large', inRowLimit * 3],
])('a %s result is cached byte for byte, and can be replaced and dropped', (_, size) => {
  const { store, folder, again } = opened()
  const bytes = Uint8Array.from({ length: size }, (_, k) => k % 251)
  store.result('key', { job: 'fa', item: 3, kind: 'value', content: bytes })
  const cached = again().cacheGet('key')!
  expect(cached).toMatchObject({ job: 'fa', item: 3, kind: 'value' })
  expect(Buffer.compare(cached.bytes, bytes)).toBe(0)
  expect(store.cacheFind('key')!.path === undefined).toBe(size <= inRowLimit)
  store.result('key', { job: 'fb', item: 0, kind: 'value', content: Buffer.from('new') })
  expect(Buffer.from(store.cacheGet('key')!.bytes).toString()).toBe('new')
  store.cacheDrop(['key', 'no such'])
  expect(store.cacheGet('key')).toBeUndefined()
  expect(readdirSync(folder)).toContain('index')
})

test('a result is cached from a file, and one whose file is gone is no result', () => {
  const { store, folder } = opened()
  const file = join(temporaryFolder(), 'result')
  writeFileSync(file, 'from a file')
  store.result('key', { job: 'fa', item: 0, kind: 'value', content: { path: file } })
  rmSync(file)
  expect(Buffer.from(store.cacheGet('key')!.bytes).toString()).toBe('from a file')
  removeFolder(join(folder, 'files'))
  expect(store.cacheGet('key')).toBeUndefined()
  expect(store.claim('fb', here, [{ key: 'key', item: 0 }])[0]!.outcome).toBe('won')
})

test('a lease is one process’s until it runs out, is given up, or the process is dead', () => {
  const state = opened()
  const { store } = state
  const other = { ...elsewhere, pid: 7 }
  expect(store.lease('watch', elsewhere, 1000)).toBeUndefined()
  expect(store.lease('watch', here, 1000)).toEqual({ owner: elsewhere, until: state.time + 1000 })
  expect(store.lease('watch', elsewhere, 2000)).toBeUndefined()
  expect(store.lease('another name', here, 1000)).toBeUndefined()
  state.time += 1500
  expect(store.lease('watch', here, 1000)).toMatchObject({ owner: elsewhere })
  state.time += 501
  expect(store.lease('watch', other, 1000)).toBeUndefined()
  store.unlease('watch', here)
  expect(store.lease('watch', here, 1000)).toMatchObject({ owner: other })
  store.unlease('watch', other)
  expect(store.lease('watch', dead, 100_000)).toBeUndefined()
  expect(store.lease('watch', here, 1000)).toBeUndefined()
})
