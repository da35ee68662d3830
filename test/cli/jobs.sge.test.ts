import { describe, expect, inject, it } from 'vitest'
import { root } from '../client/helpers.ts'
import { commandsWork } from './jobs.ts'

const { host, port, user, identityFile, knownHosts } = inject('sge').sshd
const functions = `${root}test/fixtures/programs/functions.ts`

describe('commands about jobs of a real Grid Engine', () =>
  commandsWork(
    { scheduler: 'sge', host, port, user, identityFile, knownHosts, queryInterval: '2s' },
    ({ farcall }) => {
      it('options for resources become directives', async () => {
        const { stdout } = await farcall(
          ...['submit', functions, '--function', 'square', '--args', '[3]', '--dry-run'],
          ...['--time', '7m', '--native=-p -5'],
        )
        expect(stdout).toContain('#$ -l h_rt=420')
        expect(stdout).toContain('#$ -p -5')
      })
    },
  ))
