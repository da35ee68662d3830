import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { createLocalTransport } from '../../src/transport/local.ts'
import { removeFolder } from '../remove-folder.ts'
import { cutOffTests } from './cut-off.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-'))
const workdir = join(folder, 'work')
const transport = createLocalTransport()
afterAll(() => removeFolder(folder))

describe('a submission that was cut off, direct', () => {
  cutOffTests(() => ({
    open: async () => openExecutor({ scheduler: 'direct', workdir, queryInterval: '1s' }, systemClock),
    async sh(line) {
      const { stdout } = await transport.exec({ argv: ['sh', '-ec', `cd "$1"; ${line}`, 'sh', workdir] })
      return Buffer.from(stdout).toString('utf8')
    },
    nativeId: 'here:01234567-89ab-cdef-0123-456789abcdef:1:1',
  }))
})
