import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { descendants, isAlive, run } from './processes.ts'
import { type Sshd, startSshd } from './sshd.ts'

let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd({ env: { GREETING: 'hello there' } })
})
afterAll(() => sshd.stop())

const ssh = (command: string, server = sshd) =>
  run('ssh', [...server.sshArgs, `${server.user}@${server.host}`, command])

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

test('a plain user logs in with OpenSSH and has a home and the variables of the session', async () => {
  const { stdout } = await ssh(
    'id -un; pwd; echo "$GREETING"; id -u; file=$(mktemp ./farcall.XXXX) && rm "$file" && echo writable',
  )
  const [user, home, greeting, uid, writable] = stdout.split('\n')
  expect([user, home, greeting, writable]).toEqual([sshd.user, sshd.home, 'hello there', 'writable'])
  if (process.getuid?.() === 0) expect(uid).not.toBe('0')
})

test('the RSA key, hashed known hosts and the RSA host key serve as well', async () => {
  const target = [`${sshd.user}@${sshd.host}`, 'true']
  const instead = (from: string, to: string) => sshd.sshArgs.map((arg) => arg.replace(from, to))
  await run('ssh', [...instead(sshd.identityFile, sshd.rsaIdentityFile), ...target])
  await run('ssh', [...instead(sshd.knownHosts, sshd.hashedKnownHosts), ...target])
  await run('ssh', [
    ...instead(sshd.knownHosts, sshd.rsaKnownHosts),
    '-o',
    'HostKeyAlgorithms=rsa-sha2-512',
    ...target,
  ])
  expect(sshd.log()).toContain('Accepted publickey')
})

test('after stop nothing listens, no process and no folder is left, whatever a session still ran', async () => {
  const other = await startSshd()
  expect(await listens(other.port)).toBe(true)
  await ssh('nohup sleep 1000 >/dev/null 2>&1 & echo $! > pid', other)
  const hanging = ssh('sleep 1000', other).catch(() => 'cut off')
  await expect.poll(() => descendants([other.pid]).length, { timeout: 20_000 }).toBeGreaterThan(1)
  const pids = [other.pid, ...descendants([other.pid])]
  await other.stop()
  expect(await hanging).toBe('cut off')
  expect(await listens(other.port)).toBe(false)
  expect(pids.filter(isAlive)).toEqual([])
  expect(existsSync(dirname(other.knownHosts))).toBe(false)
  if (process.getuid?.() === 0) await expect(run('pgrep', ['-u', other.user])).rejects.toThrow()
})

test('two servers are up at once and share no user and no port', async () => {
  const others = await Promise.all([startSshd(), startSshd({ maxSessions: 1 })])
  try {
    const names = await Promise.all(others.map(async (other) => (await ssh('id -un', other)).stdout.trim()))
    if (process.getuid?.() === 0) expect(new Set([sshd.user, ...names]).size).toBe(3)
    expect(new Set([sshd.port, ...others.map((other) => other.port)]).size).toBe(3)
  } finally {
    await Promise.all(others.map((other) => other.stop()))
  }
})
