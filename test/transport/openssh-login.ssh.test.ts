import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Profile } from '../../src/core/profile.ts'
import { openTransport } from '../../src/transport/open.ts'
import { setLoginPrompt } from '../../src/transport/prompt.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { type OneTimeCodes, oneTimeCodes } from '../clusters/one-time.ts'
import { descendants, freePorts, processesWhere, signal } from '../clusters/processes.ts'
import { type Sshd, startSshd } from '../clusters/sshd.ts'
import { type PlainUser, plainUser, setPassword } from '../clusters/user.ts'
import { removeFolder } from '../remove-folder.ts'
import { onTerminal, type Program, program, withoutTerminal } from './program.ts'

const isRoot = process.getuid?.() === 0
const password = 'pass word 1'

let folder: string
let account: PlainUser
let byKey: Sshd
const open: Transport[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-openssh-'))
  execFileSync('chmod', ['755', folder])
  account = await plainUser(join(folder, 'home'))
  byKey = await startSshd({ account })
})
afterAll(async () => {
  await byKey.stop()
  await account.remove()
  removeFolder(folder)
})
afterEach(async () => {
  setLoginPrompt(undefined)
  for (const transport of open.splice(0)) await transport[Symbol.asyncDispose]()
})

const profileOf = (sshd: Sshd, more: Partial<Profile> = {}): Profile => {
  const { host, port, user, knownHosts } = sshd
  return {
    scheduler: 'direct',
    transport: 'openssh',
    host,
    port,
    user,
    knownHosts,
    sshConfig: '/dev/null',
    ...more,
  }
}
function to(sshd: Sshd, more: Partial<Profile> = {}): Transport {
  const transport = openTransport(profileOf(sshd, { identityFile: sshd.identityFile, ...more }))
  open.push(transport)
  return transport
}
const failure = (transport: Transport) =>
  transport.open().then(
    () => expect.fail('it opened'),
    (error) => error,
  )
const text = async (transport: Transport, command: string) =>
  Buffer.from((await transport.exec({ argv: ['sh', '-c', command] })).stdout).toString()
const logins = (sshd: Sshd) => sshd.log().match(/Accepted (publickey|password|keyboard)/g)?.length ?? 0
/** ssh processes in the background that belong to this server. */
const masters = (sshd: Sshd) =>
  processesWhere(
    (argv) => /^ssh\0/.test(argv) && argv.includes(`\0${sshd.port}\0`) && argv.includes('ControlMaster=yes'),
  )
const write = (name: string, content: string) => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

