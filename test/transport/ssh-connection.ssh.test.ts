import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdtempSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterEach, expect, test } from 'vitest'
import { createSshTransport } from '../../src/transport/ssh.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { descendants, processesWhere, signal } from '../clusters/processes.ts'
import { type Sshd, type SshdOptions, startSshd } from '../clusters/sshd.ts'
import { removeFolder } from '../remove-folder.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function up(options: SshdOptions = {}): Promise<Sshd> {
  const sshd = await startSshd(options)
  cleanups.push(() => sshd.stop())
  return sshd
}
function to(sshd: Sshd, settings = {}): Transport {
  const { host, port, user, identityFile, knownHosts } = sshd
  const profile = { scheduler: 'direct', host, port, user, identityFile, knownHosts }
  const transport = createSshTransport(profile, settings)
  cleanups.push(() => transport[Symbol.asyncDispose]() as Promise<void>)
  return transport
}
/** A port that leads to another, each byte so many milliseconds later. */
async function delayed(port: number, ms: number): Promise<number> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true)
      from.on('data', (chunk) => setTimeout(() => into.write(chunk), ms))
      from.on('close', () => into.destroy())
      from.on('error', () => into.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => void server.close())
  return (server.address() as AddressInfo).port
}
const text = async (transport: Transport, script: string) =>
  Buffer.from((await transport.exec({ argv: ['sh', '-c', script] })).stdout).toString()

test('what login files print or read harms nothing, and their PATH holds', async () => {
  const sshd = await up()
  const noise =
    'echo noise; echo noise >&2; printf "no newline"; cat; read x; export PATH="$HOME/site/bin:$PATH"\n'
  const transport = to(sshd)
  for (const name of ['.profile', '.bash_profile']) appendFileSync(join(sshd.home, name), `${noise}cd /tmp\n`)
  appendFileSync(join(sshd.home, '.bashrc'), 'echo rc noise; echo rc noise >&2\n')
  const result = await transport.exec({ argv: ['sh', '-c', 'pwd; echo "$PATH"'] })
  const [folder, path] = Buffer.from(result.stdout).toString().split('\n')
  expect(folder).toBe(sshd.home)
  expect(path).toMatch(`${sshd.home}/site/bin:`)
  expect(result.stderr).toBe('')
  expect(transport.roundTrips).toBe(1)
})

test('a login file that ends the shell is told with its words', async () => {
  const sshd = await up()
  appendFileSync(join(sshd.home, '.profile'), 'echo quota exceeded >&2; exit 1\n')
  await expect(to(sshd).exec({ argv: ['true'] })).rejects.toMatchObject({
    code: 'LOGIN_REFUSED',
    message: expect.stringContaining('quota exceeded'),
  })
})

test.each([1, 2, 3])(
  'with MaxSessions %i commands queue, and large files go both ways',
  async (maxSessions) => {
    const sshd = await up({ maxSessions })
    const transport = to(sshd)
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => text(transport, `sleep 0.05; echo ${i}`)),
    )
    expect(answers).toEqual(Array.from({ length: 12 }, (_, i) => `${i}\n`))
    expect(transport.concurrency).toBe(maxSessions)
    const large = randomBytes(3_000_000)
    const put = (name: string) => transport.put([{ path: name, content: large }])
    await Promise.all([put('a'), put('b'), text(transport, 'sleep 0.2'), text(transport, 'sleep 0.2')])
    for (const name of ['a', 'b']) expect(Buffer.from((await transport.get(name))!).equals(large)).toBe(true)
    await expect(transport.exec({ argv: ['sleep', '4713'] }, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'COMMAND_TIMEOUT',
    })
    expect(await text(transport, 'echo after')).toBe('after\n')
    await expect.poll(() => text(transport, 'pgrep -f "sleep 471[3]"; true')).toBe('')
  },
)

// sshd passes no signals on for root, and old ones for nobody
test.runIf(process.getuid?.() === 0).each([1, 2])(
  'a server with %i sessions that passes no signals on: what takes too long is ended all the same',
  async (maxSessions) => {
    const transport = to(await up({ maxSessions, user: 'root' }))
    await expect(
      transport.exec({ argv: ['sh', '-c', 'sleep 4717 & sleep 4717'] }, { timeoutMs: 200 }),
    ).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' })
    await expect
      .poll(() => text(transport, 'ps -eo stat,args | grep "[0-9a-zA-Z] sleep 471[7]" | grep -v "^Z"; true'))
      .toBe('')
  },
)

