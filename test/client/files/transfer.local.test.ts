import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Readable, Transform, type Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { clusterFiles } from '../../../src/executor/files/cluster-files.ts'
import { farEnd } from '../../../src/executor/files/far-end.ts'
import { nearEnd } from '../../../src/executor/files/near-end.ts'
import { isUsable } from '../../../src/executor/files/rsync.ts'
import type { SyncOptions } from '../../../src/files/types.ts'
import { createLocalTransport } from '../../../src/transport/local.ts'
import type { Transport } from '../../../src/transport/transport.ts'
import { removeFolder } from '../../remove-folder.ts'
import { busyboxTransport } from './busybox.ts'
import { sha, transferSuite } from './transfer-suite.ts'

transferSuite('of this machine', async () => clusterFiles(createLocalTransport(), true))
transferSuite('by sh', async () => clusterFiles(createLocalTransport(), false))
transferSuite('by busybox', async () => clusterFiles(busyboxTransport(), false))

/** Counts what goes through rsync's two ends. */
function metered() {
  const inner = createLocalTransport()
  const meter = { bytes: 0, programs: [] as string[] }
  const pipe: Transport['pipe'] = (argv, use) => {
    meter.programs.push(argv.slice(6, 8).join(' '))
    return inner.pipe(argv, (streams) => {
      const count = () =>
        new Transform({
          transform(chunk: Buffer, _, done) {
            meter.bytes += chunk.length
            done(null, chunk)
          },
        })
      const stdin = count()
      stdin.pipe(streams.stdin as Writable)
      return use({ ...streams, stdin, stdout: (streams.stdout as Readable).pipe(count()) })
    })
  }
  return { meter, fs: clusterFiles({ ...inner, pipe }, false) }
}

describe('with rsync at both ends', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'farcall-rsync-test-'))
    for (const one of ['here', 'there']) mkdirSync(join(folder, one))
  })
  afterEach(() => removeFolder(folder))
  const sizes = { whole: 20_000_000, part: 1_000_000 }
  const change = (side: string, content: Buffer) => {
    randomBytes(sizes.part).copy(content, 7_000_001)
    writeFileSync(join(folder, side, 'large'), content)
  }
  const same = () =>
    sha(readFileSync(join(folder, 'here/large'))) === sha(readFileSync(join(folder, 'there/large')))

  test('only what differs is sent, either way', async () => {
    const { fs, meter } = metered()
    const content = randomBytes(sizes.whole)
    change('here', content)
    const sync = (direction: 'up' | 'down', options: Partial<SyncOptions> = {}) =>
      fs.sync(join(folder, 'here'), join(folder, 'there'), { direction, ...options })
    await sync('up')
    expect(meter).toEqual({ bytes: 0, programs: [] }) // it is new there
    change('here', content)
    utimesSync(join(folder, 'here/large'), 1e9, 1e9)
    await sync('up', { dryRun: true })
    expect(meter.bytes).toBe(0)
    await sync('up')
    expect([same(), meter.programs]).toEqual([true, ['rsync --server']])
    expect(meter.bytes).toBeGreaterThan(sizes.part)
    expect(meter.bytes).toBeLessThan(1.2 * sizes.part)
    meter.bytes = 0
    change('there', content)
    await sync('down')
    expect(same()).toBe(true)
    expect(meter.bytes).toBeLessThan(1.2 * sizes.part)
    meter.bytes = 0
    change('here', content)
    utimesSync(join(folder, 'here/large'), 1e9, 1e9)
    await sync('up', { rsync: false })
    expect([same(), meter.bytes]).toEqual([true, 0])
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual([
      'here',
      'here/large',
      'there',
      'there/large',
    ])
  })

  test('its words become an error with code and path, and the old file stays', async () => {
    const { fs } = metered()
    writeFileSync(join(folder, 'here/large'), randomBytes(sizes.part * 2))
    const old = randomBytes(sizes.part * 2)
    writeFileSync(join(folder, 'there/large'), old)
    utimesSync(join(folder, 'there/large'), 1e9, 1e9)
    // what is not whole yet cannot lie there
    writeFileSync(join(folder, 'there/.farcall-in.rsync'), 'a file')
    const sync = fs.sync(join(folder, 'here'), join(folder, 'there'), { direction: 'up' })
    await expect(sync).rejects.toMatchObject({ code: 'FILE_EXISTS', path: join(folder, 'there') })
    expect(readFileSync(join(folder, 'there/large')).equals(old)).toBe(true)
  })

  test('versions', () => {
    const usable = [
      'rsync  version 3.2.7  protocol version 31',
      'rsync  version v3.4.1  protocol',
      'rsync  version 3.1.0',
    ]
    const not = [
      'openrsync: protocol version 29',
      'rsync  version 2.6.9  protocol version 29',
      'rsync  version 3.0.9',
      '',
    ]
    expect([usable.map(isUsable), not.map(isUsable)]).toEqual([usable.map(() => true), not.map(() => false)])
  })
})

test('nothing is removed from the home folder, nor from above it', async () => {
  for (const end of [nearEnd(() => '/'), farEnd(createLocalTransport())])
    for (const folder of ['~', '~/.', '/'])
      await expect(end.removeBelow(folder, ['no-such-file'])).rejects.toMatchObject({ code: 'FILE_REFUSED' })
})
