import { mkdtempSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { TransportError } from '../../src/core/errors.ts'
import { wrapTransports } from '../../src/executor/open.ts'
import {
  attach,
  close,
  cluster,
  configure,
  connect,
  type JobsSeen,
  type ResourcesSeen,
  watchJobs,
  watchResources,
} from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { startProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-watch-'))
const workdir = `${folder}/work`
const profile = { scheduler: 'direct', workdir, queryInterval: '1s' } as const
/** How often /proc was looked at. */
let looks = 0
/** No command gets through. */
let isCut = false

beforeAll(() => {
  configure({
    profiles: { here: profile, slow: { ...profile, queryInterval: '30s' } },
    defaultProfile: 'here',
  })
  wrapTransports((inner) => {
    const exec: typeof inner.exec = (command, options) => {
      if (command.argv[2]?.includes('/proc/loadavg')) looks++
      if (isCut)
        return Promise.reject(new TransportError('CONNECTION_LOST', 'it was cut', { transient: true }))
      return inner.exec(command, options)
    }
    return new Proxy(inner, {
      get(_, key) {
        if (key === 'exec') return exec
        const value: unknown = Reflect.get(inner, key, inner)
        return typeof value === 'function' ? value.bind(inner) : value
      },
    })
  })
})
afterAll(async () => {
  wrapTransports((inner) => inner)
  await close()
  removeFolder(folder)
})

const sleeps = cluster(async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})
/** Runs until that file is there. */
const waits = cluster(async (gate: string) => {
  const { existsSync } = await import('node:fs')
  while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20))
  return gate
})
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

const linesOf = ({ changes }: JobsSeen) =>
  changes.map(({ name, before, status }) => `${name} ${before ?? ''}→${status.state}`)

async function all(watch: AsyncIterable<JobsSeen>): Promise<string[]> {
  const lines: string[] = []
  for await (const seen of watch) lines.push(...linesOf(seen))
  return lines
}

describe('resources of this machine', () => {
  it('are its cores and memory', async () => {
    await using here = await connect()
    const { profile: name, time, partitions, notes } = await here.resources()
    expect(name).toBe('here')
    expect(Math.abs(Date.now() - time)).toBeLessThan(10_000)
    expect(notes).toEqual([])
    const [machine] = partitions
    expect(machine).toMatchObject({ name: hostname(), isDefault: true, up: true, nodes: { total: 1 } })
    const { cores, memory } = machine!
    expect(cores!.total).toBe(cores!.used + cores!.free)
    expect(memory!.free).toBeGreaterThan(0)
    expect(memory!.total).toBeGreaterThan(memory!.free)
  })

  it('are of no other partition, and there is no queue', async () => {
    await using here = await connect()
    await expect(here.resources({ partition: `${hostname()}x` })).rejects.toThrow(
      `partition: there is no '${hostname()}x'`,
    )
    await expect(here.queue()).rejects.toThrow('has no queue')
  })

  it('are asked for once in an interval, however many watch, and told only when they differ', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const before = looks
    const begun = Date.now()
    const seen: ResourcesSeen[][] = [[], [], []]
    const controller = new AbortController()
    const watches = seen.map(async (list) => {
      for await (const one of watchResources({ signal: controller.signal })) list.push(one)
    })
    await vi.waitUntil(() => Date.now() - begun > 3_500 && looks - before >= 3, 30_000)
    controller.abort()
    await Promise.all(watches)
    const asked = looks - before
    expect(asked).toBeGreaterThanOrEqual(3)
    expect(asked).toBeLessThanOrEqual(Math.floor((Date.now() - begun + 50) / 1000) + 1)
    for (const list of seen) {
      expect(list.length).toBeGreaterThanOrEqual(1)
      expect(list.length).toBeLessThanOrEqual(asked)
      const texts = list.map(({ partitions }) => JSON.stringify(partitions))
      for (const [index, text] of texts.entries()) expect(text).not.toBe(texts[index - 1])
    }
  })

  it('a loop that is left keeps no timer and no connection', async () => {
    await close()
    const before = timers()
    for await (const _ of watchResources({ profile: 'slow' })) break
    const watch = watchResources({ profile: 'slow' })
    await watch.next()
    const next = watch.next()
    await watch.return()
    expect((await next).done).toBe(true)
    expect(timers()).toBeLessThanOrEqual(before)
  })

  it('an interval below that of the profile is refused, with where that comes from', async () => {
    await expect(watchResources({ profile: 'slow', interval: '5s' }).next()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(
        'interval: 5 s is less than profile slow lets its scheduler be asked: every 30 s (queryInterval, set in configure())',
      ),
    })
    await expect(watchResources({ profile: 'local', interval: 2 }).next()).rejects.toThrow(
      "every 10 s (queryInterval, farcall's own)",
    )
  })

  it('GPUs that can never be free are not waited for', async () => {
    await expect(watchResources({ minGpus: 9_999 }).next()).rejects.toThrow('9999 are never free')
  })
})

