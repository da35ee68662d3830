import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { wrapTransports } from '../../src/executor/open.ts'
import { close, cluster, configure } from '../../src/index.ts'
import { lateFiles } from '../../src/testing/late-files.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-late-'))
afterAll(async () => {
  wrapTransports((transport) => transport)
  removeFolder(folder)
})

it.each([false, true])(
  'results that are seen seconds late arrive whole (size 0 first: %s)',
  async (emptyFirst) => {
    const workdir = join(folder, `work-${emptyFirst}`)
    const view = join(folder, `view-${emptyFirst}`)
    mkdirSync(workdir, { mode: 0o700 })
    mkdirSync(view)
    lateFiles({ workdir, view, delayMs: (path) => (path.endsWith('out.pack') ? 4_000 : 1_500), emptyFirst })
    configure({
      store: join(folder, `store-${emptyFirst}`),
      profiles: { late: { scheduler: 'direct', workdir, grace: '30s', queryInterval: '1s' } },
    })
    const make = cluster({ profile: 'late' }, (n: number) => new Uint8Array(n).fill(7))
    const fail = cluster({ profile: 'late' }, () => {
      throw new RangeError('late, and as it was')
    })
    const began = Date.now()
    const [small, large, failed] = await Promise.all([
      make(100),
      make(3_000_000),
      fail().catch((error) => error),
    ])
    expect(Date.now() - began).toBeGreaterThan(4_000)
    expect(small).toEqual(new Uint8Array(100).fill(7))
    expect(large.length).toBe(3_000_000)
    expect(large.every((byte) => byte === 7)).toBe(true)
    expect(failed).toBeInstanceOf(RangeError)
    await close()
  },
)
