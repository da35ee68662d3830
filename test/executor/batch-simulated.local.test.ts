import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { executorSuite } from '../../src/testing/executor-suite.ts'
import { type SimulatedScheduler, simulateScheduler } from '../../src/testing/simulated/simulated.ts'
import { removeFolder } from '../remove-folder.ts'

describe.each(['pbs', 'torque', 'slurm', 'sge'] as const)('a simulated %s', (kind) => {
  let simulated: SimulatedScheduler
  let workdir = ''
  beforeAll(async () => {
    simulated = await simulateScheduler(kind)
    workdir = mkdtempSync(join(tmpdir(), 'farcall-simulated-'))
  })
  afterAll(async () => {
    await simulated.close()
    removeFolder(workdir)
  })

  const open = async () =>
    openExecutor({ scheduler: kind, workdir, queryInterval: '1s', grace: '5s' }, systemClock)
  executorSuite(`batch: ${kind}`, open, { reopen: open, timeoutMs: 60_000 })
})
