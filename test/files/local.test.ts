import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { farFiles } from '../../src/client/files/far-files.ts'
import { localFiles } from '../../src/files/local.ts'
import { createLocalTransport } from '../../src/transport/local.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { filesSuite } from './suite.ts'

const root = process.getuid?.() === 0

filesSuite('of this machine', async () => ({ fs: localFiles(() => process.cwd()), root }))
filesSuite('by sh', async () => ({ fs: farFiles(createLocalTransport()), root }))

const hasBusybox = spawnSync('busybox', ['true']).status === 0
describe.skipIf(!hasBusybox)('with nothing but busybox', () => {
  const tools = mkdtempSync(join(tmpdir(), 'farcall-busybox-'))
  afterAll(() => rmSync(tools, { recursive: true, force: true }))
  if (hasBusybox) spawnSync('busybox', ['--install', '-s', tools])
  filesSuite('by busybox', async () => ({ fs: farFiles(withPath(createLocalTransport(), tools)), root }))
})

/** Commands find their programs there, and nowhere else. */
function withPath(transport: Transport, path: string): Transport {
  return {
    ...transport,
    exec: ({ argv, ...rest }, options) =>
      transport.exec({ argv: ['/usr/bin/env', `PATH=${path}`, ...argv], ...rest }, options),
  }
}
