import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { findScheduler } from '../../src/scheduler/all.ts'
import type { Directives } from '../../src/scheduler/scheduler.ts'
import { schedulerSuite } from '../../src/testing/scheduler-suite.ts'
import {
  type SimulatedKind,
  type SimulatedScheduler,
  simulateScheduler,
} from '../../src/testing/simulated/simulated.ts'
import { openTransport } from '../../src/transport/open.ts'
import { removeFolder } from '../remove-folder.ts'

const kinds: readonly [kind: SimulatedKind, overMemory: Directives][] = [
  ['pbs', { memoryBytes: 100e6 }],
  ['torque', { memoryBytes: 100e6 }],
  ['slurm', { memoryBytes: 100e6 }],
  ['sge', { native: ['-l h_vmem=300M'] }],
]

describe.each(kinds)('a simulated %s', (kind, overMemory) => {
  let simulated: SimulatedScheduler
  let folder = ''
  beforeAll(async () => {
    simulated = await simulateScheduler(kind, { timeScale: 60, killDelay: 1 })
    folder = mkdtempSync(join(tmpdir(), 'farcall-conformance-'))
  })
  afterAll(async () => {
    await simulated.close()
    removeFolder(folder)
  })

  schedulerSuite(kind, async () => {
    const transport = openTransport({ scheduler: kind })
    const dialect = findScheduler(kind)
    const { site } = dialect
    const scheduler = site ? site.adapt(await transport.exec(site.ask()), { scheduler: kind }) : dialect
    return {
      scheduler,
      transport,
      folder,
      timeLimitSeconds: 60,
      overMemory,
      failNode: () => simulated.failNode(),
      ...(kind === 'torque' && { nodeFailure: 'launch-failed' }),
      ...(kind === 'slurm' && { preempt: () => simulated.failNode('preempt') }),
    }
  })
})
