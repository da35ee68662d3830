import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Here, type NodePlace, nodeAt, noteNode } from '../../src/client/payload/node-seen.ts'
import { removeFolder } from '../remove-folder.ts'

const day = 24 * 3600 * 1000
let folder: string
let here: Here
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-node-seen-'))
  for (const name of ['bin', 'other', 'opt']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'opt/node'), '')
  writeFileSync(join(folder, 'other/node'), '')
  symlinkSync(join(folder, 'opt/node'), join(folder, 'bin/node'))
  here = {
    cacheDir: join(folder, 'cache'),
    now: Date.now(),
    env: { PATH: `${folder}/nothing:${folder}/bin:${folder}/other` },
    execPath: join(folder, 'opt/node'),
    version: 'v22.23.3',
  }
})
afterEach(() => removeFolder(folder))

const local: NodePlace = { profile: { scheduler: 'direct' }, resources: {}, environment: { node: 'auto' } }
const far: NodePlace = {
  profile: { scheduler: 'slurm', host: 'login.hpc.edu' },
  resources: { partition: 'short' },
  environment: { node: 'auto', variables: { TOKEN: 'secret' } },
}

test('on this machine it is the Node of this process, when that is the one on PATH', () => {
  expect(nodeAt(local, here)).toBe(22)
  expect(nodeAt(local, { ...here, env: { PATH: `${folder}/other:${folder}/bin` } })).toBe(16)
  expect(nodeAt(local, { ...here, env: {} })).toBe(16)
  expect(nodeAt({ ...local, environment: { node: join(folder, 'bin/node') } }, here)).toBe(22)
  expect(nodeAt({ ...local, environment: { node: join(folder, 'other/node') } }, here)).toBe(16)
})

test('what a job sets up, or another machine, may bring another Node', () => {
  for (const environment of [{ modules: ['node'] }, { setup: ['. nvm.sh'] }, { variables: { PATH: '/bin' } }])
    expect(nodeAt({ ...local, environment }, here)).toBe(16)
  for (const profile of [
    { scheduler: 'slurm' },
    { scheduler: 'direct', host: 'login' },
    { scheduler: 'direct', template: 'x' },
  ])
    expect(nodeAt({ ...local, profile }, here)).toBe(16)
})

test('elsewhere it is the oldest that jobs ran on in the last 30 days', () => {
  noteNode(far, { node: 'v24.1.0' }, here)
  expect(nodeAt(far, here)).toBe(24)
  noteNode(far, { node: 'v20.2.0' }, here)
  noteNode(far, { node: 'v22.2.0' }, here)
  expect(nodeAt(far, here)).toBe(20)
  const later = { ...here, now: here.now + 20 * day }
  noteNode(far, { node: 'v24.1.0' }, later)
  expect(nodeAt(far, later)).toBe(20)
  expect(nodeAt(far, { ...here, now: here.now + 31 * day })).toBe(24)
  expect(nodeAt(far, { ...here, now: here.now + 60 * day })).toBe(16)
})

test('places are told apart by host, partition and environment, and no secret is written', () => {
  noteNode(far, { node: 'v24.1.0' }, here)
  const others: NodePlace[] = [
    { ...far, profile: { ...far.profile, host: 'other' } },
    { ...far, resources: { partition: 'old' } },
    { ...far, environment: { ...far.environment, modules: ['node/18'] } },
  ]
  for (const place of others) expect(nodeAt(place, here)).toBe(16)
  expect(nodeAt({ ...far, resources: { partition: 'short', cores: 3 } }, here)).toBe(24)
  const [name] = readdirSync(join(here.cacheDir, 'nodes'))
  expect(name).toMatch(/^[0-9a-f]{32}$/)
  expect(readdirSync(join(here.cacheDir, 'nodes', name!))).toEqual(['24'])
})

test('a version that makes no sense is passed over', () => {
  noteNode(far, { node: 'unknown' }, here)
  expect(nodeAt(far, here)).toBe(16)
})

test('a cache that cannot be written is no failure', () => {
  writeFileSync(here.cacheDir, 'a file, not a folder')
  noteNode(far, { node: 'v24.1.0' }, here)
  expect(nodeAt(far, here)).toBe(16)
})
