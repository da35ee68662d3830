import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Profile } from '../../src/core/profile.ts'
import { createSshTransport } from '../../src/transport/ssh.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { freePorts } from '../clusters/processes.ts'
import { type Sshd, startSshd } from '../clusters/sshd.ts'
import { removeFolder } from '../remove-folder.ts'

let sshd: Sshd
let folder: string
const open: Transport[] = []
beforeAll(async () => {
  sshd = await startSshd()
  folder = mkdtempSync(join(tmpdir(), 'farcall-login-'))
})
afterAll(async () => {
  await sshd.stop()
  removeFolder(folder)
})
afterEach(async () => {
  for (const transport of open.splice(0)) await transport[Symbol.asyncDispose]()
})

function to(profile: Partial<Profile>, settings = {}): Transport {
  const { host, port, user, identityFile, knownHosts } = sshd
  const transport = createSshTransport(
    { scheduler: 'direct', host, port, user, identityFile, knownHosts, ...profile },
    settings,
  )
  open.push(transport)
  return transport
}
const without = (field: keyof Profile, profile: Partial<Profile> = {}) => {
  const { host, port, user, identityFile, knownHosts } = sshd
  const { [field]: _, ...rest } = { host, port, user, identityFile, knownHosts, ...profile }
  const transport = createSshTransport({ scheduler: 'direct', host, ...rest })
  open.push(transport)
  return transport
}
const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const failure = (transport: Transport) =>
  transport.open().then(
    () => expect.fail('it opened'),
    (error) => error,
  )

describe('host keys', () => {
  test('plain, hashed, and an RSA key known alone are all accepted', async () => {
    for (const knownHosts of [sshd.knownHosts, sshd.hashedKnownHosts, sshd.rsaKnownHosts])
      await to({ knownHosts }).open()
  })

  test('an unknown host is refused, with its fingerprint and the way out', async () => {
    const error = await failure(to({ knownHosts: join(folder, 'nothing-here') }))
    const printed = execFileSync('ssh-keygen', ['-l', '-f', `${sshd.hostKeyFile}.pub`], { encoding: 'utf8' })
    expect(error.code).toBe('HOST_KEY_UNKNOWN')
    expect(error.message).toContain(printed.split(' ')[1])
    expect(error.hint).toContain('accept-new')
    expect(error.transient).toBe(false)
  })

  test('accept-new adds an unknown host once, and knows it from then on', async () => {
    const knownHosts = file('accepts', 'other ssh-ed25519 AAAA')
    await to({ knownHosts, hostKey: 'accept-new' }).open()
    await to({ knownHosts, hostKey: 'strict' }).open()
    expect(readFileSync(knownHosts, 'utf8')).toBe(
      `other ssh-ed25519 AAAA\n${readFileSync(sshd.knownHosts, 'utf8')}`,
    )
  })

  test('a changed key is refused even with accept-new, and the file stays as it is', async () => {
    const other = readFileSync(`${sshd.identityFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const text = `# first\n[127.0.0.1]:${sshd.port} ${other}\n`
    const knownHosts = file('changed', text)
    const error = await failure(to({ knownHosts, hostKey: 'accept-new' }))
    expect(error.code).toBe('HOST_KEY_CHANGED')
    expect(error.message).toContain(`${knownHosts}:2`)
    expect(error.hint).toContain('ssh-keygen')
    expect(readFileSync(knownHosts, 'utf8')).toBe(text)
  })

  test('a revoked key is refused though it is known', async () => {
    const known = readFileSync(sshd.knownHosts, 'utf8')
    const error = await failure(
      to({ knownHosts: file('revoked', `${known}@revoked * ${known.split(' ').slice(1).join(' ')}`) }),
    )
    expect(error.code).toBe('HOST_KEY_REVOKED')
    expect(error.hint).toContain('revoked:2')
  })

  test('a host known by a certificate authority gets told which transport knows certificates', async () => {
    const known = readFileSync(sshd.knownHosts, 'utf8')
    const error = await failure(to({ knownHosts: file('authority', `@cert-authority ${known}`) }))
    expect(error.code).toBe('HOST_KEY_UNKNOWN')
    expect(error.hint).toContain("transport: 'openssh'")
  })
})

describe('logging in', () => {
  test('works by an RSA key, and by an encrypted key with its passphrase from the named variable', async () => {
    await to({ identityFile: sshd.rsaIdentityFile }).open()
    process.env.FARCALL_TEST_PASSPHRASE = sshd.passphrase
    const profile = {
      identityFile: sshd.encryptedIdentityFile,
      passphrase: { env: 'FARCALL_TEST_PASSPHRASE' },
    }
    await to(profile).open()
    process.env.FARCALL_TEST_PASSPHRASE = 'not it'
    const error = await failure(to(profile))
    delete process.env.FARCALL_TEST_PASSPHRASE
    expect(error.code).toBe('LOGIN_REFUSED')
    expect(error.message).toContain('the passphrase does not open it')
    expect(error.message).not.toContain('not it')
    await expect(to(profile).open()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('FARCALL_TEST_PASSPHRASE is not set'),
    })
  })

  test('works by the keys of an ssh-agent', async () => {
    const socket = join(folder, 'agent')
    const started = execFileSync('ssh-agent', ['-a', socket, '-s'], { encoding: 'utf8' })
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started)?.[1])
    const before = process.env.SSH_AUTH_SOCK
    try {
      process.env.SSH_AUTH_SOCK = socket
      const error = await failure(without('identityFile'))
      expect(error.message).toContain('agent')
      execFileSync('ssh-add', ['-q', sshd.identityFile], { env: { ...process.env }, stdio: 'ignore' })
      const transport = without('identityFile')
      expect((await transport.exec({ argv: ['true'] })).exitCode).toBe(0)
    } finally {
      process.kill(pid)
      if (before === undefined) delete process.env.SSH_AUTH_SOCK
      else process.env.SSH_AUTH_SOCK = before
    }
  })

  test('goes on with a key when the named agent is not there', async () => {
    const before = process.env.SSH_AUTH_SOCK
    try {
      process.env.SSH_AUTH_SOCK = join(folder, 'no-agent')
      const error = await failure(without('identityFile'))
      expect(error.code).toBe('LOGIN_REFUSED')
      await to({}).open()
    } finally {
      if (before === undefined) delete process.env.SSH_AUTH_SOCK
      else process.env.SSH_AUTH_SOCK = before
    }
  })

  test('that is refused says what was tried and what the server takes', async () => {
    const stranger = join(folder, 'stranger')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stranger])
    const error = await failure(to({ identityFile: stranger }))
    expect(error.code).toBe('LOGIN_REFUSED')
    expect(error.message).toContain(`tried ${stranger}`)
    expect(error.message).toContain('the server takes publickey')
    expect(error.hint).toContain('identityFile')
    expect(error.transient).toBe(false)
  })

  test('with a key file that is missing, public or broken names the file', async () => {
    copyFileSync(`${sshd.identityFile}.pub`, join(folder, 'public'))
    for (const name of ['missing', 'public', file('broken', 'x').split('/').pop()!])
      await expect(to({ identityFile: join(folder, name) }).open()).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(name),
      })
  })
})

