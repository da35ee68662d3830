import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { executorSuite } from '../../src/testing/executor-suite.ts'
import { type SimulatedScheduler, simulateScheduler } from '../../src/testing/simulated/simulated.ts'

describe.each(['pbs', 'torque', 'slurm', 'sge'] as const)('a simulated %s', (kind) => {
  let simulated: SimulatedScheduler
  let workdir = ''
  beforeAll(async () => {
    simulated = await simulateScheduler(kind)
    workdir = mkdtempSync(join(tmpdir(), 'farcall-simulated-'))
  })
  afterAll(async () => {
    await simulated.close()
    rmSync(workdir, { recursive: true, force: true })
  })

  const open = async () =>
    openExecutor({ scheduler: kind, workdir, queryInterval: '1s', grace: '5s' }, systemClock)
  executorSuite(`batch: ${kind}`, open, { reopen: open, timeoutMs: 60_000 })
})
