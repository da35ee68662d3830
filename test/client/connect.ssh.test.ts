import { afterEach, expect, inject, test } from 'vitest'
import { close, cluster, configure, connect, TransportError } from '../../src/index.ts'
import { loginProfile } from './left.ts'

const sshd = inject('sshd')
afterEach(close)

test('commands run there: exit code, both outputs, stdin, a time limit, a signal', async () => {
  configure({ profiles: { login: loginProfile({}) } })
  const there = await connect('login')
  expect(there.name).toBe(`${sshd.user}@${sshd.host}:${sshd.port}`)
  expect(await there.run(['sh', '-c', 'id -un; echo oh >&2; exit 3'])).toEqual({
    exitCode: 3,
    stdout: `${sshd.user}\n`,
    stderr: 'oh\n',
  })
  expect((await there.run(['cat'], { stdin: 'héllo' })).stdout).toBe('héllo')
  expect((await there.run(['printf', '%s', "it's $HOME\n"])).stdout).toBe("it's $HOME\n")
  expect((await there.run(['no-such-program'])).exitCode).toBe(127)
  await expect(there.run(['sleep', '60'], { timeout: 0.2 })).rejects.toMatchObject({
    code: 'COMMAND_TIMEOUT',
  })
  const signal = AbortSignal.timeout(200)
  await expect(there.run(['sleep', '60'], { signal })).rejects.toBe(await reasonOf(signal))
  // @ts-expect-error a line is no list of words
  await expect(there.run('ls -l')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

const reasonOf = (signal: AbortSignal) =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    else signal.addEventListener('abort', () => resolve(signal.reason))
  })

test('relative paths and ~ are the home folder there', async () => {
  configure({ profiles: { login: loginProfile({}) } })
  const { fs } = await connect('login')
  await fs.write('some/notes.txt', 'here')
  expect(await fs.read('~/some/notes.txt', 'utf8')).toBe('here')
  expect(await fs.read(`${sshd.home}/some/notes.txt`, 'utf8')).toBe('here')
  expect((await fs.ls('some')).map(({ path }) => path)).toEqual(['some/notes.txt'])
  expect(await fs.glob('~/so*/*')).toEqual(['~/some/notes.txt'])
  await fs.write('./~', 'a file of that name')
  expect(await fs.read('./~', 'utf8')).toBe('a file of that name')
  await fs.remove('./~')
  await fs.remove('some', { recursive: true })
})

test('jobs and open clusters share one connection; the last one closes it', async () => {
  configure({ profiles: { login: loginProfile({}) } })
  const one = await connect('login')
  const two = await connect('login')
  const sshdOf = async () => (await two.run(['sh', '-c', 'echo "$SSH_CONNECTION"'])).stdout
  const before = await sshdOf()
  await one.close()
  await expect(one.run(['true'])).rejects.toBeInstanceOf(TransportError)
  expect(await sshdOf()).toBe(before)
  const job = cluster({ profile: 'login' }, () => process.env['SSH_CONNECTION'])()
  expect(`${await job}\n`).toBe(before)
  expect((await two.jobs()).map(({ id }) => id)).toContain(job.id)
  await two[Symbol.asyncDispose]()
  await using three = await connect('login')
  expect((await three.run(['sh', '-c', 'echo "$SSH_CONNECTION"'])).stdout).not.toBe(before)
})
