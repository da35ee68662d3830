import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ClusterOptions, type ContainerSettings, close, cluster, configure } from '../../src/index.ts'
import { processesWhere } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { lookInside } from './look-inside.ts'

/** No Debian release that the tests run on has it: they do where somebody has installed it. */
const isThere = spawnSync('apptainer', ['--version']).status === 0

describe.skipIf(!isThere)('in a container of apptainer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-apptainer-'))
  const workdir = join(folder, 'work')
  const data = join(folder, 'data')
  /** A folder does for an image. */
  const imageOf = (name: string) => join(folder, name)
  const within = (image: string, more: Partial<ContainerSettings> = {}): ClusterOptions => ({
    container: { engine: 'apptainer', image: imageOf(image), ...more },
  })

  beforeAll(() => {
    const { archives } = inject('engines')
    for (const name of ['bare', 'node', 'musl', 'empty'] as const) {
      mkdirSync(imageOf(name))
      execFileSync('tar', ['-C', imageOf(name), '-xf', archives[name]])
    }
    mkdirSync(data)
    writeFileSync(join(data, 'x'), 'from outside')
    configure({ profiles: { here: { scheduler: 'direct', workdir, keep: 'all' } }, defaultProfile: 'here' })
  })
  afterAll(async () => {
    await close()
    removeFolder(folder)
  })

  const running = (word: string) => processesWhere((argv) => argv.includes(word))

  it('a function runs with our Node, its mounts and variables, without a network', async () => {
    process.env['SECRET_OF_TEST'] = 'hunter2'
    const look = cluster(
      {
        ...within('bare', { mounts: [`${data}:/data:ro`], env: { INSIDE: 'it is' } }),
        environment: { variables: { WORDS: 'a "b" $c\nd' }, secrets: ['SECRET_OF_TEST'] },
      },
      lookInside,
    )
    expect(await look(3)).toMatchObject({
      n: 3,
      write: 'EROFS',
      node: expect.stringContaining(`${workdir}/node/`),
      data: 'from outside',
      nets: ['lo'],
      words: 'a "b" $c\nd',
      inside: 'it is',
      secret: 'hunter2',
    })
  })

  it("a map runs with the image's own Node, and an exit code is the function's", async () => {
    const square = cluster(
      { ...within('node'), chunk: 2, environment: { node: '/usr/bin/node' } },
      (n: number) => [n * n, process.execPath],
    )
    expect(await square.map([1, 2, 3])).toEqual([1, 4, 9].map((value) => [value, '/usr/bin/node']))
    const exits = cluster(within('node'), () => process.exit(255))
    await expect(exits()).rejects.toMatchObject({ status: { reason: 'exit-code', exitCode: 255 } })
  })

  it('a cancel reaches the function as SIGTERM, and nothing is left running', async () => {
    const saves = cluster(within('node', { mounts: [`${data}:/data`] }), () => {
      process.on('SIGTERM', async () => {
        const { writeFileSync } = await import('node:fs')
        writeFileSync('/data/saved', 'saved')
        process.exit(0)
      })
      console.log('begun')
      return new Promise((resolve) => setTimeout(resolve, 60_000))
    })()
    saves.catch(() => {})
    for await (const line of saves.logs({ follow: true })) if (line.includes('begun')) break
    await saves.cancel()
    await expect(saves).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    await expect.poll(() => running(saves.id), { timeout: 30_000 }).toEqual([])
    expect(readFileSync(join(data, 'saved'), 'utf8')).toBe('saved')
  })

  it('the end of its time ends it, and all that is in it', async () => {
    const hangs = cluster({ ...within('node'), time: '2s' }, () => {
      process.on('SIGTERM', () => {})
      return new Promise((resolve) => setTimeout(resolve, 60_000))
    })()
    await expect(hangs).rejects.toMatchObject({ status: { reason: 'timeout' } })
    await expect.poll(() => running(hangs.id), { timeout: 30_000 }).toEqual([])
  })

  it('a setup phase has the network, and its cache to itself; the function has neither', async () => {
    const read = cluster(
      {
        ...within('bare', {
          caches: [{ name: 'made', path: '/made' }],
          setup: ['ls /sys/class/net >/made/nets', 'echo set up >>/made/lines'],
        }),
        chunk: 1,
      },
      async (_: number) => {
        const { readFileSync, writeFileSync } = await import('node:fs')
        try {
          writeFileSync('/made/x', 'no')
        } catch (error) {
          return [readFileSync('/made/lines', 'utf8'), (error as NodeJS.ErrnoException).code]
        }
        return ['written']
      },
    )
    expect(await read.map([1, 2])).toEqual(Array(2).fill(['set up\n', 'EROFS']))
    expect(readFileSync(join(workdir, 'caches/made/nets'), 'utf8').trim().split('\n')).toEqual(
      readdirSync('/sys/class/net'),
    )
    expect(readdirSync(join(workdir, 'caches'))).toEqual(['made'])
  })

  it.each<[string, Partial<ContainerSettings>, RegExp, string]>([
    [
      'an image that is not there',
      { image: '/no/such.sif' },
      /image \/no\/such\.sif is not on/,
      'launch-failed',
    ],
    ['an image without a shell', { image: imageOf('empty') }, /has no \/bin\/sh/, 'launch-failed'],
    ['an image with musl and without Node', { image: imageOf('musl') }, /musl/, 'interpreter-missing'],
    [
      'a word that it does not know',
      { options: ['--no-such-word'] },
      /could not start the image.*unknown flag/,
      'launch-failed',
    ],
    ['a mount of the system', { mounts: ['/etc:/data'] }, /may not be mounted/, 'launch-failed'],
  ])('%s is said to be the reason', async (_, settings, message, reason) => {
    const one = cluster({ container: { engine: 'apptainer', image: imageOf('bare'), ...settings } }, () => 1)
    await expect(one()).rejects.toMatchObject({
      status: { state: 'FAILED', reason, message: expect.stringMatching(message) },
    })
  })
})