describe('what ssh says at the login', () => {
  test('about host keys', async () => {
    const unknown = await failure(to(byKey, { knownHosts: join(folder, 'nobody') }))
    expect(unknown.code).toBe('HOST_KEY_UNKNOWN')
    const other = readFileSync(`${byKey.identityFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const known = write('changed', `[127.0.0.1]:${byKey.port} ${other}\n`)
    const changed = await failure(to(byKey, { knownHosts: known, hostKey: 'accept-new' }))
    expect(changed.code).toBe('HOST_KEY_CHANGED')
    expect(changed.hint).toContain(`${known}:1`)
    const key = readFileSync(`${byKey.hostKeyFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const revoked = await failure(to(byKey, { knownHosts: write('revoked', `@revoked * ${key}\n`) }))
    expect(revoked.code).toBe('HOST_KEY_REVOKED')
    await to(byKey, { knownHosts: join(folder, 'new'), hostKey: 'accept-new' }).open()
    expect(readFileSync(join(folder, 'new'), 'utf8')).toContain('ssh-ed25519')
  })

  test('a changed key is refused though the configuration checks none', async () => {
    const other = readFileSync(`${byKey.identityFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const knownHosts = write('changed', `[127.0.0.1]:${byKey.port} ${other}\n`)
    const sshConfig = write('careless', 'StrictHostKeyChecking no\n')
    expect((await failure(to(byKey, { knownHosts, sshConfig }))).code).toBe('HOST_KEY_CHANGED')
  })

  test('about keys that are not taken', async () => {
    const stranger = join(folder, 'stranger')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stranger])
    const error = await failure(to(byKey, { identityFile: stranger }))
    expect(error.code).toBe('LOGIN_REFUSED')
    expect(error.message).toContain('Permission denied (publickey)')
  })

  test('about hosts that cannot be reached', async () => {
    const [port] = await freePorts(1)
    expect(await failure(to(byKey, { port: port! }))).toMatchObject({
      code: 'HOST_UNREACHABLE',
      message: expect.stringContaining('Connection refused'),
      transient: true,
    })
    expect((await failure(to(byKey, { host: 'no-such-host.invalid' }))).code).toBe('HOST_UNREACHABLE')
  })

  test('nothing, because there is no ssh', async () => {
    const before = process.env.PATH
    process.env.PATH = '/nonexistent'
    try {
      expect(await failure(to(byKey))).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('on PATH'),
      })
    } finally {
      process.env.PATH = before
    }
  })
})

describe('the master', () => {
  test('is one for all transports, and ends with the last of them', async () => {
    const before = logins(byKey)
    const [one, two] = [to(byKey), to(byKey)]
    await Promise.all([text(one, 'true'), text(two, 'true')])
    expect(logins(byKey)).toBe(before + 1)
    expect(masters(byKey)).toHaveLength(1)
    await one[Symbol.asyncDispose]()
    expect(await text(two, 'echo two')).toBe('two\n')
    await two[Symbol.asyncDispose]()
    await expect.poll(() => masters(byKey)).toEqual([])
  })

  test('of the user is used, and left running', async () => {
    const socket = join(folder, 'own')
    const sshConfig = write('with-master', `Host *\n ControlPath ${folder}/o%%wn\n`.replace('o%%wn', 'own'))
    const { host, user, port, identityFile, knownHosts } = byKey
    const login = [
      '-F',
      sshConfig,
      '-p',
      String(port),
      '-i',
      identityFile,
      '-o',
      `UserKnownHostsFile=${knownHosts}`,
    ]
    execFileSync('ssh', [...login, '-M', '-N', '-f', `${user}@${host}`], { stdio: 'ignore' })
    try {
      const before = logins(byKey)
      // no key is named: only the master can let us in
      const transport = to(byKey, { identityFile: '/nonexistent/key', sshConfig })
      expect(await text(transport, 'echo over')).toBe('over\n')
      await transport[Symbol.asyncDispose]()
      expect(logins(byKey)).toBe(before)
      expect(spawnSync('ssh', ['-S', socket, '-O', 'check', host]).status).toBe(0)
    } finally {
      spawnSync('ssh', ['-S', socket, '-O', 'exit', host])
    }
  })

  test('that ends makes the pending fail and the next call connect again', async () => {
    const transport = to(byKey)
    await text(transport, 'true')
    const pending = transport.exec({ argv: ['sleep', '4731'] })
    const failed = expect(pending).rejects.toMatchObject({ code: 'CONNECTION_LOST', transient: true })
    await expect.poll(() => processesWhere((argv) => argv === 'sleep\x004731\0')).not.toEqual([])
    signal(masters(byKey), 'SIGKILL')
    await failed
    expect(await text(transport, 'echo again')).toBe('again\n')
  })

  test('ends with a program that ends by itself, and soon after one that is killed', async () => {
    const script = await program(`
      import { openTransport } from './src/transport/open.ts'
      const transport = openTransport(JSON.parse(process.argv[2]))
      transport.exec({ argv: ['true'] }).then(() => {
        console.log('done')
        if (process.argv[3] === 'killed') process.kill(process.pid, 'SIGKILL')
      })
    `)
    try {
      const { identityFile } = byKey
      const profile = JSON.stringify(profileOf(byKey, { identityFile }))
      const env = { ...process.env, TMPDIR: folder, XDG_RUNTIME_DIR: '' }
      expect(await withoutTerminal([script.file, profile, 'ended'], env)).toMatchObject({ stdout: 'done\n' })
      // Told to end; sooner than ControlPersist would have it.
      await expect.poll(() => masters(byKey), { timeout: 20_000 }).toEqual([])
      expect(readdirSync(folder).filter((name) => name.startsWith('farcall-'))).toEqual([])
      await withoutTerminal([script.file, profile, 'killed'], env)
      const [master] = masters(byKey)
      expect(master).toBeDefined()
      // its sessions are over, and so it counts the minute that ControlPersist gives it
      await expect.poll(() => descendants([byKey.pid]).length).toBeLessThanOrEqual(2)
      signal(masters(byKey), 'SIGTERM')
    } finally {
      script.remove()
    }
  })

  test.each([1, 2])(
    'with MaxSessions %i commands queue, and large files go both ways',
    async (maxSessions) => {
      const sshd = await startSshd({ account, maxSessions })
      try {
        const transport = to(sshd)
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, i) => text(transport, `sleep 0.05; echo ${i}`)),
        )
        expect(answers).toEqual(Array.from({ length: 8 }, (_, i) => `${i}\n`))
        expect(transport.concurrency).toBe(maxSessions)
        expect(logins(sshd)).toBe(1)
        const large = randomBytes(3_000_000)
        await transport.put([{ path: 'large', content: large }])
        expect(Buffer.from((await transport.get('large'))!).equals(large)).toBe(true)
        await expect(transport.exec({ argv: ['sleep', '4733'] }, { timeoutMs: 200 })).rejects.toMatchObject({
          code: 'COMMAND_TIMEOUT',
        })
        expect(await text(transport, 'echo after')).toBe('after\n')
        await expect.poll(() => text(transport, 'pgrep -f "sleep 473[3]"')).toBe('')
      } finally {
        for (const transport of open.splice(0)) await transport[Symbol.asyncDispose]()
        await sshd.stop()
      }
    },
  )
})

test('hosts and users that are known by certificates get in, and ssh2 says that this way would do', async () => {
  const ca = join(folder, 'ca')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', ca])
  const user = join(folder, 'certified')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', user])
  execFileSync('ssh-keygen', ['-q', '-s', ca, '-I', 'me', '-n', account.name, `${user}.pub`])
  const certificate = join(folder, 'host-cert.pub')
  const sshd = await startSshd({
    account,
    extra: [`TrustedUserCAKeys ${ca}.pub`, `HostCertificate ${certificate}`],
  })
  try {
    // made once the host has its key; sshd reads it when it is asked to
    writeFileSync(join(folder, 'host.pub'), readFileSync(`${sshd.hostKeyFile}.pub`))
    execFileSync('ssh-keygen', [
      '-q',
      '-s',
      ca,
      '-I',
      'host',
      '-h',
      '-n',
      '127.0.0.1',
      join(folder, 'host.pub'),
    ])
    process.kill(sshd.pid, 'SIGHUP')
    const authority = readFileSync(`${ca}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const knownHosts = write('authority', `@cert-authority * ${authority}\n`)
    await expect
      .poll(() => failure(to(sshd, { identityFile: user, knownHosts, transport: 'ssh' })).catch(() => ({})), {
        timeout: 30_000,
      })
      .toMatchObject({ code: 'HOST_KEY_UNKNOWN', hint: expect.stringContaining("transport: 'openssh'") })
    const refused = await failure(to(sshd, { identityFile: user, transport: 'ssh' }))
    expect(refused).toMatchObject({
      code: 'LOGIN_REFUSED',
      hint: expect.stringContaining(`the certificate ${user}-cert.pub`),
    })
    const transport = to(sshd, { identityFile: user, knownHosts })
    expect((await text(transport, 'whoami')).trim()).toBe(account.name)
    expect(sshd.log()).toContain('ED25519-CERT')
  } finally {
    for (const transport of open.splice(0)) await transport[Symbol.asyncDispose]()
    await sshd.stop()
  }
})

test('jump hosts are gone over as the configuration says', async () => {
  const target = await startSshd({ account })
  const hostOf = (name: string, sshd: Sshd, more = '') =>
    `Host ${name}\n HostName 127.0.0.1\n Port ${sshd.port}\n User ${sshd.user}\n IdentityFile ${sshd.identityFile}\n UserKnownHostsFile ${sshd.knownHosts}\n ${more}\n`
  try {
    const sshConfig = write('jump', hostOf('bastion', byKey) + hostOf('target', target, 'ProxyJump bastion'))
    const before = logins(byKey)
    const transport = openTransport({ scheduler: 'direct', transport: 'openssh', host: 'target', sshConfig })
    open.push(transport)
    expect((await text(transport, 'whoami')).trim()).toBe(account.name)
    expect(logins(byKey)).toBe(before + 1)
  } finally {
    for (const transport of open.splice(0)) await transport[Symbol.asyncDispose]()
    await target.stop()
  }
})

describe.runIf(isRoot)('what is asked', () => {
  let codes: OneTimeCodes
  let mfa: Sshd
  let byPassword: Sshd
  let script: Program
  const env = { ...process.env, SSH_AUTH_SOCK: '', HPC_PASSWORD: password }
  const hex = (profile: Profile) => Buffer.from(JSON.stringify(profile)).toString('hex')
  beforeAll(async () => {
    await setPassword(account.name, password)
    codes = oneTimeCodes(account.name, join(folder, 'oath'))
    mfa = await startSshd({ account, pam: codes.pam, extra: ['AuthenticationMethods keyboard-interactive'] })
    byPassword = await startSshd({
      account,
      extra: ['PasswordAuthentication yes', 'PubkeyAuthentication no'],
    })
    script = await program(`
      import { openTransport } from './src/transport/open.ts'
      const transport = openTransport(JSON.parse(Buffer.from(process.argv[2], 'hex').toString()))
      const run = async () => {
        for (let i = 0; i < 3; i++) await transport.exec({ argv: ['true'] })
        console.log('logged ' + 'in')
      }
      run().catch((error) => {
        console.log(error.code + ': ' + error.message)
        process.exitCode = 1
      })
    `)
  })
  afterAll(async () => {
    script.remove()
    await Promise.all([mfa, byPassword].map((sshd) => sshd.stop()))
  })

  test('is asked by ssh itself on the terminal', async () => {
    const { screen } = await onTerminal(
      [script.file, hex(profileOf(mfa))],
      [
        ['Password: ', `${password}\r`],
        ['One-time password', `${codes.next()}\r`],
      ],
      { env },
    )
    expect(screen).toContain('logged in')
    expect(screen).not.toContain(password)
  })

  test('is answered by setLoginPrompt', async () => {
    const asked: string[] = []
    setLoginPrompt(async ({ prompts }) => {
      asked.push(prompts[0]!.text)
      return [/One-time/.test(prompts[0]!.text) ? codes.next() : password]
    })
    const transport = to(mfa, { identityFile: '/nonexistent/key' })
    expect(await text(transport, 'echo in')).toBe('in\n')
    expect(asked).toEqual([expect.stringContaining('Password:'), expect.stringContaining('One-time')])
  })

  test('is a password that comes from its variable, and never stands in a command line', async () => {
    const profile = profileOf(byPassword, { password: { env: 'HPC_PASSWORD' } })
    let seen = 0
    const watching = setInterval(() => {
      seen += processesWhere((argv) => argv.includes(password)).length
    }, 5)
    const { stdout } = await withoutTerminal([script.file, hex(profile)], env)
    clearInterval(watching)
    expect(stdout).toBe('logged in\n')
    expect(seen).toBe(0)
  })

  test('without a terminal is told with the way out', async () => {
    const { stdout } = await withoutTerminal([script.file, hex(profileOf(mfa))], env)
    expect(stdout).toMatch(/^LOGIN_REFUSED: .*Permission denied \(keyboard-interactive\)/)
    expect(stdout).toContain('run it in a terminal')
    const profile = profileOf(mfa, { password: { env: 'HPC_PASSWORD' } })
    const asked = await withoutTerminal([script.file, hex(profile)], env)
    expect(asked.stdout).toMatch(/^LOGIN_INTERACTIVE: .*One-time password/)
  })

  test('for an encrypted key is its passphrase, from its variable', async () => {
    const profile = profileOf(byKey, {
      identityFile: byKey.encryptedIdentityFile,
      passphrase: { env: 'HPC_PASSPHRASE' },
    })
    const { stdout } = await withoutTerminal([script.file, hex(profile)], {
      ...env,
      HPC_PASSPHRASE: byKey.passphrase,
    })
    expect(stdout).toBe('logged in\n')
  })
})
