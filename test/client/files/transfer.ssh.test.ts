import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Readable, Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, inject, test } from 'vitest'
import { clusterFiles } from '../../../src/executor/files/cluster-files.ts'
import { logInByOpenssh } from '../../../src/transport/openssh-login.ts'
import { createSshTransport } from '../../../src/transport/ssh.ts'
import type { LogIn, SshSettings } from '../../../src/transport/ssh-link.ts'
import type { Transport } from '../../../src/transport/transport.ts'
import { removeFolder } from '../../remove-folder.ts'
import { loginProfile } from '../left.ts'
import { sha, transferSuite } from './transfer-suite.ts'

const sshd = inject('sshd')
const transport = (how?: LogIn, settings: SshSettings = {}) => {
  const { host = sshd.host, ...profile } = loginProfile({})
  return createSshTransport({ ...profile, host }, settings, how)
}

transferSuite('over ssh', async () => clusterFiles(transport(), false))

test('a connection that is cut again and again only delays a large file, up and down', {
  timeout: 150_000,
}, async () => {
  const folder = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'cut-'))
  const large = randomBytes(150_000_000)
  writeFileSync(join(folder, 'large'), large)
  await using over = transport()
  const fs = clusterFiles(over, false)
  // The session's own process, and with it the connection: each time that much more has arrived.
  const cutter = transport()
  let [cuts, next] = [0, 40_000_000]
  const cutting: Promise<unknown>[] = []
  const cut = ({ bytes }: { bytes: number }) => {
    if (bytes < next) return
    next += 60_000_000
    cuts++
    cutting.push(cutter.exec({ argv: ['sh', '-c', killOthers] }))
  }
  await fs.put(join(folder, 'large'), 'cut/large', { onProgress: cut })
  expect(sha(readFileSync(`${sshd.home}/cut/large`))).toBe(sha(large))
  expect((await fs.ls('cut')).map(({ name }) => name)).toEqual(['large'])
  await Promise.all(cutting)
  const up = cuts
  next = 40_000_000
  await fs.get('cut/large', join(folder, 'back'), { onProgress: cut })
  expect(sha(readFileSync(join(folder, 'back')))).toBe(sha(large))
  await Promise.all(cutting)
  expect([up > 0, cuts > up]).toEqual([true, true])
  await cutter[Symbol.asyncDispose]()
  removeFolder(folder)
})

/** A connection whose rsyncs are counted, with the words that the far one gets; after so many bytes it waits for `held`. */
function counted(how?: LogIn, held = (_bytes: number): Promise<void> | undefined => undefined) {
  const over = transport(how)
  const programs: string[] = []
  const pipe: Transport['pipe'] = (argv, use) => {
    programs.push(argv.slice(6, 8).join(' '))
    return over.pipe(argv, (streams) => {
      let bytes = 0
      const passing = () =>
        new Transform({
          async transform(chunk: Buffer, _, done) {
            bytes += chunk.length
            await held(bytes)
            done(null, chunk)
          },
        })
      const [stdin, stdout] = [passing(), passing()]
      // A connection that is cut ends these; rsync tells of it.
      pipeline(stdin, streams.stdin as Writable).catch(() => {})
      pipeline(streams.stdout as Readable, stdout).catch(() => {})
      return use({ ...streams, stdin, stdout })
    })
  }
  const fs = clusterFiles(
    new Proxy(over, { get: (of, key) => (key === 'pipe' ? pipe : Reflect.get(of, key)) }),
    false,
  )
  return { fs, programs, [Symbol.asyncDispose]: () => over[Symbol.asyncDispose]() }
}

