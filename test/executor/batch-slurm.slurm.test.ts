import { inject } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { executorSuite } from '../../src/testing/executor-suite.ts'

for (const [kind, { sshd }] of Object.entries(inject('slurms'))) {
  const { host, port, user, identityFile, knownHosts } = sshd
  const place = { host, port, user, identityFile, knownHosts }
  const open = async () =>
    openExecutor({ scheduler: 'slurm', ...place, queryInterval: '2s', grace: '20s' }, systemClock)

  executorSuite(`batch: slurm (${kind}) over ssh`, open, { reopen: open, timeoutMs: 120_000 })
}
