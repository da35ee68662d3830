import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { executorSuite } from '../../src/testing/executor-suite.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall it\'s "$(odd)" ü '))
afterAll(() => removeFolder(folder))

const open = async () =>
  openExecutor({ scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s' }, systemClock)

executorSuite('batch: direct on this machine', open, { reopen: open })