for (const [name, how] of [
  ['ssh2', undefined],
  ["the system's ssh", logInByOpenssh],
] as const)
  test(`what differs of large files goes by rsync, through ${name}, past what .bashrc prints`, async () => {
    const folder = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'rsync-'))
    const change = (path: string) => {
      const content = Buffer.alloc(3_000_000, 'x')
      randomBytes(10).copy(content, 1_700_000)
      writeFileSync(path, content)
    }
    const same = () =>
      sha(readFileSync(join(folder, 'large'))) === sha(readFileSync(`${sshd.home}/rsync/large`))
    const rc = ['.bashrc', '.profile', '.bash_profile'].map((file) => join(sshd.home, file))
    const before = rc.map((file) => (existsSync(file) ? readFileSync(file) : undefined))
    for (const file of rc) writeFileSync(file, 'echo hello\n')
    try {
      await using over = counted(how)
      change(join(folder, 'large'))
      await over.fs.sync(folder, 'rsync', { direction: 'up' })
      change(join(folder, 'large'))
      await over.fs.sync(folder, 'rsync', { direction: 'up', compare: 'hash' })
      expect([same(), over.programs]).toEqual([true, ['rsync --server']])
      change(`${sshd.home}/rsync/large`)
      await over.fs.sync(folder, 'rsync', { direction: 'down', compare: 'hash' })
      expect([same(), over.programs.length]).toEqual([true, 2])

      change(join(folder, 'large'))
      const old = readFileSync(`${sshd.home}/rsync/large`)
      chmodSync(`${sshd.home}/rsync`, 0o555)
      await expect(over.fs.sync(folder, 'rsync', { direction: 'up', compare: 'hash' })).rejects.toMatchObject(
        { code: 'FILE_DENIED' },
      )
      expect(readFileSync(`${sshd.home}/rsync/large`).equals(old)).toBe(true)
    } finally {
      for (const [at, file] of rc.entries())
        if (before[at]) writeFileSync(file, before[at])
        else rmSync(file)
      removeFolder(folder)
      removeFolder(join(sshd.home, 'rsync'))
    }
  })

test('a connection that is cut only delays an rsync, up and down', { timeout: 150_000 }, async () => {
  const folder = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'cut-'))
  const write = (path: string) => {
    writeFileSync(path, randomBytes(60_000_000))
  }
  const same = () => sha(readFileSync(join(folder, 'large'))) === sha(readFileSync(`${sshd.home}/cut/large`))
  // The first run does not get past 30 MB before it is cut.
  let cutIsMade = Promise.resolve()
  await using over = counted(undefined, (bytes) => (bytes > 30_000_000 ? cutIsMade : undefined))
  // a connection of its own, which stays
  const cutter = transport(undefined, { keepaliveMs: 20_000 })
  await cutter.open()
  /** Once a part of the file is there. */
  const cut = async (target: string) => {
    const begun = () =>
      readdirSync(target, { recursive: true, withFileTypes: true }).some(
        ({ name, parentPath }) =>
          name.startsWith('large.') &&
          (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0) > 5_000_000,
      )
    await expect.poll(begun, { interval: 5, timeout: 30_000 }).toBe(true)
    await cutter.exec({ argv: ['sh', '-c', killOthers] })
  }
  write(join(folder, 'large'))
  await over.fs.sync(folder, 'cut', { direction: 'up' })
  for (const direction of ['up', 'down'] as const) {
    write(direction === 'up' ? join(folder, 'large') : `${sshd.home}/cut/large`)
    over.programs.length = 0
    const cutting = cut(direction === 'up' ? `${sshd.home}/cut` : folder)
    cutIsMade = cutting.catch(() => {}) // it is awaited below
    await over.fs.sync(folder, 'cut', { direction, compare: 'hash' })
    await cutting
    expect([same(), over.programs.length > 1]).toEqual([true, true])
    expect([readdirSync(folder), readdirSync(`${sshd.home}/cut`)]).toEqual([['large'], ['large']])
  }
  await cutter[Symbol.asyncDispose]()
  removeFolder(folder)
})

/** Ends all sessions of this user but the one that this runs in. */
const killOthers = `own=$(ps -o ppid= -p "$PPID" | tr -d ' ')
for p in $(pgrep -u "$(id -u)" -f '^sshd:'); do
  case " $own $PPID $(ps -o ppid= -p "$own" | tr -d ' ') " in *" $p "*) ;; *) kill -KILL "$p" ;; esac
done`
