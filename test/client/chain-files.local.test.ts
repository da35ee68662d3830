import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { wrapTransports } from '../../src/executor/open.ts'
import { attach, clean, close, cluster, configure } from '../../src/index.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-chain-files-'))
const workdir = join(folder, 'work')
const jobs = () =>
  existsSync(`${workdir}/jobs`) ? readdirSync(`${workdir}/jobs`).filter((one) => one.startsWith('f')) : []

/** Bytes that went through this process, either way. */
let bytes = 0
function counting(transport: Transport): Transport {
  return new Proxy(transport, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target)
      if (typeof own !== 'function') return own
      return (...args: unknown[]) => {
        const result: unknown = own.apply(target, args)
        if (name === 'exec')
          void (result as ReturnType<Transport['exec']>).then(
            ({ stdout }) => {
              bytes += stdout.byteLength + ((args[0] as { stdin?: Uint8Array }).stdin?.length ?? 0)
            },
            () => {},
          )
        if (name === 'put')
          for (const { content } of args[0] as { content: Uint8Array | { localPath: string } }[])
            bytes += content instanceof Uint8Array ? content.byteLength : statSync(content.localPath).size
        if (name === 'get')
          void (result as ReturnType<Transport['get']>).then(
            (got) => {
              bytes += got?.byteLength ?? 0
            },
            () => {},
          )
        return result
      }
    },
  })
}

const fill = cluster((megabytes: number) => Buffer.alloc(megabytes * 1e6, 7))
const sum = cluster((given: Buffer) => given.length + given[given.length - 1]!)
const wait = cluster(
  (seconds: number, value: unknown) => new Promise((resolve) => setTimeout(resolve, seconds * 1000, value)),
)
const flaky = cluster(
  { retry: { retries: 2, base: '100ms', backoff: 'fixed', on: ['exception'] } },
  async (path: string) => {
    const fs = await import('node:fs')
    fs.appendFileSync(path, 'x')
    if (fs.statSync(path).size < 3) throw new Error('not yet')
    return fs.statSync(path).size
  },
)

beforeAll(() => {
  wrapTransports(counting)
  configure({ profiles: { here: { scheduler: 'direct', workdir } }, defaultProfile: 'here' })
})
afterEach(close)
afterAll(() => {
  wrapTransports((transport) => transport)
  removeFolder(folder)
})

describe('a value that another job needs', () => {
  it('of 100 MB goes from file to file, and comes here when it is asked for late', async () => {
    await fill(0)
    bytes = 0
    const large = fill(100)
    expect(await sum(large)).toBe(100e6 + 7)
    expect(large.status().state).toBe('COMPLETED')
    expect(bytes).toBeLessThan(1e6)
    const here = await large
    expect([here.length, here.at(-1)]).toEqual([100e6, 7])
    expect(bytes).toBeGreaterThan(100e6)
  })

  it('stays where it is for as long as it is needed, and goes then', async () => {
    const before = jobs().length
    const parent = wait(0, 'kept')
    const child = wait(2, parent)
    await parent
    await child.detach()
    await close()
    const spec = JSON.parse(readFileSync(`${workdir}/jobs/${child.id}/spec.json`, 'utf8'))
    expect(spec.parents.jobs).toEqual([{ id: parent.id.slice(0, 14), name: 'wait' }])
    // Done with, but for the one that needs it: no cleaning takes it away.
    expect(jobs()).toHaveLength(before + 2)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await clean({ olderThan: 1 })
    expect(jobs()).toHaveLength(before + 2)
    expect(await attach(child.id)).toBe('kept')
    await close()
    const left = async () => {
      await clean({ olderThan: 1 })
      return jobs().length
    }
    await expect.poll(left, { timeout: 20_000, interval: 1_000 }).toBe(before)
  })

  it('is that of the last try', async () => {
    const path = join(folder, 'flaky')
    const parent = flaky(path)
    expect(await wait(0, parent)).toBe(3)
    expect(parent.attempts).toHaveLength(3)
  })
})
