import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { tellOfPlace } from '../../../src/client/notify/place.ts'
import {
  attach,
  close,
  cluster,
  configure,
  type JobNotification,
  type NotifyEndpoint,
  type NotifyOptions,
} from '../../../src/index.ts'
import { Database } from '../../../src/store/database.ts'
import { freePorts } from '../../clusters/processes.ts'
import { removeFolder } from '../../remove-folder.ts'
import { runProgram, startProgram } from '../helpers.ts'
import { type HookServer, hookServer } from './server.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-notify-'))
const workdir = `${folder}/work`
const store = `${folder}/store`
const secret = `s3cret${process.pid}`
const warnings: string[] = []
const note = ({ message }: Error) => warnings.push(message)
let hook: HookServer

beforeAll(() => {
  configure({
    store,
    profiles: { here: { scheduler: 'direct', workdir, queryInterval: '1s', keep: 'all' } },
    defaultProfile: 'here',
  })
  process.on('warning', note)
})
beforeEach(async () => {
  hook = await hookServer()
  process.env['TEST_HOOK'] = `${hook.url}/${secret}`
  warnings.length = 0
})
afterEach(async () => {
  await close()
  await hook.close()
})
afterAll(() => {
  process.off('warning', note)
  removeFolder(folder)
})

/** Notes what callbacks are given. */
function noting() {
  const seen: JobNotification[] = []
  const add = (notification: JobNotification) => void seen.push(notification)
  const callbacks = { onSubmit: add, onStart: add, onComplete: add, onFail: add, onCancel: add }
  return { seen, callbacks, events: () => seen.map(({ event, attempt }) => `${event} ${attempt}`) }
}

const webhook = (more: object = {}): NotifyEndpoint => ({
  type: 'webhook',
  url: { env: 'TEST_HOOK' },
  on: 'all',
  ...more,
})
const square = cluster((n: number) => n * n)
const bad = cluster((n: number) => {
  if (n % 2 === 1) throw new RangeError(`<b> & "${n}"\nand more`)
  return n
})
const slow = cluster(async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})
const events = () => hook.received.map(({ body }) => `${body.event} ${body.attempt}`)

