import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { FarcallError } from '../../src/core/errors.ts'
import { wrapTransports } from '../../src/executor/open.ts'
import { attach, close, cluster, configure } from '../../src/index.ts'
import { injectFaults } from '../../src/testing/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-node-'))
const bin = join(folder, 'bin')
const workdir = join(folder, 'work')
/** Nothing is uploaded while this is so. */
let isDown = false

beforeAll(() => {
  mkdirSync(bin)
  for (const name of readdirSync('/usr/bin'))
    if (!/^node(js)?$/.test(name)) symlinkSync(join('/usr/bin', name), join(bin, name))
  const environment = { setup: [`PATH='${bin}'`, 'MODULEPATH=/none'] }
  configure({
    profiles: { bare: { scheduler: 'direct', workdir, keep: 'all', environment } },
    defaultProfile: 'bare',
  })
  injectFaults({
    before: (_, operation) => {
      if (isDown && operation === 'put')
        throw new FarcallError('FILE_TRANSFER_FAILED', 'for the test', { transient: true })
    },
  })
})
afterEach(close)
afterAll(() => {
  wrapTransports((transport) => transport)
  removeFolder(folder)
})

const endOf = (id: string) => {
  const path = join(workdir, 'jobs', id, 'run.1.0/end')
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

it('a job that waited in vain is tried again once, with the Node sent before, and that is no retry', async () => {
  isDown = true
  const job = cluster({ time: '8s' }, (n: number) => [n * n, process.execPath])(3)
  await vi.waitFor(() => expect(endOf(job.id)).toMatchObject({ reason: 'interpreter-missing' }), 40_000)
  isDown = false
  expect(await job).toEqual([9, expect.stringContaining(`${workdir}/node/`)])
  expect(job.attempts.map(({ status }) => status.reason)).toEqual(['interpreter-missing', undefined])
})

it('a job that was let go meanwhile gets its Node from whoever attaches to it', async () => {
  removeFolder(join(workdir, 'node'))
  isDown = true
  const job = cluster({ time: '8s', environment: { variables: { OTHER: 'place' } } }, (n: number) => n * n)(4)
  await vi.waitFor(() => expect(job.nativeId).toBeDefined(), 20_000)
  await job.detach()
  await vi.waitFor(() => expect(endOf(job.id)).toMatchObject({ interpreter: { awaited: true } }), 40_000)
  await close()
  isDown = false
  expect(await attach(job.id)).toBe(16)
})
