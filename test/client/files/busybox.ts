import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { createLocalTransport } from '../../../src/transport/local.ts'
import type { Transport } from '../../../src/transport/transport.ts'

export const hasBusybox = spawnSync('busybox', ['true']).status === 0

/** This machine with nothing but busybox. */
export function busyboxTransport(): Transport {
  const tools = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'busybox-'))
  spawnSync('busybox', ['--install', '-s', tools])
  const inner = createLocalTransport()
  return {
    ...inner,
    exec: ({ argv, ...rest }, options) =>
      inner.exec({ argv: ['/usr/bin/env', `PATH=${tools}`, ...argv], ...rest }, options),
  }
}
