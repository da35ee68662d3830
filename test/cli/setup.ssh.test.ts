import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../client/helpers.ts'
import { type Sshd, type SshdOptions, startSshd } from '../clusters/sshd.ts'
import { removeFolder } from '../remove-folder.ts'
import { onTerminal, withoutTerminal } from '../transport/program.ts'

const main = `${root}dist/cli/main.js`
const password = "it's a secret"

/** A host that knows a password and no key, as a new account's. */
async function newHost(options: SshdOptions): Promise<Sshd & { fingerprint: string }> {
  const sshd = await startSshd({
    ...options,
    extra: ['AuthorizedKeysFile .ssh/authorized_keys', ...(options.extra ?? [])],
  })
  execFileSync('chpasswd', { input: `${sshd.user}:${password}\n` })
  const words = execFileSync('ssh-keygen', ['-l', '-f', `${sshd.hostKeyFile}.pub`], { encoding: 'utf8' })
  return { ...sshd, fingerprint: /SHA256:\S+/.exec(words)![0] }
}

/** Somebody with a home folder and an ssh configuration, who has never been there. */
function newcomer() {
  const home = mkdtempSync(join(tmpdir(), 'farcall-newcomer-'))
  const file = (name: string) => join(home, name)
  const text = (name: string) => readFileSync(file(name), 'utf8')
  mkdirSync(file('.ssh'), { mode: 0o700 })
  writeFileSync(
    file('.ssh/config'),
    `# mine\nHashKnownHosts no\n\n# all of them\nHost *\n  UserKnownHostsFile ${home}/.ssh/known_hosts\n`,
  )
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: home,
    TERM: 'xterm',
    LANG: 'C.UTF-8',
    PW: password,
  }
  // the machine may have commands of a Slurm that is not set up
  const flags = ['--ssh-config', file('.ssh/config'), '--scheduler', 'direct']
  return { home, file, text, env, flags, remove: () => removeFolder(home) }
}

const isRoot = process.getuid?.() === 0

describe.runIf(isRoot)('farcall setup', () => {
  let sshd: Awaited<ReturnType<typeof newHost>>
  const person = newcomer()
  beforeAll(async () => {
    sshd = await newHost({ extra: ['PasswordAuthentication yes'] })
  })
  afterAll(async () => {
    person.remove()
    await sshd.stop()
  })
  const setup = (...args: string[]) =>
    withoutTerminal(
      [main, 'setup', `${sshd.user}@${sshd.host}:${sshd.port}`, ...person.flags, ...args],
      person.env,
    )

  it('does nothing that it was not told, where there is nobody to ask', async () => {
    const unknown = await setup('--yes', '--password-env', 'PW')
    expect(unknown.exitCode).toBe(2)
    expect(unknown.stderr).toContain(`ssh-ed25519 ${sshd.fingerprint}`)
    expect(unknown.stderr).toContain(`hint: --host-key ${sshd.fingerprint} says yes`)
    const other = await setup('--yes', '--password-env', 'PW', '--host-key', 'SHA256:other')
    expect(other.stderr).toContain(`shows ssh-ed25519 ${sshd.fingerprint}, and not SHA256:other`)
    expect(existsSync(person.file('.ssh/known_hosts'))).toBe(false)
    const noKey = await setup('--host-key', sshd.fingerprint)
    expect(noKey.stderr).toContain(
      'error OPTION_INVALID: there is no terminal to ask: You have no key in ~/.ssh/id_ed25519',
    )
    const noPassword = await setup('--yes', '--host-key', sshd.fingerprint)
    expect(noPassword.stderr).toContain('--password-env NAME names the environment variable that holds it')
    expect(existsSync(join(sshd.home, '.ssh/authorized_keys'))).toBe(false)
    expect(existsSync(person.file('.config'))).toBe(false)
  })

  it('makes and installs a key, writes an entry and a profile, and ends with the doctor', async () => {
    mkdirSync(person.file('.config/farcall'), { recursive: true })
    writeFileSync(
      person.file('.config/farcall/config.yaml'),
      '# my places\nprofiles:\n  # no queue\n  here: { scheduler: direct }\n',
    )
    const { exitCode, stdout, stderr } = await setup(
      '--yes',
      '--password-env',
      'PW',
      '--host-key',
      sshd.fingerprint,
      '--name',
      'lab',
    )
    expect(stderr + stdout).toMatch(/All well( \(\d slow\))?: calls run here\./)
    expect(exitCode).toBe(0)
    expect(statSync(person.file('.ssh/id_ed25519')).mode & 0o777).toBe(0o600)
    const publicKey = person.text('.ssh/id_ed25519.pub').trim()
    expect(readFileSync(join(sshd.home, '.ssh/authorized_keys'), 'utf8')).toBe(`${publicKey}\n`)
    expect(stderr).toContain(publicKey)
    expect(person.text('.ssh/config')).toBe(
      `# mine\nHashKnownHosts no\n\nHost lab\n  HostName ${sshd.host}\n  User ${sshd.user}\n  Port ${sshd.port}\n` +
        `  IdentityFile ~/.ssh/id_ed25519\n\n# all of them\nHost *\n  UserKnownHostsFile ${person.home}/.ssh/known_hosts\n`,
    )
    expect(person.text('.config/farcall/config.yaml')).toBe(
      `# my places\nprofiles:\n  # no queue\n  here: { scheduler: direct }\n  lab:\n    scheduler: direct\n    host: lab\n    sshConfig: ${person.home}/.ssh/config\n`,
    )
    expect(stderr).toContain('+   lab:')
    expect(stderr + stdout).not.toContain(password)
  })

  it('changes nothing the second time, and leaves what is another one’s', async () => {
    const files = ['.ssh/config', '.ssh/known_hosts', '.ssh/id_ed25519', '.config/farcall/config.yaml']
    const before = files.map(person.text)
    const authorized = join(sshd.home, '.ssh/authorized_keys')
    const keys = readFileSync(authorized, 'utf8')
    const again = await setup('--yes', '--name', 'lab', '--no-job', '--key', person.file('.ssh/id_ed25519'))
    expect(again.stderr).toContain('lets you in by a key already')
    expect(again.stderr).toContain("has the profile 'lab' already")
    expect(again.exitCode).toBe(0)
    const taken = await setup(
      '--yes',
      '--name',
      'here',
      '--no-doctor',
      '--no-entry',
      '--key',
      person.file('.ssh/id_ed25519'),
    )
    expect(taken.exitCode).toBe(3)
    expect(taken.stderr).toContain("there is a profile 'here' already, and it says something else")
    expect(files.map(person.text)).toEqual(before)
    expect(readFileSync(authorized, 'utf8')).toBe(keys)
  })
})

