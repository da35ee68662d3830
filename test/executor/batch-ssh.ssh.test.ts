import { inject } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { executorSuite } from '../../src/testing/executor-suite.ts'

const { host, port, user, identityFile, knownHosts } = inject('sshd')

const open = async () =>
  openExecutor(
    { scheduler: 'direct', host, port, user, identityFile, knownHosts, queryInterval: '1s' },
    systemClock,
  )

executorSuite('batch: direct over ssh', open, { reopen: open })
