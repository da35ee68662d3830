import { describe, inject } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { createSshTransport } from '../../src/transport/ssh.ts'
import { cutOffTests } from './cut-off.ts'

describe('a submission that was cut off, Slurm', { timeout: 120_000 }, () => {
  const { sshd } = inject('slurms').plain
  const { host, port, user, identityFile, knownHosts } = sshd
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, queryInterval: '2s' }

  const open = () => ({
    open: async () => openExecutor(place, systemClock),
    async sh(line: string) {
      await using transport = createSshTransport(place)
      const { stdout } = await transport.exec({ argv: ['sh', '-ec', `cd .farcall; ${line}`] })
      return Buffer.from(stdout).toString('utf8')
    },
    nativeId: '4711',
  })
  cutOffTests(open, { resources: { native: ['--hold'] } })
})
