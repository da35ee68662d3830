import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Profile } from '../../src/core/profile.ts'
import { openTransport } from '../../src/transport/open.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { type OtherHost, otherHost } from '../clusters/netns.ts'
import { descendants, signal } from '../clusters/processes.ts'
import { type Sshd, startSshd } from '../clusters/sshd.ts'
import { removeFolder } from '../remove-folder.ts'
import { program, withoutTerminal } from './program.ts'

// Where the machine allows it the bastion is another host, and middle and target listen on its loopback alone
let other: OtherHost | undefined
let bastion: Sshd
let middle: Sshd
let target: Sshd
let folder: string
let sshConfig: string
const open: Transport[] = []

beforeAll(async () => {
  other = await otherHost()
  const inside = other ? { netns: other.netns } : {}
  bastion = await startSshd({ ...inside, ...(other && { listen: other.address }) })
  middle = await startSshd(inside)
  target = await startSshd(inside)
  folder = mkdtempSync(join(tmpdir(), 'farcall-jump-'))
  sshConfig = write({})
})
afterAll(async () => {
  await Promise.all([bastion, middle, target].map((sshd) => sshd.stop()))
  await other?.remove()
  removeFolder(folder)
})
afterEach(async () => {
  for (const transport of open.splice(0)) await transport[Symbol.asyncDispose]()
})

let files = 0
/** The configuration of a user who has all three in it. */
function write(more: Partial<Record<'bastion' | 'middle' | 'target', string>>): string {
  const host = (name: keyof typeof more, sshd: Sshd, lines: string) => `Host ${name}
  ${more[name] ?? ''}
  HostName ${sshd.host}
  Port ${sshd.port}
  User ${sshd.user}
  IdentityFile ${sshd.identityFile}
  IdentitiesOnly yes
  UserKnownHostsFile ${sshd.knownHosts}
  ${lines}
`
  const file = join(folder, `config-${++files}`)
  writeFileSync(
    file,
    host('bastion', bastion, '') +
      host('middle', middle, 'ProxyJump bastion') +
      host('target', target, 'ProxyJump bastion'),
  )
  return file
}

function to(host: string, profile: Partial<Profile> = {}): Transport {
  const transport = openTransport({ scheduler: 'direct', host, sshConfig, ...profile })
  open.push(transport)
  return transport
}
const whoami = async (transport: Transport) =>
  Buffer.from((await transport.exec({ argv: ['whoami'] })).stdout)
    .toString()
    .trim()
const logins = (sshd: Sshd) => sshd.log().match(/Accepted publickey/g)?.length ?? 0

test.runIf(process.getuid?.() === 0)('the target is out of reach from here', async () => {
  expect(other).toBeDefined()
  const { host, port, user, identityFile, knownHosts } = target
  const direct = to(host, { port, user, identityFile, knownHosts })
  await expect(direct.open()).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' })
})

test('a host behind another is reached over it, large files too', async () => {
  const transport = to('target')
  expect(await whoami(transport)).toBe(target.user)
  expect(transport.name).toBe(`${target.user}@127.0.0.1:${target.port}`)
  const large = Buffer.alloc(3_000_000, 'x')
  await transport.put([{ path: 'large', content: large }])
  expect(Buffer.from((await transport.get('large'))!).equals(large)).toBe(true)
})

test('over two hosts, as the configuration says and as the profile says', async () => {
  const before = [logins(middle), logins(target)]
  expect(await whoami(to('target', { proxyJump: 'middle' }))).toBe(target.user)
  expect(await whoami(to('target', { proxyJump: 'bastion,middle', user: target.user }))).toBe(target.user)
  expect([logins(middle), logins(target)]).toEqual([before[0]! + 2, before[1]! + 2])
})

test('two profiles behind one bastion log in there once', async () => {
  const before = logins(bastion)
  await Promise.all([whoami(to('target')), whoami(to('middle'))])
  await Promise.all([whoami(to('target')), whoami(to('bastion'))])
  expect(logins(bastion)).toBe(before + 1)
})

test('when the bastion drops it, it is reached again', async () => {
  const transport = to('target')
  await transport.open()
  const pending = transport.exec({ argv: ['sleep', '4721'] })
  pending.catch(() => {})
  await expect.poll(() => descendants([target.pid]).length).toBeGreaterThan(1)
  signal(descendants([bastion.pid]), 'SIGKILL')
  await expect(pending).rejects.toMatchObject({ code: 'CONNECTION_LOST', transient: true })
  expect(await whoami(transport)).toBe(target.user)
})