describe('a job tells', () => {
  it('callbacks and a server what becomes of it, in order, with what is known', async () => {
    const { seen, callbacks, events: called } = noting()
    const job = square.with({ ...callbacks, notify: [webhook()] })(6)
    expect(await job).toBe(36)
    await close()
    expect(called()).toEqual(['submit 1', 'start 1', 'complete 1'])
    expect(events()).toEqual(called())
    const { id, nativeId } = job
    for (const one of seen)
      expect(one).toMatchObject({
        id,
        nativeId,
        name: 'square',
        function: 'square',
        profile: 'here',
        attempt: 1,
      })
    const [first, , last] = seen
    expect(first).toMatchObject({ state: 'QUEUED' })
    expect(last).toMatchObject({
      state: 'COMPLETED',
      usage: { memory: expect.any(Number), cpu: expect.any(Number) },
    })
    expect(last!.items).toBeUndefined()
    const { submittedAt, startedAt, endedAt } = last!
    expect(startedAt).toBeGreaterThanOrEqual(submittedAt!)
    expect(endedAt).toBeGreaterThanOrEqual(startedAt!)
    expect(Object.isFrozen(last) && Object.isFrozen(last!.usage)).toBe(true)
    expect(hook.received.map(({ body: { text: _, ...rest } }) => rest)).toEqual(
      JSON.parse(JSON.stringify(seen)),
    )
    expect(hook.received[2]).toMatchObject({
      method: 'POST',
      path: `/${secret}`,
      headers: { 'content-type': 'application/json', 'idempotency-key': `${id}:1:complete` },
    })
    expect(warnings).toEqual([])
  })

  it('of a map once, with its items counted, and of retryFailed as its next attempt', async () => {
    const { seen, callbacks, events: called } = noting()
    const array = bad.map([0, 1, 2, 3, 4], callbacks)
    await expect(array).rejects.toThrow('2 of 5 items failed')
    const again = array.retryFailed()
    await expect(again).rejects.toThrow('2 of 5 items failed')
    await vi.waitUntil(() => seen.length === 6, 20_000)
    expect(called()).toEqual(['submit 1', 'start 1', 'fail 1', 'submit 2', 'start 2', 'fail 2'])
    expect(new Set(seen.map(({ id }) => id))).toEqual(new Set([array.id]))
    expect(seen[0]!.items).toEqual({ total: 5, done: 0, failed: 0 })
    for (const fail of [seen[2], seen[5]])
      expect(fail).toMatchObject({
        state: 'FAILED',
        reason: 'exception',
        message: expect.stringMatching(/^RangeError: <b> & "[13]"$/),
        items: { total: 5, done: 3, failed: 2 },
      })
  })

  it('of a map of several submissions, and of calls that travel together, once', async () => {
    const { seen, callbacks, events: called } = noting()
    async function* inputs() {
      yield* [1, 2, 3]
      await new Promise((resolve) => setTimeout(resolve, 1500))
      yield* [4, 5]
    }
    const array = square.map(inputs(), callbacks)
    expect(await array).toEqual([1, 4, 9, 16, 25])
    await vi.waitUntil(() => seen.length === 3, 20_000)
    expect(seen[2]).toMatchObject({ id: array.id, items: { total: 5, done: 5, failed: 0 } })
    const f = square.with(callbacks)
    const jobs = [1, 2].map((n) => f(n))
    await Promise.all(jobs)
    await vi.waitUntil(() => seen.length === 6, 20_000)
    expect(called()).toEqual([...Array(2)].flatMap(() => ['submit 1', 'start 1', 'complete 1']))
    expect(seen[5]).toMatchObject({ id: jobs[0]!.id.slice(0, 14), items: { total: 2, done: 2, failed: 0 } })
  })

  it('of a call that is tried again, each try', async () => {
    const { seen, callbacks, events: called } = noting()
    const flaky = cluster(
      { ...callbacks, retry: { retries: 2, on: ['signal'], base: '100ms' }, notify: [webhook()] },
      async (path: string) => {
        const fs = await import('node:fs')
        fs.appendFileSync(path, 'x')
        if (fs.readFileSync(path, 'utf8').length < 2) process.kill(process.pid, 'SIGKILL')
      },
    )
    await flaky(join(folder, 'tries'))
    await close()
    expect(called()).toEqual(['submit 1', 'start 1', 'submit 2', 'start 2', 'complete 2'])
    expect(events()).toEqual(called())
    expect(seen[2]).toMatchObject({
      state: 'QUEUED',
      reason: 'requeued',
      message: 'retry 1 of 2 after signal',
    })
    expect(seen[2]!.nativeId).toBeUndefined()
    expect(seen[4]!.nativeId).not.toBe(seen[0]!.nativeId)
  })

  it('of one that is cancelled', async () => {
    const { seen, callbacks, events: called } = noting()
    const job = slow.with({ ...callbacks, notify: [webhook({ on: ['CANCELED'] })] })(60_000)
    await vi.waitUntil(() => seen.some(({ event }) => event === 'start'), 20_000)
    await job.cancel()
    await expect(job).rejects.toThrow('canceled')
    await close()
    expect(called()).toEqual(['submit 1', 'start 1', 'cancel 1'])
    expect(seen[2]).toMatchObject({ state: 'CANCELED', reason: 'by-user' })
    expect(events()).toEqual(['cancel 1'])
  })

  it('nothing of a call that the cache answers, and nothing of one that is let go', async () => {
    const { seen, callbacks } = noting()
    const cached = square.with({ ...callbacks, cache: true })
    expect(await cached(777)).toBe(777 ** 2)
    await vi.waitUntil(() => seen.length === 3, 20_000)
    expect(await cached(777)).toBe(777 ** 2)
    await slow.with(callbacks)(3000).detach()
    await close()
    const told = seen.map(({ event }) => event).filter((event) => event !== 'start')
    expect(told).toEqual(['submit', 'complete', 'submit'])
  })

  it('Slack, with what it would take for marks escaped, and the wanted states only', async () => {
    const failing = bad.with({ notify: [{ type: 'slack', url: { env: 'TEST_HOOK' }, on: ['FAILED'] }] })
    await failing(3).catch(() => {})
    await failing(2)
    await close()
    expect(hook.received.map(({ body }) => body)).toEqual([
      { text: expect.stringContaining('(exception): RangeError: &lt;b&gt; &amp; "3" [job f') },
    ])
  })

  it('by a template of the user, and refuses one that is wrong before there is a job', async () => {
    const template = '{ "content": "{{ name }} {{ state }}: {{ message }}", "id": {{ id | json }} }'
    const job = bad.with({ notify: [webhook({ template, on: ['FAILED'], method: 'PUT' })] })(1)
    await job.catch(() => {})
    await close()
    expect(hook.received).toMatchObject([
      { method: 'PUT', body: { content: 'bad FAILED: RangeError: <b> & "1"', id: job.id } },
    ])
    await expect(square.with({ notify: [webhook({ template: '{{ nmae }}' })] })(1)).rejects.toMatchObject({
      code: 'TEMPLATE_INVALID',
    })
    expect(() => square.with({ notify: [{ type: 'webhook', ulr: 'x' }] as never })).toThrow(
      /did you mean 'url'/,
    )
  })
})

