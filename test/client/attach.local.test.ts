import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { wrapTransports } from '../../src/executor/open.ts'
import { attach, close, cluster, configure, getConfig, jobs, range } from '../../src/index.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { removeFolder } from '../remove-folder.ts'
import { startProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-attach-'))
const workdir = `${folder}/work`

beforeAll(() => {
  configure({
    profiles: { here: { scheduler: 'direct', workdir, queryInterval: '1s' } },
    defaultProfile: 'here',
  })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

/** Tells of the bytes that each command and read brings. */
function countReads(inner: Transport, count: (bytes: number) => void): Transport {
  const counted: Pick<Transport, 'exec' | 'get'> = {
    async exec(...args) {
      const result = await inner.exec(...args)
      count(result.stdout.byteLength)
      return result
    },
    async get(...args) {
      const content = await inner.get(...args)
      count(content?.byteLength ?? 0)
      return content
    },
  }
  return new Proxy(inner, {
    get(_, key) {
      if (key === 'exec' || key === 'get') return counted[key]
      const value: unknown = Reflect.get(inner, key, inner)
      return typeof value === 'function' ? value.bind(inner) : value
    },
  })
}

describe('attach', () => {
  it('brings the result of a job whose client was killed in the middle', async () => {
    const gate = join(folder, 'killed')
    const program = await startProgram('long.ts', ['2', gate], {
      FARCALL_SCHEDULER: 'direct',
      FARCALL_WORKDIR: workdir,
    })
    expect(program.firstLine).toMatch(/^f[a-z2-7]{13}$/)
    await program.kill()
    const job = attach<{ waited: number }>(program.firstLine)
    writeFileSync(gate, '')
    expect(await job).toEqual({ waited: 2 })
    expect(job.status().state).toBe('COMPLETED')
  })

  it('cleans up after a client that died while both followed the job', async () => {
    const gate = join(folder, 'both')
    const program = await startProgram('long.ts', ['3', gate], {
      FARCALL_SCHEDULER: 'direct',
      FARCALL_WORKDIR: workdir,
    })
    const own = cluster(() => 1)()
    const job = attach<{ waited: number }>(program.firstLine)
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    await program.kill()
    writeFileSync(gate, '')
    expect(await Promise.all([job, own])).toEqual([{ waited: 3 }, 1])
    await close()
    expect(existsSync(`${workdir}/jobs/${program.firstLine}`)).toBe(false)
  })

  it('gives the array of a map, and one of its items', async () => {
    const square = cluster(async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return n * n
    })
    const squares = square.map([1, 2, 3])
    const { id } = squares
    await squares
    expect(existsSync(`${workdir}/jobs/${id}`)).toBe(true)
    expect(await attach(id)).toEqual([1, 4, 9])
    expect(await attach(`${id}[2]`)).toBe(9)
  })

  it('reads of a map the one item that is asked for, and leaves the others where they are', async () => {
    const make = cluster((n: number) => new Uint8Array(2 ** 20).fill(n))
    const made = make.map([0, 1, 2, 3, 4, 5, 6, 7], { chunk: 4 })
    const small = cluster((n: number) => `${n}`.repeat(200)).map(range(3000), { chunk: 3000 })
    await Promise.all([made.detach(), small.detach()])
    await close()
    const ends = [`${made.id}/run.1.0`, `${made.id}/run.1.1`, `${small.id}/run.1.0`]
    await vi.waitUntil(() => ends.every((run) => existsSync(`${workdir}/jobs/${run}/end`)), 20_000)
    let bytes = 0
    let reads = 0
    wrapTransports((inner) =>
      countReads(inner, (count) => {
        bytes += count
        reads++
      }),
    )
    try {
      expect(await attach<Uint8Array>(`${made.id}[6]`)).toEqual(new Uint8Array(2 ** 20).fill(6))
      expect(bytes).toBeLessThan(1.5 * 2 ** 20)
      reads = 0
      expect(await attach(`${small.id}[2900]`)).toBe('2900'.repeat(200))
      expect(reads).toBeLessThan(20)
      await close()
      expect((await attach<Uint8Array[]>(made.id)).map(([first]) => first)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    } finally {
      wrapTransports((inner) => inner)
      await close()
    }
  })

  it('needs no profile to be chosen among several for a job on record, nor does jobs()', async () => {
    const job = cluster((n: number) => n + 1)(41)
    await job
    const before = getConfig()
    configure({
      profiles: { ...before.profiles, there: { scheduler: 'direct', workdir: `${folder}/there` } },
    })
    configure({ defaultProfile: undefined } as never)
    try {
      await expect(cluster(() => 1)()).rejects.toMatchObject({ code: 'PROFILE_UNKNOWN' })
      expect(await attach(job.id)).toBe(42)
      expect((await jobs()).map(({ id }) => id)).toContain(job.id)
      await expect(attach('faaaaaaaaaaaaa')).rejects.toMatchObject({ code: 'PROFILE_UNKNOWN' })
    } finally {
      configure({ defaultProfile: 'here' })
    }
  })

  it('says what became of a job whose files are gone, and its updates end', async () => {
    const ended = async (id: string) => {
      await vi.waitUntil(async () => (await jobs()).find((job) => job.id === id)?.endedAt, 20_000)
      removeFolder(`${workdir}/jobs/${id}`)
      const again = attach(id)
      const error = again.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      const seen: string[] = []
      for await (const { state } of again.updates()) seen.push(state)
      expect(seen).toEqual(['NEW'])
      return error
    }
    const canceled = cluster(() => new Promise((resolve) => setTimeout(resolve, 60_000)))()
    canceled.catch(() => {})
    await vi.waitUntil(() => canceled.status().state === 'ACTIVE', 20_000)
    await canceled.cancel()
    expect(await ended(canceled.id)).toMatchObject({
      code: 'JOB_CANCELED',
      message: expect.stringMatching(/was canceled on .*, and its files are no longer on/),
      status: { state: 'CANCELED', reason: 'by-user' },
    })
    const failed = cluster(() => process.exit(3))()
    await expect(failed).rejects.toMatchObject({ code: 'JOB_FAILED' })
    expect(await ended(failed.id)).toMatchObject({
      code: 'JOB_UNKNOWN',
      message: expect.stringMatching(
        /failed \(process\.exit\(3\) was called\) on .*, and its files are no longer on/,
      ),
    })
  })

  it('gives the result though the record cannot be read when the job ends', async () => {
    const store = join(folder, 'store')
    const before = getConfig()
    configure({ ...before, store })
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    try {
      const waits = cluster(async (gate: string) => {
        const fs = await import('node:fs')
        while (!fs.existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20))
        return 'there'
      })
      const gate = join(folder, 'unread')
      const job = waits(gate)
      await vi.waitUntil(() => job.status().state === 'ACTIVE', 20_000)
      await job.detach()
      const again = attach(job.id)
      await vi.waitUntil(() => again.status().state === 'ACTIVE', 20_000)
      removeFolder(store)
      writeFileSync(store, '')
      // A database that was removed is read for a moment yet.
      await expect
        .poll(async () => await jobs().catch((error) => error))
        .toMatchObject({ code: 'STORE_UNWRITABLE' })
      writeFileSync(gate, '')
      expect(await again).toBe('there')
      // Nobody knows who else follows it: its files stay.
      await close()
      expect(existsSync(join(workdir, 'jobs', job.id))).toBe(true)
    } finally {
      removeFolder(store)
      configure(before)
      vi.restoreAllMocks()
    }
  })

  it('says so when there is no such job, or what is given is no id', async () => {
    await expect(attach('faaaaaaaaaaaaa')).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    await expect(attach('faaaaaaaaaaaaa').outputs()).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    await expect(attach('42')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(attach('faaaaaaaaaaaaa', { profile: 'nowhere' })).rejects.toMatchObject({
      code: 'PROFILE_UNKNOWN',
    })
  })
})
