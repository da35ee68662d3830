import { hostname } from 'node:os'
import { describe, expect, inject, it } from 'vitest'
import { builtExamples } from './built.ts'
import { expectFindings } from './earthquakes.ts'

const example = builtExamples()

describe('01-earthquakes', () => {
  it('runs here without configuration, with the numbers that the same functions give without farcall', async () => {
    const table = expectFindings(await example('01-earthquakes.ts', ['--seeds', '4']), 4)
    expect(table.profile).toBe('default')
    expect(table.hosts).toEqual([hostname()])
  })

  it('runs over ssh, unchanged', async () => {
    const { host, port, user, identityFile, knownHosts } = inject('sshd')
    const login = { host, port, user, identityFile, knownHosts }
    const config = { profiles: { lab: { scheduler: 'direct', ...login } } }
    const outcome = await example('01-earthquakes.ts', ['--seeds', '4'], config, { FARCALL_PROFILE: 'lab' })
    expect(expectFindings(outcome, 4).profile).toBe('lab')
  })

  it('says which profile is unknown, and ends with exit code 1', async () => {
    const { code, stdout, stderr } = await example('01-earthquakes.ts', [], undefined, {
      FARCALL_PROFILE: 'hpc',
    })
    expect(stdout).toBe('')
    expect(stderr).toContain("there is no profile 'hpc' (FARCALL_PROFILE)")
    expect(code).toBe(1)
  })
})
