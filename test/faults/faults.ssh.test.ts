import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer, Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { close, cluster, configure, type Profile } from '../../src/index.ts'
import { descendants, signal, until } from '../clusters/processes.ts'
import { type Sshd, type SshdOptions, startSshd } from '../clusters/sshd.ts'
import { removeFolder } from '../remove-folder.ts'

let sshd: Sshd
const cleanups: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  sshd = await startSshd()
})
afterEach(async () => {
  await close()
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => sshd.stop())

let count = 0
/** A profile of its own: with it, a session and a connection of its own. */
function profile(of: Sshd, over: Partial<Profile> = {}): string {
  const { host, port, user, identityFile, knownHosts } = of
  const name = `p${count++}`
  const place = { scheduler: 'direct', host, port, user, identityFile, knownHosts, queryInterval: '1s' }
  configure({ profiles: { [name]: { ...place, keep: 'none', ...over } } })
  return name
}
const up = async (options: SshdOptions): Promise<Sshd> => {
  const other = await startSshd(options)
  cleanups.push(() => other.stop())
  return other
}

/** Ends every connection, as a login node does that restarts; jobs are no children of them. */
function cut(of: Sshd): number {
  const sessions = descendants([of.pid]).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sshd')
    } catch {
      return false // it went meanwhile
    }
  })
  signal(sessions, 'SIGKILL')
  return sessions.length
}

/** A port before a server that can be shut and opened, or that drops a connection in the middle, as a network does. */
async function gate(of: Sshd) {
  const open = new Set<Socket>()
  const limits = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY }
  let drops = 0
  let server = createServer()
  let port = 0
  const pass = (from: Socket, to: Socket, way: 'up' | 'down') => {
    let sum = 0
    from.on('data', (chunk: Buffer) => {
      sum += chunk.length
      if (sum > limits[way]) {
        limits[way] = Number.POSITIVE_INFINITY
        drops++
        from.destroy()
        to.destroy()
      } else if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('close', () => to.destroy())
  }
  const gateway = {
    get drops() {
      return drops
    },
    /** The next connection that carries so many bytes is dropped, once. */
    dropAfter(way: 'up' | 'down', bytes: number) {
      limits[way] = bytes
    },
    open: () =>
      new Promise<void>((resolve) => {
        server = createServer((near) => {
          const far = new Socket().connect(of.port, of.host)
          for (const socket of [near, far]) open.add(socket.on('error', () => {}))
          pass(near, far, 'up')
          pass(far, near, 'down')
        })
        server.listen(port, '127.0.0.1', () => {
          port = (server.address() as AddressInfo).port
          resolve()
        })
      }),
    shut: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      open.clear()
      await closed
    },
    profile(over: Partial<Profile> = {}) {
      const knownHosts = join(of.home, '.known')
      return profile({ ...of, port }, { hostKey: 'accept-new', knownHosts, ...over })
    },
  }
  await gateway.open()
  cleanups.push(gateway.shut)
  return gateway
}

const big = 30_000_000

it('a connection that drops in the middle of an upload: the call goes on, once', async () => {
  const g = await gate(sshd)
  const size = cluster({ profile: g.profile({ keep: 'all' }) }, (bytes: Uint8Array) => bytes.length)
  g.dropAfter('up', big / 2)
  const job = size(new Uint8Array(big))
  expect(await job).toBe(big)
  expect(g.drops).toBe(1)
  const jobs = join(sshd.home, '.farcall', 'jobs')
  expect(readdirSync(join(jobs, job.id)).filter((name) => /^(run|submit)/.test(name))).toEqual([
    'run.1.0',
    'submit.1',
  ])
  removeFolder(join(jobs, job.id))
})

it('a connection that drops again and again while jobs run and results come: all of them arrive', async () => {
  const sleep = cluster({ profile: profile(sshd) }, async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return new Uint8Array(300_000).fill(ms % 251)
  })
  const jobs = Array.from({ length: 6 }, (_, n) => sleep.with({ name: `n${n}` })(1_000 + 700 * n))
  const settled = Promise.all(jobs).then(
    (values) => ({ values }),
    (error) => ({ error }),
  )
  let over = false
  void settled.then(() => {
    over = true
  })
  for (let cuts = 0; cuts < 5 && !over; cuts++) {
    await until(() => over || descendants([sshd.pid]).length > 0, 20_000)
    await until(() => over, 700)
    cut(sshd)
  }
  const outcome = await settled
  expect(outcome).not.toHaveProperty('error')
  const values = 'values' in outcome ? outcome.values : []
  expect(values.map((bytes) => [bytes.length, bytes[0]])).toEqual(
    jobs.map((_, n) => [300_000, (1_000 + 700 * n) % 251]),
  )
})

