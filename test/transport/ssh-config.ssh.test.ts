import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  askOpenSsh,
  here,
  type LoginProfile,
  parseSettings,
  resolveTarget,
  targetOf,
} from '../../src/transport/ssh-config.ts'
import { readSettings, type Settings } from '../../src/transport/ssh-config-files.ts'
import { removeFolder } from '../remove-folder.ts'

let folder: string
let files = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-config-'))
})
afterAll(() => removeFolder(folder))

const write = (text: string, name = `config-${++files}`) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const env = { ...process.env, SSH_AUTH_SOCK: '/agent', SITE: '/site' }

/** What is understood of a file by OpenSSH, and by ourselves. */
async function both(text: string, profile: LoginProfile) {
  const sshConfig = write(text)
  const me = here(env)
  const asked = { host: profile.host, user: profile.user, port: profile.port }
  const theirs = await askOpenSsh(asked, sshConfig, env)
  const ours = readSettings(asked, sshConfig, me)
  const whole = { ...profile, sshConfig }
  const target = (settings: Settings) => {
    const found = targetOf(whole, asked, settings, me)
    // OpenSSH's own list differs by version and build
    return { ...found, keys: found.keys.filter((key) => !/\.ssh\/id_(xmss|dsa)$/.test(key)) }
  }
  return { theirs: target(theirs!), ours: target(ours) }
}