test('a shell that is killed loses its command and not the connection', async () => {
  const transport = to(await up())
  await expect(transport.exec({ argv: ['sh', '-c', 'kill -KILL $PPID; sleep 1'] })).rejects.toMatchObject({
    code: 'CONNECTION_LOST',
  })
  expect(await text(transport, 'echo next')).toBe('next\n')
})

test('a command given up while it waits for a shell never runs, and takes no shell away', async () => {
  const transport = to(await up({ maxSessions: 1 }))
  await transport.exec({ argv: ['true'] })
  const busy = text(transport, 'sleep 0.6; echo busy')
  await expect(transport.exec({ argv: ['touch', 'ran'] }, { timeoutMs: 100 })).rejects.toMatchObject({
    code: 'COMMAND_TIMEOUT',
  })
  expect(await busy).toBe('busy\n')
  expect(await text(transport, 'echo next')).toBe('next\n')
  expect(await transport.stat('ran')).toBeUndefined()
})

test('a command, small files and a small file back cost one round trip each, on the wire', async () => {
  const sshd = await up()
  const oneWay = 100
  const port = await delayed(sshd.port, oneWay)
  const { host, user, identityFile } = sshd
  const transport = createSshTransport({
    scheduler: 'direct',
    host,
    port,
    user,
    identityFile,
    knownHosts: join(sshd.home, 'known'),
    hostKey: 'accept-new',
  })
  cleanups.push(() => transport[Symbol.asyncDispose]() as Promise<void>)
  await transport.exec({ argv: ['true'] })
  const files = ['a', 'b', 'c'].map((name) => ({ path: `folder/${name}`, content: randomBytes(1000) }))
  const works = {
    exec: () => transport.exec({ argv: ['true'] }),
    put: () => transport.put(files),
    get: () => transport.get('folder/a'),
    list: () => transport.list('folder'),
    stat: () => transport.stat('folder/a'),
    remove: () => transport.remove(['folder']),
  }
  for (const [what, work] of Object.entries(works)) {
    // the least of some tries: a busy disk or processor only ever adds
    let trips = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 15 && trips >= 2; tries++) {
      await transport.put(files)
      const begun = performance.now()
      await work()
      trips = Math.min(trips, (performance.now() - begun) / (2 * oneWay))
    }
    expect({ what, trips: Math.floor(trips) }).toEqual({ what, trips: 1 })
  }
})

test('a lost connection rejects all that is pending at once, and the next call connects again', async () => {
  const sshd = await up()
  const transport = to(sshd)
  await transport.put([{ path: 'seed', content: randomBytes(2_000_000) }]) // opens SFTP as well
  const large = randomBytes(60_000_000)
  const pending = [
    ...Array.from({ length: 6 }, () => transport.exec({ argv: ['sleep', '4714'] })),
    transport.put([{ path: 'large', content: large }]),
    transport.get('seed'),
  ]
  const settled = Promise.allSettled(pending)
  await expect.poll(() => descendants([sshd.pid]).length).toBeGreaterThan(3)
  const begun = Date.now()
  // stopped first: a shell that outlives its command for a moment would tell how that ended
  const sessions = descendants([sshd.pid])
  signal(sessions, 'SIGSTOP')
  signal(sessions, 'SIGKILL')
  const results = await settled
  expect(Date.now() - begun).toBeLessThan(20_000)
  for (const result of results.slice(0, 6))
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'CONNECTION_LOST', transient: true } })
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason.code).toBe('CONNECTION_LOST')
  expect(await text(transport, 'echo again')).toBe('again\n')
  expect(await transport.stat('large')).toBeUndefined()
  await transport.put([{ path: 'large', content: large }])
  expect(await transport.stat('large')).toMatchObject({ size: large.length })
})