describe('a place', () => {
  it('is reported to whoever asked, in the same way', async () => {
    const template = '{ "content": "{{ text }}{% if facts %}, {{ facts.free }} free{% endif %}" }'
    const reports: unknown[] = []
    const report = { event: 'report', profile: 'hpc', time: 0, text: '<3> GPUs', facts: { free: 3 } } as const
    const onReport = (one: unknown) => void reports.push(one)
    const { url } = hook
    await tellOfPlace(report, { onReport, notify: [webhook({ url, on: [] }), webhook({ template, on: [] })] })
    await close()
    expect(reports).toEqual([report])
    expect(hook.received.map(({ body }) => body)).toEqual([report, { content: 'hpc: <3> GPUs, 3 free' }])
    expect(hook.received[0]!.headers['idempotency-key']).toBeUndefined()
  })
})

describe('what goes wrong', () => {
  it('in a callback is a warning, and the job and the other callbacks go on', async () => {
    const { seen, callbacks } = noting()
    const options: NotifyOptions = {
      ...callbacks,
      onSubmit: () => {
        throw new Error('oh no')
      },
      onStart: async () => {
        throw new Error('later')
      },
    }
    expect(await square.with(options)(3)).toBe(9)
    await vi.waitUntil(() => seen.length === 1 && warnings.length === 2, 20_000)
    expect(warnings[0]).toMatch(/^farcall: onSubmit of job f\w+ threw: Error: oh no$/)
    expect(warnings[1]).toMatch(/onStart .* later/)
  })

  it('for a while is tried again, when the server says, and in order', async () => {
    const begun: number[] = []
    hook.answer = (response, { body }) => {
      begun.push(Date.now())
      if (begun.length <= 2) response.writeHead(begun.length === 1 ? 429 : 503, { 'retry-after': '1' })
      response.end(body.event)
    }
    expect(await square.with({ notify: [webhook()] })(3)).toBe(9)
    await close()
    expect(events()).toEqual(['submit 1', 'submit 1', 'submit 1', 'start 1', 'complete 1'])
    // Timers and this clock may differ by some milliseconds.
    expect(begun[1]! - begun[0]!).toBeGreaterThanOrEqual(990)
    expect(warnings).toEqual([])
  })

  it('for good is one warning without the URL, and what a redirect names is not told', async () => {
    const other = await hookServer()
    process.env['TEST_TOKEN'] = `Bearer ${secret}`
    hook.answer = (response) => response.writeHead(307, { location: `${other.url}/stolen` }).end()
    const endpoint = webhook({ url: `${hook.url}/open`, headers: { authorization: { env: 'TEST_TOKEN' } } })
    expect(await square.with({ notify: [endpoint] })(3)).toBe(9)
    await close()
    expect(other.received).toEqual([])
    expect(hook.received[0]!.headers.authorization).toBe(`Bearer ${secret}`)
    expect(hook.received).toHaveLength(3)
    await vi.waitUntil(() => warnings.length > 0, 20_000)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(
      new RegExp(`^farcall: webhook ${hook.host} was not told of job f\\w+: it answers 307, a redirect`),
    )
    await other.close()
  })

  it('with a server that never answers delays no job, and the end of the program by some seconds at most', async () => {
    hook.answer = () => {}
    const notify: NotifyEndpoint[] = [{ type: 'webhook', url: `${hook.url}/hangs`, on: 'all' }]
    const ended = await cluster({ notify }, () => Date.now())()
    // Sooner than the first try is given up, which is after 5 s, however long the job took.
    expect(Date.now() - ended).toBeLessThan(4_500)
    const closing = Date.now()
    await close()
    // 5 s, and what a busy machine adds; all that the lane would try takes more than 45 s.
    expect(Date.now() - closing).toBeLessThan(25_000)
    // Node says warnings a moment later.
    await vi.waitUntil(() => warnings.length > 0, 20_000)
    expect(warnings).toEqual([
      expect.stringMatching(/was not told of job f\w+: (the program has ended|it does not answer)/),
    ])
  })

  it('leaves the secret nowhere: no record, no file of the job, no message', async () => {
    process.env['TEST_TOKEN'] = `Bearer ${secret}`
    await hook.close()
    // Of those that the kernel gives to nobody meanwhile.
    const [port] = await freePorts(1)
    process.env['TEST_HOOK'] = `http://127.0.0.1:${port}/${secret}`
    const notify = [webhook({ headers: { 'x-token': { env: 'TEST_TOKEN' } } })]
    configure({ profiles: { here: { notify } } })
    const job = square(3)
    const script = await square.script(3)
    expect(await job).toBe(9)
    await close()
    const files = [workdir, store].flatMap((root) =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    expect(files.length).toBeGreaterThan(10)
    // Another process reads them: closing a database's file in this one would end SQLite's locks on it, and damage it.
    const { stdout } = spawnSync('grep', ['-lF', '--', secret, ...files], { encoding: 'utf8' })
    expect(stdout).toBe('')
    await vi.waitUntil(() => warnings.length > 0, 20_000)
    expect([...warnings, script].filter((text) => text.includes(secret))).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^farcall: webhook TEST_HOOK was not told of job f\w+: /)
    // What could not be told is told by who attaches once the server is there again.
    hook = await hookServer(port)
    await attach(job.id)
    await close()
    expect(events()).toEqual(['complete 1'])
    configure({ profiles: { here: { notify: [] } } })
  })
})