describe('a host that cannot be reached', () => {
  test('because nothing listens is HOST_UNREACHABLE', async () => {
    const [port] = await freePorts(1)
    const error = await failure(to({ port: port! }))
    expect(error.code).toBe('HOST_UNREACHABLE')
    expect(error.message).toContain(`port ${port}`)
    expect(error.transient).toBe(true)
  })

  test('because its name is not known is HOST_UNREACHABLE', async () => {
    const error = await failure(to({ host: 'no-such-host.invalid' }))
    expect(error.code).toBe('HOST_UNREACHABLE')
    expect(error.message).toContain('no-such-host.invalid')
  })

  test('because it never answers, or is no ssh server, is HOST_UNREACHABLE', async () => {
    const silent = createServer(() => {})
    const web = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    try {
      for (const server of [silent, web]) {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        const { port } = server.address() as { port: number }
        const error = await failure(to({ port }, { connectTimeoutMs: 500 }))
        expect(error.code).toBe('HOST_UNREACHABLE')
      }
    } finally {
      silent.close()
      web.close()
    }
  })

  test('is tried again by the next call', async () => {
    const [port] = await freePorts(1)
    const transport = to({ port: port!, knownHosts: join(folder, 'again'), hostKey: 'accept-new' })
    await expect(transport.open()).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' })
    const other = await startSshd({ extra: [`Port ${port}`], user: sshd.user })
    try {
      await expect(transport.open()).rejects.toMatchObject({ code: 'LOGIN_REFUSED' })
    } finally {
      await other.stop()
    }
  })
})