describe('the files are read as `ssh -G` reads them', () => {
  const cases: Record<string, [string, LoginProfile]> = {
    'nothing at all': ['', { host: 'login.hpc.edu' }],
    'the first that is said counts': [
      'Host hpc\n Port 2\n User me\nHost *\n Port 3\n User you\n HostName h.org\n',
      { host: 'hpc' },
    ],
    'patterns and negations': [
      'Host *.edu !bad.edu\n User a\nHost b?d.edu\n User b\nHost !x\n Port 9\n',
      { host: 'bad.edu' },
    ],
    'what stands before any Host holds for all': ['User first\nHost a\n User second\n', { host: 'a' }],
    'keys add up, each once': [
      'Host a\n IdentityFile ~/one\n IdentityFile "/with space/two"\nHost *\n IdentityFile ~/one\n IdentityFile ~/three\n CertificateFile ~/c-cert.pub\n',
      { host: 'a' },
    ],
    'tokens of keys, known hosts and commands': [
      'Host a\n HostName %h.org\n User me\n Port 7\n IdentityFile ~/%r/%h-%n-%p-%u-%i-%%-%d\n UserKnownHostsFile ~/%h ${SITE}/k\n ProxyCommand nc -x %n %h %p # %r\n IdentityAgent ${SITE}/agent\n',
      { host: 'a' },
    ],
    'a command with quotes, blanks and hashes stays as it is': [
      'ProxyCommand sh -c \'exec  nc "%h"   %p # not a comment\'\n',
      { host: 'a' },
    ],
    'an equals sign, tabs, carriage returns, quotes and comments': [
      'Host=a\r\n\tPort = 22022\r\n\tUser="me too" # yes\r\n  HostName=\t"h.org"\r\n# no\r\n',
      { host: 'a' },
    ],
    'what the profile asks for comes before Match user': [
      'Match user bob\n Port 7\nMatch user alice\n Port 8\nHost *\n User alice\n',
      { host: 'a', user: 'bob' },
    ],
    'Match of host, of the original host, of users, and negated': [
      'Host a\n HostName b.org\nMatch host b.org originalhost a\n Port 5\nMatch host a\n User wrong\nMatch !host b.org,c.org\n User wrong\nMatch !user nobody localuser *\n User right\n',
      { host: 'a' },
    ],
    'Match exec with quotes and tokens': [
      'Match exec "test %h = a -a %n = a" host a\n Port 5\nMatch !exec "false"\n User me\nMatch exec false\n User wrong\n',
      { host: 'a' },
    ],
    'Match final sees the name that was found': [
      'Match final host b.org\n User final\n Port 9\nHost a\n HostName b.org\n Port 8\n',
      { host: 'a' },
    ],
    'Host in the final pass too': [
      'Match final\n User final\nHost b.org\n Port 9\nHost a\n Port 8\nHost a B.org\n HostName B.org\n',
      { host: 'a' },
    ],
    'Match all': ['Match all\n Port 3\n', { host: 'a' }],
    'several jumps': ['Host a\n ProxyJump me@b:2222,c,ssh://d@e:5/,[::1]:7\n', { host: 'a' }],
    'of a jump and a command the first': [
      'Host a\n ProxyCommand nc %h %p\nHost *\n ProxyJump b\n',
      { host: 'a' },
    ],
    'and the other way round': ['Host a\n ProxyJump b\nHost *\n ProxyCommand nc %h %p\n', { host: 'a' }],
    'none takes a jump away': ['Host a\n ProxyJump none\nHost *\n ProxyJump b\n', { host: 'a' }],
    'none takes keys, known hosts, agent and certificates away': [
      'IdentityFile none\nUserKnownHostsFile none\nGlobalKnownHostsFile none\nIdentityAgent none\nCertificateFile none\n',
      { host: 'a' },
    ],
    'the agent of a variable': ['IdentityAgent $SITE\n', { host: 'a' }],
    'alive, in time, and by which ways': [
      'ServerAliveInterval 7\nServerAliveCountMax 2\nConnectTimeout 9\nPubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nNumberOfPasswordPrompts 1\n',
      { host: 'a' },
    ],
    'strict and less strict': ['StrictHostKeyChecking accept-new\nHostKeyAlias cluster\n', { host: 'a' }],
    'only these keys': ['IdentitiesOnly yes\nStrictHostKeyChecking off\n', { host: 'a' }],
  }
  test.each(Object.entries(cases))('%s', async (_, [text, profile]) => {
    const { theirs, ours } = await both(text, profile)
    expect(ours).toEqual(theirs)
  })

  test('files that are included, by pattern, inside a block, and below it', async () => {
    mkdirSync(join(folder, 'conf.d'))
    write('User from-10\nHost a\n Port 1010\nHost *\n HostKeyAlias ten\n', 'conf.d/10')
    write('User from-20\nHost b\n Port 2020\n', 'conf.d/20')
    write('User hidden\n', 'conf.d/.hidden')
    for (const host of ['a', 'b', 'c']) {
      for (const text of [
        `Include "${folder}/conf.d/*"\nHost *\n User last\n`,
        `Host a\n Include ${folder}/conf.d/20 ${folder}/nothing-there\n Port 1\nHost *\n Port 9\n`,
        `Host b c\n Include ${folder}/conf.?/1?\nUser same-block\n`,
      ]) {
        const { theirs, ours } = await both(text, { host })
        expect(ours).toEqual(theirs)
      }
    }
  })

  test('any mixture of such lines', async () => {
    write('Host b\n Port 77\nMatch user x\n HostName included\n', 'included')
    const blocks = fc.constantFrom(
      'Host a',
      'Host b',
      'Host *',
      'Host a b !c',
      'Host "b" c',
      'Match all',
      'Match host a,h.org',
      'Match !host a',
      'Match originalhost b,c user x',
      'Match user x',
      'Match !user x,y host *',
      'Match exec "test %n = a"',
      'Match final host h.org',
      'Match canonical',
    )
    const says = fc.constantFrom(
      'Port 1',
      'Port=2',
      'User x',
      'User "y z"',
      'HostName h.org',
      'HostName %h.net',
      'IdentityFile ~/k%r',
      'IdentityFile /k-%h-%p',
      'IdentitiesOnly yes',
      'ProxyJump j,k:5',
      'ProxyJump none',
      'ProxyCommand nc "%h" %p',
      'UserKnownHostsFile /k ~/l-%k',
      'HostKeyAlias alias',
      'ServerAliveInterval 5',
      'Include included-file',
      '# nothing',
      '',
    )
    const configs = fc.array(fc.tuple(blocks, fc.array(says, { maxLength: 4 })), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(says, { maxLength: 2 }),
        configs,
        fc.constantFrom('a', 'b', 'c'),
        fc.constantFrom(undefined, 'x', 'bob'),
        async (head, config, host, user) => {
          const lines = [
            ...head,
            ...config.flatMap(([block, inner]) => [block, ...inner.map((line) => ` ${line}`)]),
          ]
          const text = `${lines.join('\n')}\n`.replaceAll('included-file', join(folder, 'included'))
          const { theirs, ours } = await both(text, { host, ...(user && { user }) })
          expect(ours).toEqual(theirs)
        },
      ),
      { numRuns: 150 },
    )
  })

  test.each(['Host "a', 'Port', 'Match host', 'Match nonsense a'])(
    'the line %j is refused by both, with its place',
    async (line) => {
      const sshConfig = write(`# first\n${line}\n`)
      await expect(askOpenSsh({ host: 'a' }, sshConfig, env)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      })
      expect(() => readSettings({ host: 'a' }, sshConfig, here(env))).toThrow(`${sshConfig}:2`)
    },
  )

  test('a file that includes itself is refused by both', async () => {
    const sshConfig = join(folder, 'circle')
    write(`Include ${sshConfig}\n`, 'circle')
    await expect(askOpenSsh({ host: 'a' }, sshConfig, env)).rejects.toThrow('Too many recursive')
    expect(() => readSettings({ host: 'a' }, sshConfig, here(env))).toThrow('include each other')
  })
})