describe('jobs', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('out of paper')
      },
    ],
    ['rejects with', () => Promise.reject(new Error('out of paper'))],
  ])('what onTrouble %s ends its loop, and others are followed on', async (_, onTrouble) => {
    const left = sleeps(30_000)
    await vi.waitUntil(() => left.status().state === 'ACTIVE', 20_000)
    await left.detach()
    const awaited = sleeps(4_000)
    await vi.waitUntil(() => awaited.status().state === 'ACTIVE', 20_000)
    const watching = all(watchJobs([left.id], { onTrouble }))
    try {
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      isCut = true
      await expect(watching).rejects.toThrow('out of paper')
    } finally {
      isCut = false
    }
    expect(await awaited).toBe(4_000)
    const found = attach(left.id)
    await Promise.all([expect(found).rejects.toThrow('was canceled'), found.cancel()])
  })

  it('of this program are told of when their state changes, and once', async () => {
    const gate = join(folder, 'told')
    const first = waits(gate)
    await vi.waitUntil(() => first.status().state === 'ACTIVE', 20_000)
    const watch = watchJobs([first.id])
    const begin = await watch.next()
    writeFileSync(gate, '')
    const lines = [...linesOf(begin.value!), ...(await all(watch))]
    expect(lines[0]).toMatch(/→(QUEUED|ACTIVE)$/)
    expect(lines.at(-1)).toMatch(/→COMPLETED$/)
    expect(new Set(lines).size).toBe(lines.length)
    expect(await first).toBe(gate)
    // It is over: that is told, and that is all.
    expect(await all(watchJobs([first.id]))).toEqual([expect.stringMatching(/ →COMPLETED$/)])
  })

  it('of a program that was killed are followed where they are, and their results stay', async () => {
    const gate = join(folder, 'killed')
    const program = await startProgram('long.ts', ['3', gate], {
      FARCALL_SCHEDULER: 'direct',
      FARCALL_WORKDIR: workdir,
    })
    await program.kill()
    writeFileSync(gate, '')
    const lines = await all(watchJobs([program.firstLine]))
    expect(lines.at(-1)).toMatch(/→COMPLETED$/)
    expect(await attach(program.firstLine)).toEqual({ waited: 3 })
  })

  it('of a program that runs are told of by what it records', async () => {
    const program = await startProgram('long.ts', ['2500'], {
      FARCALL_SCHEDULER: 'direct',
      FARCALL_WORKDIR: workdir,
    })
    const lines = await all(watchJobs([program.firstLine]))
    expect(lines.at(-1)).toMatch(/→COMPLETED$/)
  })

  it('that fail and those of a map are told of as a whole', async () => {
    const picky = cluster((n: number) => {
      if (n === 2) throw new Error('two')
      return n
    })
    const map = picky.map([1, 2, 3], { chunk: 1 })
    const settled = map.settled()
    const lines = await all(watchJobs([map.id]))
    expect(lines.at(-1)).toMatch(/→FAILED$/)
    expect(lines.filter((line) => line.endsWith('FAILED'))).toHaveLength(1)
    await settled
  })

  it('end the watch once each is where it is to be', async () => {
    const job = sleeps(60_000)
    const ended = expect(job).rejects.toThrow('was canceled')
    const lines = await all(watchJobs([job.id], { until: 'ACTIVE' }))
    expect(lines.at(-1)).toMatch(/→ACTIVE$/)
    const canceled = all(watchJobs([job.id]))
    await job.cancel()
    expect((await canceled).at(-1)).toMatch(/→CANCELED$/)
    await ended
  })

  it('that come later are taken up when it goes on, by a filter', async () => {
    const [tagged, gate] = [waits.with({ tags: ['later'] }), join(folder, 'later')]
    const controller = new AbortController()
    const seen: string[] = []
    const watching = (async () => {
      for await (const { changes } of watchJobs(
        { tag: 'later' },
        { continuous: true, signal: controller.signal },
      ))
        for (const { id, status } of changes) seen.push(`${id} ${status.state}`)
    })()
    const first = tagged(folder)
    await first
    const second = tagged(gate)
    await vi.waitUntil(() => seen.includes(`${second.id} ACTIVE`), 20_000)
    writeFileSync(gate, '')
    await second
    await vi.waitUntil(() => seen.includes(`${second.id} COMPLETED`), 20_000)
    controller.abort()
    await watching
    expect(new Set(seen).size).toBe(seen.length)
  })

  it('that nobody knows are an error, as is a state that there is not', async () => {
    await expect(watchJobs(['fabcdefghijklm']).next()).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    await expect(watchJobs([], { until: 'DONE' as never }).next()).rejects.toThrow("there is no state 'DONE'")
    expect(await all(watchJobs([]))).toEqual([])
  })
})
