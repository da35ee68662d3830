import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { thisProcess } from '../../src/store/owner.ts'
import { newJob, opened } from './helpers.ts'

const notice = '1:complete webhook example.org'

test('of two that would tell the same, one does', () => {
  const { store, again } = opened()
  const job = newJob()
  store.add(job)
  const other = again()
  const { id } = job.spec
  expect(store.claimNotice(id, notice, thisProcess())).toBe(true)
  expect(other.claimNotice(id, notice, thisProcess())).toBe(false)
  expect(other.claimNotice(id, '1:start webhook example.org', thisProcess())).toBe(true)
  store.told(id, notice)
  expect(other.claimNotice(id, notice, thisProcess())).toBe(false)
})

test('what could not be told, and what a process died over, is free again; what was told is not', () => {
  const { store } = opened()
  const job = newJob()
  store.add(job)
  const { id } = job.spec
  const { pid } = spawnSync('true')
  const dead = { ...thisProcess(), pid: pid!, startTime: '1' }
  expect(store.claimNotice(id, notice, dead)).toBe(true)
  expect(store.claimNotice(id, notice, thisProcess())).toBe(true)
  store.unclaimNotice(id, notice)
  expect(store.claimNotice(id, notice, dead)).toBe(true)
  store.told(id, notice)
  store.unclaimNotice(id, notice)
  expect(store.claimNotice(id, notice, thisProcess())).toBe(false)
})

test('goes with its job', () => {
  const { store } = opened()
  const job = newJob()
  store.add(job)
  const { id } = job.spec
  store.claimNotice(id, notice, thisProcess())
  store.told(id, notice)
  store.remove([id])
  expect(store.claimNotice(id, notice, thisProcess())).toBe(true)
})