it('a connection that drops again and again while a stream flows: each value comes once, in order', async () => {
  const window = { items: 50, memory: '1MB' } as const
  const counting = cluster({ profile: profile(sshd), window }, async function* (to: number) {
    for (let n = 0; n < to; n++) {
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20))
      // a few too large for a notice
      yield { n, bytes: new Uint8Array(n % 100 === 99 ? 200_000 : 10).fill(n % 251) }
    }
    return 'all of them'
  })
  const stream = counting(1_000)
  const read: number[] = []
  let cuts = 0
  for await (const { n, bytes } of stream) {
    expect([n, bytes.length, bytes[0]]).toEqual([read.length, n % 100 === 99 ? 200_000 : 10, n % 251])
    read.push(n)
    if (n % 300 === 199) cuts += Math.min(1, cut(sshd))
  }
  expect(read).toHaveLength(1_000)
  expect(await stream.result).toBe('all of them')
  expect(cuts).toBe(3)
})

it('a connection that drops in the middle of a download: the result comes on the next one', async () => {
  const g = await gate(sshd)
  const make = cluster({ profile: g.profile() }, (n: number) => new Uint8Array(n).fill(9))
  g.dropAfter('down', big / 2)
  const bytes = await make(big)
  expect(g.drops).toBe(1)
  expect([bytes.length, bytes[0], bytes.at(-1)]).toEqual([big, 9, 9])
})

it('a host that refuses connections for a while: jobs and calls of that time go through', async () => {
  const g = await gate(sshd)
  const sleep = cluster({ profile: g.profile() }, async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return ms
  })
  const running = sleep(2_000)
  for await (const { state } of running.updates()) if (state === 'ACTIVE') break
  await g.shut()
  const called = sleep.with({ name: 'called while nobody answers' })(1)
  // four seconds and three tries by then
  await new Promise((resolve) => setTimeout(resolve, 4_000))
  await g.open()
  expect(await Promise.all([running, called])).toEqual([2_000, 1])
})

it('a server that is down for over a minute: what ran meanwhile and what was called meanwhile comes', {
  timeout: 180_000,
}, async () => {
  const server = await up({})
  const sleep = cluster({ profile: profile(server) }, async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return ms
  })
  const running = sleep(30_000)
  for await (const { state } of running.updates()) if (state === 'ACTIVE') break
  await server.shut()
  const refused = await new Promise((resolve) =>
    new Socket()
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      .connect(server.port, server.host),
  )
  expect(refused).toBe('ECONNREFUSED')
  const called = sleep.with({ name: 'called while it is down' })(1)
  await new Promise((resolve) => setTimeout(resolve, 65_000))
  expect([running.status().state, called.status().state]).toEqual(['ACTIVE', 'NEW'])
  await server.reopen()
  expect(await Promise.all([running, called])).toEqual([30_000, 1])
})

it('a server that gives one session to a connection serves many jobs, and a large result', async () => {
  const single = await up({ maxSessions: 1 })
  const name = profile(single)
  const make = cluster({ profile: name }, (n: number) => new Uint8Array(n).fill(1))
  const jobs = [10, 20, 3_000_000].map((n) => make.with({ name: `n${n}` })(n))
  expect((await Promise.all(jobs)).map((bytes) => bytes.length)).toEqual([10, 20, 3_000_000])
})

it('a server with too many logins at once is asked again', { timeout: 120_000 }, async () => {
  // the last MaxStartups counts, unlike all else
  const busy = await up({ extra: ['LoginGraceTime 20'], last: ['MaxStartups 2:100:2'] })
  const idlers = await Promise.all(
    [1, 2].map(async () => {
      const socket = new Socket().connect(busy.port, busy.host).on('error', () => {})
      await new Promise((resolve) => socket.once('data', resolve)) // its banner: it counts
      return socket
    }),
  )
  const job = cluster({ profile: profile(busy) }, () => 'in')()
  job.catch(() => {})
  const turnedAway = () => /MaxStartups/.test(busy.log())
  expect(await until(turnedAway, 20_000), 'it was turned away').toBe(true)
  for (const socket of idlers) socket.destroy()
  expect(await job).toBe('in')
})

it('login files that print and read harm no call', async () => {
  const noisy = await up({})
  for (const name of ['.bashrc', '.profile', '.bash_profile'])
    appendFileSync(
      join(noisy.home, name),
      'echo "motd \\033[1m of the day"; echo loud >&2; read -r x; fortune 2>/dev/null\n',
    )
  const greet = cluster({ profile: profile(noisy) }, (name: string) => `hello ${name}`)
  expect(await greet('you')).toBe('hello you')
})
