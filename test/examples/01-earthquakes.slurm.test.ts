import { expect, inject, it } from 'vitest'
import { builtExamples } from './built.ts'
import { expectFindings } from './earthquakes.ts'

const example = builtExamples()

it('01-earthquakes runs on Slurm through a login node, unchanged', async () => {
  const { host, port, user, identityFile, knownHosts } = inject('slurms').accounting.sshd
  const login = { host, port, user, identityFile, knownHosts }
  const config = { profiles: { hpc: { scheduler: 'slurm', ...login } } }
  const outcome = await example('01-earthquakes.ts', ['--seeds', '4'], config, { FARCALL_PROFILE: 'hpc' })
  expect(expectFindings(outcome, 4).profile).toBe('hpc')
})