/** A configuration for a program of its own, which tells the server all. */
function programSettings() {
  const config = join(folder, 'farcall.config.json')
  const notify = [webhook()]
  const profile = { scheduler: 'direct', workdir, queryInterval: '1s', keep: 'all', notify }
  writeFileSync(config, JSON.stringify({ store, defaultProfile: 'here', profiles: { here: profile } }))
  return { FARCALL_CONFIG: config, TEST_HOOK: process.env['TEST_HOOK']! }
}

describe('a program', () => {
  it('that is interrupted tells that its job was cancelled, before it ends', async () => {
    const program = runProgram('lifecycle.ts', ['waits'], programSettings())
    await program.line()
    program.signal('SIGINT')
    expect((await program.ended).code, program.stderr()).toBe(130)
    expect(events()).toEqual(['submit 1', 'start 1', 'cancel 1'])
  })

  it('that just ends has told all of it, and says what it could not', async () => {
    const settings = programSettings()
    expect(await runProgram('lifecycle.ts', ['awaited'], settings).ended).toMatchObject({ code: 0 })
    expect(events()).toEqual([...Array(2)].flatMap(() => ['submit 1', 'start 1', 'complete 1']))
    hook.answer = (response) => response.writeHead(410).end()
    const program = runProgram('lifecycle.ts', ['awaited'], settings)
    expect(await program.ended).toMatchObject({ code: 0 })
    expect(program.stderr()).toMatch(/farcall: webhook TEST_HOOK was not told of job f\w+: it answers 410/)
    expect(program.stderr()).not.toContain(secret)
    expect(program.stderr().match(/was not told/g)).toHaveLength(1)
  })
})

