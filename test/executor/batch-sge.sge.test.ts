import { inject } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { executorSuite } from '../../src/testing/executor-suite.ts'

const { host, port, user, identityFile, knownHosts } = inject('sge').sshd
const place = { host, port, user, identityFile, knownHosts }
const open = async () =>
  openExecutor({ scheduler: 'sge', ...place, queryInterval: '2s', grace: '20s' }, systemClock)

executorSuite('batch: sge over ssh', open, { reopen: open, timeoutMs: 120_000 })