describe.runIf(isRoot)('farcall setup on a terminal', () => {
  let sshd: Awaited<ReturnType<typeof newHost>>
  const person = newcomer()
  beforeAll(async () => {
    // asks by keyboard-interactive, as PAM does
    sshd = await newHost({
      pam: [
        'auth required pam_unix.so nodelay',
        'account required pam_permit.so',
        'session required pam_permit.so',
      ],
    })
  })
  afterAll(async () => {
    person.remove()
    await sshd.stop()
  })
  const argv = () => [
    main,
    'setup',
    `${sshd.user}@${sshd.host}:${sshd.port}`,
    '--name',
    'lab',
    ...person.flags,
  ]

  it('stops when it is told no, with nothing changed', async () => {
    const { screen, exitCode } = await onTerminal(argv(), [['right one?', 'n']], { env: person.env })
    expect(screen).toContain(sshd.fingerprint)
    expect(screen).toContain('As you like.')
    expect(exitCode).toBe(1)
    expect(existsSync(person.file('.ssh/known_hosts'))).toBe(false)
  })

  it('asks for each step, for the password once, and shows what it writes', async () => {
    const typing = [
      ['right one?', 'y'],
      ['Make one?', 'y'],
      ['Enter passphrase', '\r'],
      ['Enter same passphrase', '\r'],
      ['Install it', 'y'],
      ['Password:', `${password}\r`],
      ['Write that?', 'y'],
      [/config\.yaml[\s\S]*Write that\?/, 'y'],
    ] as const
    const { screen, exitCode } = await onTerminal([...argv(), '--no-job'], typing, { env: person.env })
    expect(screen).toContain(`+   HostName ${sshd.host}`)
    expect(screen).toContain('+     host: lab')
    expect(screen).toMatch(/All well as far as the login node( \(\d slow\))?; no job was tried\./)
    expect(screen).not.toContain(password)
    expect(screen.match(/Password:/g)!.length).toBeLessThanOrEqual(3) // drawn anew, asked once
    expect(exitCode).toBe(0)
    expect(readFileSync(join(sshd.home, '.ssh/authorized_keys'), 'utf8')).toBe(
      person.text('.ssh/id_ed25519.pub'),
    )
    expect(person.text('.config/farcall/config.yaml')).toContain(
      '  lab:\n    scheduler: direct\n    host: lab\n',
    )
  })
})
