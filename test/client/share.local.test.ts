import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clean, close, cluster, configure, localMap, type Shared, share } from '../../src/index.ts'
import { injectFaults } from '../../src/testing/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-share-'))
const workdir = `${folder}/work`
const blobs = () =>
  existsSync(`${workdir}/blobs`)
    ? readdirSync(`${workdir}/blobs`).filter((name) => name.endsWith('.val'))
    : []

/** What went to the place by file transfer. */
let puts = 0

beforeAll(() => {
  injectFaults({
    before: (_number, operation) => {
      if (operation === 'put') puts++
    },
  })
  const here = { scheduler: 'direct', workdir, keep: 'all' } as const
  configure({ store: `${folder}/store`, profiles: { here }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

/** Larger than what travels along with a submission. */
const large = (first: number) => Float64Array.from({ length: 100_000 }, (_, at) => first + at)

describe('a shared value', () => {
  it('goes there once, for all calls that capture it or are given it', async () => {
    puts = 0
    const before = blobs().length
    const table = share(large(0))
    const captures = cluster((at: number) => table.value[at])
    const isGiven = cluster((given: { table: Shared<Float64Array> }, at: number) => given.table.value[at])
    expect(await captures.map([1, 2, 3])).toEqual([1, 2, 3])
    expect(await captures(4)).toBe(4)
    expect(await isGiven({ table }, 5)).toBe(5)
    expect(await isGiven.starmap([6, 7].map((at) => [{ table: share(large(0)) }, at]))).toEqual([6, 7])
    expect(blobs().length).toBe(before + 1)
    expect(puts).toBe(1)
    const packs = readdirSync(`${workdir}/jobs`).map((id) => `${workdir}/jobs/${id}/args.pack`)
    for (const pack of packs.filter(existsSync)) expect(statSync(pack).size).toBeLessThan(5_000)
  })

  it('is one for all programs', async () => {
    const env = {
      FARCALL_SCHEDULER: 'direct',
      FARCALL_WORKDIR: workdir,
      FARCALL_STORE: `${folder}/store`,
    }
    const before = blobs().length
    for (const puts of [1, 0]) {
      const program = runProgram('shares.ts', ['100'], env)
      expect(await program.line()).toBe(`105 ${puts}`)
      expect(await program.ended).toMatchObject({ code: 0 })
    }
    expect(blobs().length).toBe(before + 1)
  })

  it('holds what it held when it was shared', async () => {
    const rows = [{ n: 1 }]
    const shared = share(rows)
    rows[0]!.n = 2
    expect(await cluster(() => shared.value[0]!.n)()).toBe(1)
  })

  it('is there for module-level variables, slots, threads and checkpoints', async () => {
    const inSlots = cluster({ cores: 2, coresPerItem: 1 }, (at: number) => [
      atTop.value.names[at],
      process.pid,
    ])
    const found = await inSlots.map([0, 1])
    expect(found.map(([name]) => name)).toEqual(['a', 'b'])
    const table = share({ list: [10, 20] })
    const inThreads = cluster({ cores: 2 }, (given: Shared<string[]>) =>
      localMap([0, 1], (at) => `${given.value[at]} ${table.value.list[at]}`),
    )
    expect(await inThreads(share(['x', 'y']))).toEqual(['x 10', 'y 20'])
    expect(await localMap([0, 1], (at) => table.value.list[at])).toEqual([10, 20])
    expect(await cluster(() => table.value.list.length).local()).toBe(2)
  })

  it('is read when it is asked for, once, and cannot be changed there', async () => {
    const shared = share({ rows: [{ n: 1 }], map: new Map([['k', { n: 1 }]]) })
    const change = cluster({ chunk: 4 }, (item: number) => {
      if (item === 0) return shared.value.rows[0]!.n
      if (item === 1) (shared.value.rows as unknown[]).push(2)
      if (item === 2) shared.value.map.get('k')!.n = 5
      const { value } = shared
      return shared.value === value
    })
    const ended = await change.map([0, 1, 2, 3]).settled()
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(String((ended[1] as PromiseRejectedResult).reason)).toMatch(/not extensible/)
    expect(String((ended[2] as PromiseRejectedResult).reason)).toMatch(/read only/)
    expect((ended[3] as PromiseFulfilledResult<unknown>).value).toBe(true)
  })

  it('is sent again when it was purged, and told when it is damaged', async () => {
    const table = share(large(5_000))
    const look = cluster((at: number) => table.value[at])
    expect(await look(1)).toBe(5_001)
    const blob = blobs().find((name) => holds(name, 5_000))!
    rmSync(`${workdir}/blobs/${blob}`)
    expect(await look(2)).toBe(5_002)
    writeFileSync(`${workdir}/blobs/${blob}`, Buffer.alloc(statSync(`${workdir}/blobs/${blob}`).size))
    await expect(look(3)).rejects.toThrow(/shared value .* cannot be read: its content is not what was sent/)
    truncateSync(`${workdir}/blobs/${blob}`, 10)
    expect(await look(4)).toBe(5_004)
  })

  it('stays while a job that lies there names it', async () => {
    const [kept, gone] = [share(large(7_000)), share(large(8_000))]
    await cluster(() => kept.value[0])()
    await cluster({ profile: 'here' }, () => gone.value[0])()
    const names = { kept: blobs().find((n) => holds(n, 7_000))!, gone: blobs().find((n) => holds(n, 8_000))! }
    const jobs = readdirSync(`${workdir}/jobs`).filter((id) =>
      readFileSync(`${workdir}/jobs/${id}/spec.json`, 'utf8').includes(names.gone.slice(0, 64)),
    )
    for (const id of jobs) removeFolder(`${workdir}/jobs/${id}`)
    const old = Date.now() / 1000 - 90 * 86_400
    for (const name of Object.values(names)) utimesSync(`${workdir}/blobs/${name}`, old, old)
    const { blobs: removed } = await clean()
    expect(removed).toContain(names.gone)
    expect(removed).not.toContain(names.kept)
    expect(existsSync(`${workdir}/blobs/${names.kept}`)).toBe(true)
  })

  it('counts for the cache by its content', async () => {
    const noted = `${folder}/noted`
    const count = cluster({ cache: true }, async (table: Shared<number[]>, path: string) => {
      const { appendFileSync } = await import('node:fs')
      appendFileSync(path, 'x')
      return table.value.length
    })
    expect(await count(share([1, 2]), noted)).toBe(2)
    expect(await count(share([1, 2]), noted)).toBe(2)
    expect(await count(share([1, 2, 3]), noted)).toBe(3)
    expect(readFileSync(noted, 'utf8')).toBe('xx')
  })

  it('is refused where it cannot be', async () => {
    class Model {}
    expect(() => share({ model: new Model() })).toThrow(/share\.model: an instance of Model cannot travel/)
    const shared = share([1])
    await expect(cluster(() => shared)()).rejects.toThrow(/result: what share\(\) gave cannot travel/)
  })

  it('says so when this machine has no room for it', () => {
    const cache = process.env['FARCALL_CACHE_DIR']
    mkdirSync(`${folder}/cache`)
    writeFileSync(`${folder}/cache/shared`, '')
    process.env['FARCALL_CACHE_DIR'] = `${folder}/cache`
    try {
      expect(() => share([1, 2, 3])).toThrow(/share: write .*\.val/)
    } finally {
      if (cache === undefined) delete process.env['FARCALL_CACHE_DIR']
      else process.env['FARCALL_CACHE_DIR'] = cache
    }
  })
})

const atTop = share({ names: ['a', 'b'] })

/** Whether this blob is the table that begins with the number. */
function holds(name: string, first: number): boolean {
  const bytes = readFileSync(`${workdir}/blobs/${name}`)
  return bytes.length > 800_000 && bytes.readDoubleLE(bytes.length - 800_000) === first
}