const config = () =>
  write(`Host hpc
  HostName login.hpc.edu
  Port 2222
  User me
  IdentityFile ${folder}/hpc_key
  UserKnownHostsFile ${folder}/known
`)

test('an alias stands for host, port, user, key and known hosts', async () => {
  expect(await resolveTarget({ host: 'hpc', sshConfig: config() }, here(env))).toMatchObject({
    host: 'login.hpc.edu',
    port: 2222,
    user: 'me',
    keys: [`${folder}/hpc_key`],
    agent: '/agent',
    knownHosts: [`${folder}/known`, '/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'],
    way: undefined,
  })
})

test('what the profile says comes first', async () => {
  const profile = { host: 'hpc', port: 22, user: 'you', knownHosts: '/elsewhere', proxyJump: 'a@b:3,c' }
  expect(await resolveTarget({ ...profile, hostKey: 'accept-new', sshConfig: config() })).toMatchObject({
    host: 'login.hpc.edu',
    port: 22,
    user: 'you',
    knownHosts: ['/elsewhere'],
    way: { jump: { host: 'c', proxyJump: 'a@b:3', hostKey: 'accept-new' } },
  })
  const around = write('ProxyJump b\n')
  expect((await resolveTarget({ host: 'a', proxyJump: 'none', sshConfig: around })).way).toBeUndefined()
  expect(await resolveTarget({ host: 'you@hpc', sshConfig: config() })).toMatchObject({ user: 'you' })
})

test('a host that begins with a dash is no option of ssh', async () => {
  const target = resolveTarget({ host: '-oProxyCommand=touch /tmp/pwned' })
  await expect(target).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('without OpenSSH the same file is read', async () => {
  const sshConfig = config()
  const withIt = await resolveTarget({ host: 'hpc', sshConfig }, here(env))
  const without = await resolveTarget({ host: 'hpc', sshConfig }, here({ ...env, PATH: '/nonexistent' }))
  expect(without).toEqual(withIt)
  const missing = resolveTarget({ host: 'hpc', sshConfig: '/missing' }, here({ PATH: '/nonexistent' }))
  await expect(missing).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('settings that come more than once are all kept', () => {
  expect(parseSettings('user me\nidentityfile ~/a\nidentityfile ~/b c\nempty\n')).toEqual(
    new Map([
      ['user', ['me']],
      ['identityfile', ['~/a', '~/b c']],
    ]),
  )
})
