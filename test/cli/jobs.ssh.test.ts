import { describe, expect, inject, it } from 'vitest'
import { commandsWork } from './jobs.ts'

const { host, port, user, identityFile, knownHosts } = inject('sshd')

describe('commands about jobs over ssh', () =>
  commandsWork({ scheduler: 'direct', host, port, user, identityFile, knownHosts }, ({ farcall }) => {
    it('--verbose shows each command that is run there', async () => {
      const { stderr, exitCode } = await farcall('clean', '--dry-run', '--verbose')
      expect(exitCode).toBe(0)
      expect(stderr).toMatch(
        new RegExp(`^${user}@${host}:${port}: sh -c '.*…' farcall .* \\(\\d+ ms\\)$`, 'm'),
      )
    })
  }))
