import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import type { Executor } from '../../src/executor/executor.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { attach, close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { newJob, opened } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-restore-'))
const place = { scheduler: 'direct', workdir: `${folder}/there`, queryInterval: '1s' }
configure({ profiles: { here: place }, defaultProfile: 'here' })
afterAll(async () => {
  await close()
  removeFolder(folder)
})

const listOf = async (executor: Executor) => {
  const { jobs, unreadable } = await executor.list!()
  return { jobs, unreadable, states: new Map(jobs.map(({ spec, status }) => [spec.id, status.state])) }
}

it('a store that is removed while jobs run is filled again from what lies on the cluster', async () => {
  const gate = join(folder, 'gate')
  const wait = cluster(async (path: string, n: number) => {
    const { existsSync } = await import('node:fs')
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20))
    return n * n
  })
  const before = opened()
  const [one, many] = [wait(gate, 6), wait.starmap([1, 2, 3].map((n) => [gate, n] as const))]
  await using executor = openExecutor(place, systemClock)
  await expect.poll(async () => (await listOf(executor)).jobs.length, { timeout: 20_000 }).toBe(2)
  const first = await listOf(executor)
  expect(before.store.restore({ name: 'here', settings: place }, first.jobs)).toHaveLength(2)
  removeFolder(before.folder)

  const { store } = opened(before.folder)
  expect([store.predecessor(), store.list()]).toEqual([undefined, []])
  await Promise.all([one.detach(), many.detach()])
  expect(store.restore({ name: 'here', settings: place }, (await listOf(executor)).jobs)).toHaveLength(2)
  expect(store.list({ state: ['QUEUED', 'ACTIVE'] })).toHaveLength(2)
  expect(store.get(many.id)).toMatchObject({ items: 3, spec: { map: true }, profileSettings: place })

  writeFileSync(gate, '')
  const [row] = store.find(one.id.slice(0, 8))
  expect(await attach(row!.id)).toBe(36)
  expect(await attach(many.id)).toEqual([1, 4, 9])
  const last = await listOf(executor)
  expect([last.states.get(one.id), last.states.get(many.id)]).toEqual(['COMPLETED', 'COMPLETED'])
})

it('a folder that is damaged, or of a newer farcall, is told and keeps no other from being listed', async () => {
  const write = (id: string, spec: string) => {
    mkdirSync(`${folder}/there/jobs/${id}`, { recursive: true })
    writeFileSync(`${folder}/there/jobs/${id}/spec.json`, spec)
  }
  const { spec } = newJob()
  write('fdamagedaaaaaa', '{"id":')
  write('fneweraaaaaaaa', JSON.stringify({ ...spec, id: 'fneweraaaaaaaa', protocol: 99 }))
  write('fanotheraaaaaa', JSON.stringify(spec))
  write(spec.id, JSON.stringify(spec))
  await using executor = openExecutor(place, systemClock)
  const { unreadable, states } = await listOf(executor)
  expect(states.get(spec.id)).toBe('NEW')
  expect(
    Object.fromEntries(unreadable.map(({ id, error }) => [id, (error as { code: string }).code])),
  ).toEqual({
    fdamagedaaaaaa: 'RESULT_CORRUPT',
    fneweraaaaaaaa: 'PROTOCOL_NEWER',
    fanotheraaaaaa: 'RESULT_CORRUPT',
  })
})
