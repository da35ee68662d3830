import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Profile } from '../../src/core/profile.ts'
import { openTransport } from '../../src/transport/open.ts'
import { type LoginQuestion, setLoginPrompt } from '../../src/transport/prompt.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { type OneTimeCodes, oneTimeCodes } from '../clusters/one-time.ts'
import { descendants, signal } from '../clusters/processes.ts'
import { type Sshd, startSshd } from '../clusters/sshd.ts'
import { type PlainUser, plainUser, setPassword } from '../clusters/user.ts'
import { removeFolder } from '../remove-folder.ts'
import { onTerminal, type Program, program, withoutTerminal } from './program.ts'

// PAM and passwords need root, and so does all of this file
const isRoot = process.getuid?.() === 0
const password = 'pass word 1'

let folder: string
let account: PlainUser
let codes: OneTimeCodes
/** Password, then a code; a key, then both; the password alone; keys alone. */
let mfa: Sshd
let keyAndMfa: Sshd
let byPassword: Sshd
let byKey: Sshd
let script: Program
const open: Transport[] = []

beforeAll(async () => {
  if (!isRoot) return
  folder = mkdtempSync(join(tmpdir(), 'farcall-interactive-'))
  account = await plainUser(join(folder, 'home'))
  execFileSync('chmod', ['755', folder])
  await setPassword(account.name, password)
  codes = oneTimeCodes(account.name, join(folder, 'oath'))
  const { pam } = codes
  mfa = await startSshd({ account, pam, extra: ['AuthenticationMethods keyboard-interactive'] })
  keyAndMfa = await startSshd({
    account,
    pam,
    extra: ['AuthenticationMethods publickey,keyboard-interactive:pam'],
  })
  byPassword = await startSshd({ account, extra: ['PasswordAuthentication yes', 'PubkeyAuthentication no'] })
  byKey = await startSshd({ account })
  script = await program(`
    import { openTransport } from './src/transport/open.ts'
    const transports = process.argv.slice(2).map((text) => openTransport(JSON.parse(Buffer.from(text, 'hex').toString())))
    const run = async () => {
      for (const transport of transports)
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
  if (!isRoot) return
  script.remove()
  await Promise.all([mfa, keyAndMfa, byPassword, byKey].map((sshd) => sshd.stop()))
  await account.remove()
  removeFolder(folder)
})
afterEach(async () => {
  setLoginPrompt(undefined)
  for (const transport of open.splice(0)) await transport[Symbol.asyncDispose]()
})

const profileOf = (sshd: Sshd, more: Partial<Profile> = {}): Profile => {
  const { host, port, user, knownHosts } = sshd
  return { scheduler: 'direct', host, port, user, knownHosts, sshConfig: '/dev/null', ...more }
}
function to(sshd: Sshd, more: Partial<Profile> = {}): Transport {
  const transport = openTransport(profileOf(sshd, more))
  open.push(transport)
  return transport
}
const hex = (profile: Profile) => Buffer.from(JSON.stringify(profile)).toString('hex')
const argv = (...profiles: Profile[]) => [script.file, ...profiles.map(hex)]
const env = { ...process.env, SSH_AUTH_SOCK: '', HPC_PASSWORD: password }
const logins = (sshd: Sshd) => sshd.log().match(/Accepted (publickey|password|keyboard)/g)?.length ?? 0
const text = async (transport: Transport, command: string) =>
  Buffer.from((await transport.exec({ argv: ['sh', '-c', command] })).stdout).toString()

/** Answers as a person would, and keeps what was asked. */
function person(answers: (text: string) => string) {
  const asked: LoginQuestion[] = []
  setLoginPrompt(async (question) => {
    asked.push(question)
    return question.prompts.map(({ text: shown }) => answers(shown))
  })
  return {
    asked,
    get texts() {
      return asked.flatMap(({ prompts }) => prompts.map(({ text: shown }) => shown.trim()))
    },
  }
}
const byHeart = (shown: string) =>
  /^Password/.test(shown) ? password : /One-time/.test(shown) ? codes.next() : ''

describe.runIf(isRoot)('a login that asks for a password and a one-time code', () => {
  test('is answered on the terminal, once for all that the program does', async () => {
    const before = logins(mfa)
    const code = codes.next()
    const { screen, exitCode } = await onTerminal(
      argv(profileOf(mfa), profileOf(mfa, { scheduler: 'slurm', workdir: '/elsewhere' })),
      [
        ['Password: ', `${password}\r`],
        ['One-time password', `${code}\r`],
      ],
      { env },
    )
    expect(screen).toContain('logged in')
    expect(screen).not.toContain(password)
    expect(screen.match(/Password: /g)).toHaveLength(1)
    expect(exitCode).toBe(0)
    expect(logins(mfa)).toBe(before + 1)
  })

  test('lets a wrong answer be followed by a right one', async () => {
    const { screen } = await onTerminal(
      argv(profileOf(mfa)),
      [
        ['Password: ', 'wrong\r'],
        ['Password: ', `${password}\r`],
        ['One-time password', `${codes.next()}\r`],
      ],
      { env },
    )
    expect(screen).toContain('logged in')
  })

  test('after three wrong ones is refused, and says what was tried', async () => {
    const wrong = [['Password: ', 'wrong\r'] as const]
    const { screen } = await onTerminal(argv(profileOf(mfa)), [...wrong, ...wrong, ...wrong], { env })
    expect(screen).toContain('LOGIN_REFUSED')
    expect(screen).toContain('keyboard-interactive')
    expect(screen).not.toContain('wrong')
  })

  test('can be left by Ctrl-C, which ends the program', async () => {
    const { screen, exitCode } = await onTerminal(argv(profileOf(mfa)), [['Password: ', '\x03']], { env })
    expect(screen).not.toContain('logged in')
    expect(exitCode).toBe(130)
  })

  test('takes the password from the profile and asks for the code alone', async () => {
    const { screen } = await onTerminal(
      argv(profileOf(mfa, { password: { env: 'HPC_PASSWORD' } })),
      [['One-time password', `${codes.next()}\r`]],
      { env },
    )
    expect(screen).toContain('logged in')
    expect(screen).not.toContain('Password: ')
  })

  test('without a terminal fails at once with what it asks and the way out', async () => {
    const profile = profileOf(mfa, { password: { env: 'HPC_PASSWORD' } })
    const { stdout, exitCode } = await withoutTerminal(argv(profile), env)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^LOGIN_INTERACTIVE: .*asks "One-time password \(OATH\) for/)
    expect(stdout).toContain('setLoginPrompt')
    expect(stdout).not.toContain(password)
  })

  test('comes after a key, with what is left to ask', async () => {
    const { identityFile } = keyAndMfa
    const { screen } = await onTerminal(
      argv(profileOf(keyAndMfa, { identityFile })),
      [
        ['Password: ', `${password}\r`],
        ['One-time password', `${codes.next()}\r`],
      ],
      { env },
    )
    expect(screen).toContain('logged in')
    const { stdout } = await withoutTerminal(argv(profileOf(keyAndMfa, { identityFile })), env)
    expect(stdout).toMatch(/^LOGIN_INTERACTIVE: .*asks "Password:"/)
  })

  test('comes after a key of the agent as well', async () => {
    const socket = join(folder, 'agent')
    const started = execFileSync('ssh-agent', ['-a', socket, '-s'], { encoding: 'utf8' })
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started)?.[1])
    const before = process.env.SSH_AUTH_SOCK
    try {
      process.env.SSH_AUTH_SOCK = socket
      execFileSync('ssh-add', ['-q', keyAndMfa.rsaIdentityFile, keyAndMfa.identityFile], { stdio: 'ignore' })
      const someone = person(byHeart)
      const transport = to(keyAndMfa)
      await transport.open()
      expect(someone.texts).toEqual(['Password:', expect.stringContaining('One-time')])
      expect(await text(transport, 'echo in')).toBe('in\n')
    } finally {
      process.kill(pid)
      if (before === undefined) delete process.env.SSH_AUTH_SOCK
      else process.env.SSH_AUTH_SOCK = before
    }
  })

  test('is shared by transports that are opened together and after each other', async () => {
    const someone = person(byHeart)
    const before = logins(mfa)
    const [one, two] = [to(mfa), to(mfa)]
    await Promise.all([one.open(), two.open()])
    await one[Symbol.asyncDispose]()
    await expect(one.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    const three = to(mfa)
    expect(await text(three, 'echo three')).toBe('three\n')
    expect(await text(two, 'echo two')).toBe('two\n')
    expect(someone.texts).toEqual(['Password:', expect.stringContaining('One-time')])
    expect(logins(mfa)).toBe(before + 1)
  })

  test('that is lost is not asked for again by the dozen: one question first, which says why', async () => {
    let release = () => {}
    const back = new Promise<void>((resolve) => {
      release = resolve
    })
    const asked: string[] = []
    setLoginPrompt(async ({ instructions, prompts }) => {
      asked.push(`${instructions.split('\n')[0]}|${prompts[0]!.text}`)
      if (prompts[0]!.text.startsWith('Press Enter')) await back
      return prompts.map(({ text: shown }) => byHeart(shown))
    })
    const transport = to(mfa)
    await transport.open()
    asked.length = 0
    signal(descendants([mfa.pid]), 'SIGKILL')
    await expect
      .poll(
        () =>
          transport.exec({ argv: ['true'] }).then(
            () => 'up',
            (error) => error.code,
          ),
        {
          timeout: 30_000,
          interval: 10,
        },
      )
      .toBe('CONNECTION_LOST')
    const many = Promise.all(Array.from({ length: 12 }, (_, i) => text(transport, `echo ${i}`)))
    await expect.poll(() => asked.length).toBe(1)
    expect(asked[0]).toMatch(/the connection was lost.*\|Press Enter to log in again: $/)
    release()
    expect(await many).toHaveLength(12)
    expect(asked).toHaveLength(3)
  })

  test('that nobody can answer again is an error for all who wait, and no further login', async () => {
    const someone = person(byHeart)
    const transport = to(mfa)
    await transport.open()
    const before = mfa.log().match(/Connection from/g)!.length
    setLoginPrompt(undefined)
    signal(descendants([mfa.pid]), 'SIGKILL')
    await expect
      .poll(
        () =>
          transport.exec({ argv: ['true'] }).then(
            () => 'up',
            (error) => error.code,
          ),
        {
          timeout: 30_000,
          interval: 10,
        },
      )
      .toBe('LOGIN_INTERACTIVE')
    expect(mfa.log().match(/Connection from/g)!.length).toBe(before)
    expect(someone.asked).toHaveLength(2)
  })
})

describe.runIf(isRoot)('passwords and passphrases', () => {
  test('a password is asked for on the terminal, or comes from the named variable', async () => {
    const { screen } = await onTerminal(argv(profileOf(byPassword)), [[/'s password: /, `${password}\r`]], {
      env,
    })
    expect(screen).toContain('logged in')
    const profile = profileOf(byPassword, { password: { env: 'HPC_PASSWORD' } })
    expect((await withoutTerminal(argv(profile), env)).stdout).toBe('logged in\n')
  })

  test('without a terminal a password that nobody gave is a refusal that names the ways out', async () => {
    const { stdout } = await withoutTerminal(argv(profileOf(byPassword)), env)
    expect(stdout).toMatch(/^LOGIN_REFUSED: .*the server takes password/)
    expect(stdout).toContain('run it in a terminal to be asked')
  })

  test('a passphrase is asked for once the server takes the key, and again when it does not fit', async () => {
    const { encryptedIdentityFile: identityFile, passphrase } = byKey
    const { screen } = await onTerminal(
      argv(profileOf(byKey, { identityFile })),
      [
        [`Enter passphrase for key '${identityFile}': `, 'not it\r'],
        ['Enter passphrase for key', `${passphrase}\r`],
      ],
      { env },
    )
    expect(screen).toContain('logged in')
    expect(screen).not.toContain(passphrase)
  })

  test('no passphrase is asked for a key that the server does not take', async () => {
    const stranger = join(folder, 'stranger')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', stranger])
    for (const withPublic of [true, false]) {
      if (!withPublic) rmSync(`${stranger}.pub`)
      const someone = person(() => 'secret')
      await expect(to(byKey, { identityFile: stranger }).open()).rejects.toMatchObject({
        code: 'LOGIN_REFUSED',
      })
      expect(someone.asked).toEqual([])
    }
  })
})
