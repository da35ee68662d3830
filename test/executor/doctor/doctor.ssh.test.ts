import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, inject, it } from 'vitest'
import type { Profile } from '../../../src/core/profile.ts'
import { startSshd } from '../../clusters/sshd.ts'
import { removeFolder } from '../../remove-folder.ts'
import { at, steps, troubles } from './steps.ts'

const sshd = inject('sshd')
const { host, port, user, identityFile, knownHosts, home } = sshd
const profile: Profile = { scheduler: 'direct', host, port, user, identityFile, knownHosts }

const folder = mkdtempSync(join(tmpdir(), 'farcall-doctor-'))
chmodSync(folder, 0o755)
afterAll(() => removeFolder(folder))

const names = (found: Awaited<ReturnType<typeof steps>>) => found.map(({ name }) => name)

describe('the doctor over ssh', () => {
  it('finds all well where nothing is wrong', async () => {
    const found = await steps(profile)
    expect(troubles(found)).toEqual([])
    expect(at(found, 'shell')).toMatchObject({
      found: expect.stringMatching(
        /^(\/bin\/bash starts in [\d.]+ m?s and prints nothing|\.bashrc takes [\d.]+ s to start a shell)$/,
      ),
      facts: { shell: '/bin/bash', noise: '' },
    })
    expect(at(found, 'compute-node').found).toContain(process.version)
  })

  it('stops at a name that is not there', async () => {
    const found = await steps({ ...profile, host: 'no-such-host.invalid' })
    expect(names(found)).toEqual(['name'])
    expect(at(found, 'name')).toMatchObject({ verdict: 'failed', code: 'HOST_UNREACHABLE' })
    expect(at(found, 'name').found).toContain('no-such-host.invalid')
  })

  it('stops at a port where nothing listens, or something else', async () => {
    // Below those that are given to whoever asks for any.
    const free = 1
    const closed = await steps({ ...profile, port: free })
    expect(names(closed)).toEqual(['name', 'port'])
    expect(at(closed, 'port')).toMatchObject({
      verdict: 'failed',
      found: `${host} is there, and nothing listens on its port ${free}`,
      hint: expect.stringContaining('check `port` of the profile'),
    })
    const web = createServer().listen(0, '127.0.0.1')
    // an HTTP server waits for its client, as an SSH server does not
    web.on('connection', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise((resolve) => web.once('listening', resolve))
    const { port: webPort } = web.address() as AddressInfo
    const other = await steps({ ...profile, port: webPort })
    web.close()
    expect(at(other, 'port').found).toBe(
      `what answers on port ${webPort} of ${host} is no SSH server; it says "HTTP/1.1 400 Bad Request"`,
    )
  })

  it('stops at a host key that is not known, or another one', async () => {
    const none = join(folder, 'known_none')
    writeFileSync(none, '')
    const unknown = await steps({ ...profile, knownHosts: none })
    expect(names(unknown)).toEqual(['name', 'port', 'host-key'])
    expect(at(unknown, 'host-key')).toMatchObject({
      verdict: 'failed',
      code: 'HOST_KEY_UNKNOWN',
      found: expect.stringMatching(/SHA256:/),
      hint: expect.stringContaining('compare it with what the cluster publishes'),
    })
    const changed = join(folder, 'known_changed')
    const key = readFileSync(`${identityFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    writeFileSync(changed, `[${host}]:${port} ${key}\n`)
    const other = await steps({ ...profile, knownHosts: changed })
    expect(at(other, 'host-key')).toMatchObject({ verdict: 'failed', code: 'HOST_KEY_CHANGED' })
  })

  it('stops at a login that is refused, and says what was tried', async () => {
    const stranger = join(folder, 'id_stranger')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stranger])
    const found = await steps({ ...profile, identityFile: stranger })
    expect(names(found)).toEqual(['name', 'port', 'host-key', 'login'])
    expect(at(found, 'login')).toMatchObject({
      verdict: 'failed',
      code: 'LOGIN_REFUSED',
      found: expect.stringContaining(stranger),
    })
  })

  it('tells a .bashrc that speaks, and goes on', async () => {
    const file = join(home, '.bashrc')
    const before = readFileSync(file, 'utf8')
    writeFileSync(file, `echo "Welcome to the lab!"\n${before}`)
    try {
      const found = await steps(profile)
      expect(troubles(found)).toEqual(['shell: warning'])
      expect(at(found, 'shell')).toMatchObject({
        found: '.bashrc prints something where there is no terminal: "Welcome to the lab!"',
        hint: expect.stringContaining('[ -t 1 ]'),
      })
      writeFileSync(file, `sleep 2.2\n${before}`)
      const slow = await steps(profile, { job: false })
      expect(at(slow, 'shell')).toMatchObject({
        verdict: 'slow',
        found: expect.stringMatching(/^\.bashrc takes [\d.]+ s to start a shell$/),
      })
      expect(at(slow, 'shell').facts?.['seconds']).toBeGreaterThanOrEqual(2.2)
    } finally {
      writeFileSync(file, before)
    }
  })

  it('tells a work folder that others may write to, and asks the scheduler all the same', async () => {
    const workdir = join(home, 'shared')
    mkdirSync(workdir)
    execFileSync('chown', [user, workdir])
    chmodSync(workdir, 0o770)
    const found = await steps({ ...profile, workdir })
    expect(troubles(found)).toEqual(['permissions: failed', 'job: skipped'])
    expect(at(found, 'permissions')).toMatchObject({ code: 'WORKDIR_UNSAFE', hint: `chmod go-w ${workdir}` })
    expect(at(found, 'scheduler').verdict).toBe('ok')
  })

  it('looks at the jump host first, and names it', async () => {
    const config = join(folder, 'ssh_config')
    const login = `  User ${user}\n  IdentityFile ${identityFile}\n  UserKnownHostsFile ${knownHosts}\n`
    writeFileSync(
      config,
      `Host bastion\n  HostName ${host}\n  Port ${port}\n${login}Host inner\n  HostName localhost\n  HostKeyAlias [${host}]:${port}\n  Port ${port}\n  ProxyJump bastion\n${login}`,
    )
    const found = await steps({ scheduler: 'direct', host: 'inner', sshConfig: config }, { job: false })
    expect(at(found, 'name').found).toContain('the jump host on the way to localhost')
    expect(troubles(found)).toEqual(['job: skipped'])
    const closed = await steps(
      { scheduler: 'direct', host: 'inner', sshConfig: config, port: 1 },
      { job: false },
    )
    expect(names(closed).at(-1)).toBe('port')
    expect(closed.at(-1)).toMatchObject({ verdict: 'failed', code: 'HOST_UNREACHABLE' })
  })

  it.runIf(process.getuid?.() === 0)('tells a disk that is full', async () => {
    const full = join(folder, 'full')
    mkdirSync(full, { mode: 0o777 })
    const there = await startSshd({ privateMounts: { [full]: 'size=256k,mode=777' } })
    try {
      const { host, port, user, identityFile, knownHosts } = there
      const workdir = join(full, 'work')
      const found = await steps({ ...profile, host, port, user, identityFile, knownHosts, workdir })
      expect(at(found, 'space')).toMatchObject({
        verdict: 'failed',
        code: 'WORKDIR_UNUSABLE',
        found: expect.stringContaining('No space left on device'),
      })
    } finally {
      await there.stop()
    }
  })
})
