import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasEntry, withEntry } from '../../src/transport/ssh-config-entry.ts'
import { configLines } from '../../src/transport/ssh-config-lines.ts'

const entry = { alias: 'hpc', hostName: 'login.hpc.edu', user: 'me', port: 22 }
const lines = 'Host hpc\n  HostName login.hpc.edu\n  User me\n'

describe('a Host entry', () => {
  it('makes a file where there is none', () => {
    expect(withEntry('', entry)).toBe(lines)
    expect(withEntry('', { ...entry, port: 2222, identityFile: '~/my keys/id' })).toBe(
      `${lines}  Port 2222\n  IdentityFile "~/my keys/id"\n`,
    )
  })

  it('stands before the first Host or Match, below what is for all, above the comment of that', () => {
    expect(withEntry('AddKeysToAgent yes\n# old\nHost old\n  User you', entry)).toBe(
      `AddKeysToAgent yes\n\n${lines}\n# old\nHost old\n  User you\n`,
    )
    expect(withEntry('Match user x\n', entry)).toBe(`${lines}\nMatch user x\n`)
    expect(withEntry('AddKeysToAgent yes\n', entry)).toBe(`AddKeysToAgent yes\n\n${lines}`)
  })

  it('is there when a Host line names it, and not by a pattern', () => {
    expect(hasEntry('Host other HPC\n', 'hpc')).toBe(true)
    expect(hasEntry('host="hpc"\n', 'hpc')).toBe(true)
    expect(hasEntry('Host *\n  HostName hpc\n# Host hpc\n', 'hpc')).toBe(false)
  })

  it('leaves every other line as it is, whatever the file', () => {
    const line = fc.constantFrom('', '# a', 'Host a b', '  User x', 'Match all', '\tPort 1', 'Include x')
    fc.assert(
      fc.property(fc.array(line), (all) => {
        const text = all.map((one) => `${one}\n`).join('')
        const made = withEntry(text, entry)
        const rest = [...made.split('\n')]
        for (const one of all) {
          const at = rest.indexOf(one)
          expect(at).toBeGreaterThanOrEqual(0)
          rest.splice(0, at + 1)
        }
        const hosts = configLines(made).filter(({ keyword }) => keyword === 'host' || keyword === 'match')
        expect(hosts[0]?.rest).toBe('hpc')
        expect(hasEntry(made, 'hpc')).toBe(true)
      }),
    )
  })
})