test('each host is checked by its own known_hosts', async () => {
  const wrong = join(folder, 'wrong')
  for (const [name, sshd] of [
    ['bastion', bastion],
    ['target', target],
  ] as const) {
    const key = readFileSync(`${sshd.identityFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    writeFileSync(wrong, `[${sshd.host}]:${sshd.port} ${key}\n`)
    const transport = to('target', { sshConfig: write({ [name]: `UserKnownHostsFile ${wrong}` }) })
    await expect(transport.open()).rejects.toMatchObject({
      code: 'HOST_KEY_CHANGED',
      message: expect.stringContaining(String(sshd.port)),
    })
  }
})

test('StrictHostKeyChecking accept-new holds for the host that says so, and an alias names it', async () => {
  const accepted = join(folder, 'accepted')
  const more = `UserKnownHostsFile ${accepted}\n  StrictHostKeyChecking accept-new\n  HostKeyAlias cluster`
  await to('target', { sshConfig: write({ target: more }) }).open()
  expect(readFileSync(accepted, 'utf8')).toMatch(/^cluster ssh-ed25519 \S+\n$/)
  const strict = `UserKnownHostsFile ${accepted}\n  HostKeyAlias cluster`
  await to('target', { sshConfig: write({ target: strict }) }).open()
})

test('an unknown bastion is refused by its name', async () => {
  const transport = to('target', { sshConfig: write({ bastion: 'UserKnownHostsFile /dev/null' }) })
  await expect(transport.open()).rejects.toMatchObject({
    code: 'HOST_KEY_UNKNOWN',
    message: expect.stringContaining(`[${bastion.host}]:${bastion.port}`),
  })
})

test('a bastion that cannot reach the target says so', async () => {
  await expect(to('target', { port: 1 }).open()).rejects.toMatchObject({
    code: 'HOST_UNREACHABLE',
    message: expect.stringMatching(/:1: .*@.* does not reach it: .*Connection refused/),
    transient: true,
  })
})

test('a way that leads over itself is refused, and no bastion is asked', async () => {
  const before = logins(bastion)
  const circle = to('target', { sshConfig: write({ bastion: 'ProxyJump middle' }) })
  await expect(circle.open()).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('leads over'),
  })
  expect(logins(bastion)).toBe(before)
})

test('a ProxyCommand is the way, and its words are told when it fails', async () => {
  const ssh = `ssh -F ${write({})} -W %h:%p bastion`
  const transport = to('target', { sshConfig: write({ target: `ProxyCommand ${ssh}` }) })
  expect(await whoami(transport)).toBe(target.user)
  const broken = to('target', {
    sshConfig: write({ target: 'ProxyCommand sh -c "echo no way to %h >&2; exit 3"' }),
  })
  await expect(broken.open()).rejects.toMatchObject({
    code: 'HOST_UNREACHABLE',
    message: expect.stringContaining('ended with 3: no way to 127.0.0.1'),
  })
})

test('a program that goes over a bastion or a command ends when it has its answer', async () => {
  const ssh = `ssh -F ${write({})} -W %h:%p bastion`
  const script = await program(`
    import { openTransport } from './src/transport/open.ts'
    const transport = openTransport({ scheduler: 'direct', host: 'target', sshConfig: process.argv[2] })
    transport.exec({ argv: ['sh', '-c', 'sleep 0.3; echo done'] }).then(({ stdout }) => console.log(String(Buffer.from(stdout)).trim()))
  `)
  try {
    for (const config of [sshConfig, write({ target: `ProxyCommand ${ssh}` })]) {
      const begun = Date.now()
      expect(await withoutTerminal([script.file, config])).toMatchObject({ exitCode: 0, stdout: 'done\n' })
      // Not by what ends by itself after a minute.
      expect(Date.now() - begun).toBeLessThan(30_000)
    }
  } finally {
    script.remove()
  }
})

test('without OpenSSH on this machine the same way is found', async () => {
  const before = process.env.PATH
  process.env.PATH = '/nonexistent'
  try {
    expect(await whoami(to('target', { sshConfig: write({}) }))).toBe(target.user)
  } finally {
    process.env.PATH = before
  }
})

test('each hop logs in by its own agent and its own keys', async () => {
  const socket = join(folder, 'agent')
  const started = execFileSync('ssh-agent', ['-a', socket, '-s'], { encoding: 'utf8' })
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started)?.[1])
  try {
    const env = { ...process.env, SSH_AUTH_SOCK: socket }
    execFileSync('ssh-add', ['-q', bastion.identityFile], { env, stdio: 'ignore' })
    // the public part alone is here; the private one is in the agent
    const publicKey = join(folder, 'of-bastion')
    copyFileSync(`${bastion.identityFile}.pub`, publicKey)
    chmodSync(publicKey, 0o600)
    const more = `IdentityAgent ${socket}\n  IdentityFile ${publicKey}`
    const config = readFileSync(write({ bastion: more }), 'utf8').replace(
      `  IdentityFile ${bastion.identityFile}\n`,
      '',
    )
    const file = join(folder, 'agents')
    writeFileSync(file, config)
    expect(await whoami(to('target', { sshConfig: file }))).toBe(target.user)
  } finally {
    process.kill(pid)
  }
})