describe('two processes', () => {
  it('tell each event once', async () => {
    const notify = [webhook()]
    const gate = join(folder, 'gate-once')
    const program = await startProgram('long.ts', ['15', gate], programSettings())
    const database = new Database(`${store}/index/store.db`)
    const told = "SELECT count(*) AS told FROM notices WHERE job = ? AND owner = ''"
    // The program writes there meanwhile, and SQLite may say that it is busy.
    const isTold = () => expect(database.get(told, program.firstLine)!['told']).toBe(2)
    await vi.waitFor(isTold, { timeout: 20_000, interval: 50 })
    database.close()
    const { callbacks, events: called, seen } = noting()
    // Both follow it for a while; then the one that submitted is gone.
    const job = attach(program.firstLine, { notify, ...callbacks })
    await vi.waitUntil(() => job.status().state === 'ACTIVE', 20_000)
    await program.kill()
    writeFileSync(gate, '')
    expect(await job).toEqual({ waited: 15 })
    await close()
    expect(events()).toEqual(['submit 1', 'start 1', 'complete 1'])
    expect(called().at(-1)).toBe('complete 1')
    expect(seen.at(-1)).toMatchObject({ submittedAt: expect.any(Number), name: 'wait' })
    // And a third one that comes when all is over and told.
    await attach(program.firstLine, { notify })
    await close()
    expect(hook.received).toHaveLength(3)
    expect(existsSync(`${workdir}/jobs/${program.firstLine}`)).toBe(true)
  })

  it('stand in for one another: what the first died over is told by the second', async () => {
    // The first never hears that it arrived.
    hook.answer = (response, { body }) => void (body.event === 'start' || response.end())
    const gate = join(folder, 'gate-stand-in')
    const program = await startProgram('long.ts', ['4', gate], programSettings())
    await vi.waitUntil(() => hook.received.length === 2, 20_000)
    await program.kill()
    hook.answer = (response) => void response.end()
    const job = attach(program.firstLine, { notify: [webhook()] })
    // That it has started is told of a job that runs.
    await vi.waitUntil(() => job.status().state === 'ACTIVE', 20_000)
    writeFileSync(gate, '')
    await job
    await close()
    expect(events()).toEqual(['submit 1', 'start 1', 'start 1', 'complete 1'])
    const [first, second] = hook.received.slice(1).map(({ headers }) => headers['idempotency-key'])
    expect(first).toBe(second)
  })

  it('attached to one item, tell nothing of the others', async () => {
    const array = square.map([1, 2, 3])
    await array
    await close()
    const { seen, callbacks } = noting()
    expect(await attach(`${array.id}[1]`, { notify: [webhook()], ...callbacks })).toBe(4)
    expect(await attach(array.id, callbacks)).toEqual([1, 4, 9])
    await close()
    expect(seen.map(({ event, items }) => [event, items])).toEqual([
      ['complete', { total: 3, done: 3, failed: 0 }],
    ])
    expect(hook.received).toEqual([])
  })
})