test('when only the SFTP process ends, a transfer is rejected as transient, and the next one opens it again', async () => {
  // one shell and SFTP: a session that the server still counts would show
  const sshd = await up({ maxSessions: 2 })
  const transport = to(sshd)
  const here = join(sshd.home, 'here')
  writeFileSync(here, '')
  truncateSync(here, 400_000_000)
  const shell = await text(transport, 'echo $PPID')
  const sftp = () => processesWhere((argv) => /internal-sftp/.test(argv)).filter(isOurs)
  const isOurs = (pid: number) => descendants([sshd.pid]).includes(pid)
  const partial = () => readdirSync(sshd.home).find((name) => name.startsWith('.put-'))
  const ended = { code: 'CONNECTION_LOST', transient: true, message: expect.stringContaining('SFTP') }
  for (const content of [{ localPath: here }, Buffer.alloc(100_000_000)]) {
    const putting = transport.put([{ path: 'there', content }]).catch((error) => error)
    await expect
      .poll(() => statSync(join(sshd.home, partial() ?? 'none'), { throwIfNoEntry: false })?.size ?? 0, {
        interval: 5,
      })
      .toBeGreaterThan(0)
    signal(sftp(), 'SIGKILL')
    expect(await putting).toMatchObject(ended)
    expect(partial()).toBeUndefined()
  }
  truncateSync(here, 30_000_000)
  await transport.put([{ path: 'there', content: { localPath: here } }])
  signal(sftp(), 'SIGSTOP') // until the requests are on their way
  const trips = transport.roundTrips
  const getting = transport.get('there').catch((error) => error)
  await expect.poll(() => transport.roundTrips).toBeGreaterThan(trips + 1)
  signal(sftp(), 'SIGKILL')
  expect(await getting).toMatchObject(ended)
  expect(await transport.get('there')).toHaveLength(30_000_000)
  expect(await text(transport, 'echo $PPID')).toBe(shell)
  expect(sftp()).toHaveLength(1)
})

test('a server that stops answering counts as lost', async () => {
  const sshd = await up()
  const transport = to(sshd, { keepaliveMs: 800 })
  await transport.open()
  // longer than it takes to give up: the answers to keepalives must keep it
  expect(await text(transport, 'sleep 5; echo kept')).toBe('kept\n')
  const frozen = descendants([sshd.pid])
  const pending = transport.exec({ argv: ['sleep', '4715'] })
  signal(frozen, 'SIGSTOP')
  try {
    await expect(pending).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  } finally {
    signal(frozen, 'SIGKILL')
  }
  expect(await text(transport, 'echo again')).toBe('again\n')
})

test('a put that is cut off leaves nothing under the name', async () => {
  const sshd = await up({ maxSessions: 1 })
  const transport = to(sshd)
  await transport.open()
  await text(transport, 'true')
  const putting = transport.put([{ path: 'half', content: randomBytes(80_000_000) }])
  const outcome = putting.then(
    () => 'written',
    (error) => error.code,
  )
  await expect
    .poll(() => readdirSync(sshd.home).some((name) => name.startsWith('.put-')), { interval: 5 })
    .toBe(true)
  // stopped first: a shell that outlives its command for a moment would tell how that ended
  const sessions = descendants([sshd.pid])
  signal(sessions, 'SIGSTOP')
  signal(sessions, 'SIGKILL')
  expect(await outcome).toBe('CONNECTION_LOST')
  expect(await transport.stat('half')).toBeUndefined()
})

test('after dispose pending work is rejected, and nothing new begins', async () => {
  const sshd = await up()
  const transport = to(sshd)
  await transport.open()
  const pending = transport.exec({ argv: ['sleep', '4716'] }).catch((error) => error.code)
  await transport[Symbol.asyncDispose]()
  expect(await pending).toBe('CONNECTION_LOST')
  await expect(transport.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
})

test('an idle connection does not hold the process, nor does pending work after unref()', async () => {
  const sshd = await up()
  const folder = mkdtempSync(join(tmpdir(), 'farcall-idle-'))
  try {
    const { host, port, user, identityFile, knownHosts } = sshd
    const profile = JSON.stringify({ scheduler: 'direct', host, port, user, identityFile, knownHosts })
    await build({
      stdin: {
        contents: `import { openTransport } from './src/transport/open.ts'
          const transport = openTransport(${profile})
          transport.exec({ argv: ['sh', '-c', 'sleep 0.3; echo done'] }).then(({ stdout }) => {
            console.log(Buffer.from(stdout).toString().trim())
            if (process.argv[2] === 'unref') {
              transport.exec({ argv: ['sleep', '80'] })
              setTimeout(() => transport.unref(), 300)
            }
          })`,
        resolveDir: process.cwd(),
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      outfile: join(folder, 'program.cjs'),
      external: ['*.node', 'cpu-features'],
      logLevel: 'error',
    })
    for (const mode of ['idle', 'unref']) {
      const begun = Date.now()
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'program.cjs'), mode], {
        timeout: 60_000,
      })
      expect(stdout).toBe('done\n')
      expect(Date.now() - begun).toBeLessThan(40_000)
    }
  } finally {
    removeFolder(folder)
  }
})
