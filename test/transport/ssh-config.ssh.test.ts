import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseSettings, resolveTarget } from '../../src/transport/ssh-config.ts'

// OpenSSH takes the home folder from the password file, not from HOME: a wrapper names the file to read
let folder: string
const path = process.env.PATH
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-config-'))
  mkdirSync(join(folder, 'bin'))
  writeFileSync(
    join(folder, 'config'),
    `Host hpc
  HostName login.hpc.edu
  Port 2222
  User me
  IdentityFile ${folder}/hpc_key
  UserKnownHostsFile ${folder}/known
Host inner
  ProxyJump hpc
`,
  )
  writeFileSync(join(folder, 'bin/ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F '${folder}/config' "$@"\n`, {
    mode: 0o755,
  })
  process.env.PATH = `${folder}/bin${delimiter}${path}`
})
afterAll(() => {
  process.env.PATH = path
  rmSync(folder, { recursive: true })
})

test('an alias of ~/.ssh/config stands for host, port, user, key and known hosts', async () => {
  expect(await resolveTarget({ scheduler: 'slurm', host: 'hpc' }, { SSH_AUTH_SOCK: '/agent' })).toMatchObject(
    {
      host: 'login.hpc.edu',
      port: 2222,
      user: 'me',
      keys: [`${folder}/hpc_key`],
      agent: '/agent',
      knownHosts: [`${folder}/known`, '/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'],
    },
  )
})

test('what the profile says comes first', async () => {
  const profile = { scheduler: 'slurm', host: 'hpc', port: 22, user: 'you', knownHosts: '/elsewhere' }
  expect(await resolveTarget(profile)).toMatchObject({
    host: 'login.hpc.edu',
    port: 22,
    user: 'you',
    knownHosts: ['/elsewhere'],
  })
})

test('a host behind another is refused by name, not tried in vain', async () => {
  await expect(resolveTarget({ scheduler: 'slurm', host: 'inner' })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('proxyjump hpc'),
  })
})

test('a host that begins with a dash is no option of ssh', async () => {
  const target = resolveTarget({ scheduler: 'slurm', host: '-oProxyCommand=touch /tmp/pwned' })
  await expect(target).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('without OpenSSH the host is taken as written', async () => {
  const before = process.env.PATH
  process.env.PATH = '/nonexistent'
  try {
    const target = await resolveTarget({ scheduler: 'slurm', host: 'login.hpc.edu', user: 'me' })
    expect(target).toMatchObject({ host: 'login.hpc.edu', port: 22, user: 'me' })
    expect(target.keys.some((key) => key.endsWith('/.ssh/id_ed25519'))).toBe(true)
  } finally {
    process.env.PATH = before
  }
})

test('settings that come more than once are all kept', () => {
  expect(parseSettings('user me\nidentityfile ~/a\nidentityfile ~/b c\nempty\n')).toEqual(
    new Map([
      ['user', ['me']],
      ['identityfile', ['~/a', '~/b c']],
    ]),
  )
})
