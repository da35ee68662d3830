import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ContainerSettings, close, cluster, command, configure, jobs } from '../../src/index.ts'
import { images } from '../clusters/engines.ts'
import { removeFolder } from '../remove-folder.ts'
import { lookInside } from './look-inside.ts'

const { env } = inject('engines')
const folder = mkdtempSync(join(tmpdir(), 'farcall-containers-'))
const workdir = join(folder, 'work')
const data = join(folder, 'data')

beforeAll(() => {
  Object.assign(process.env, env)
  mkdirSync(data)
  writeFileSync(join(data, 'x'), 'from outside')
  configure({ profiles: { here: { scheduler: 'direct', workdir, keep: 'all' } }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

describe.each(['podman', 'docker'] as const)('in a container of %s', (engine) => {
  const within = (image: keyof typeof images, more: Partial<ContainerSettings> = {}) => ({
    container: { engine, image: images[image], ...more },
  })
  const left = () =>
    execFileSync(engine, ['ps', '-a', '--format', '{{.Names}}'], {
      env: process.env,
      encoding: 'utf8',
    }).trim()

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
      node: expect.stringContaining(`${workdir}/node/`),
      data: 'from outside',
      write: 'EROFS',
      nets: ['lo'],
      words: 'a "b" $c\nd',
      inside: 'it is',
      secret: 'hunter2',
    })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })

  it("a map runs with the image's own Node, and what is printed comes live", async () => {
    const square = cluster(
      { ...within('node'), chunk: 2, environment: { node: '/usr/bin/node' } },
      (n: number) => {
        console.log(`square of ${n}`)
        return [n * n, process.execPath]
      },
    )
    const array = square.map([1, 2, 3])
    expect(await array).toEqual([1, 4, 9].map((value) => [value, '/usr/bin/node']))
    const slow = cluster(within('node'), async () => {
      console.log('begun')
      await new Promise((resolve) => setTimeout(resolve, 60_000))
    })()
    slow.catch(() => {})
    for await (const line of slow.logs({ follow: true })) if (line.includes('begun')) break
    await slow.cancel()
    await expect(slow).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })

  it('what throws is the error of the function, and an exit code is its own', async () => {
    const throws = cluster(within('node'), () => {
      throw new RangeError('7 is out of range')
    })
    await expect(throws()).rejects.toMatchObject({ name: 'RangeError', message: '7 is out of range' })
    const exits = cluster(within('node'), () => process.exit(125))
    await expect(exits()).rejects.toMatchObject({ status: { reason: 'exit-code', exitCode: 125 } })
  })

  it('too much memory is named as such, whoever of the two was killed', async () => {
    const eats = cluster({ ...within('node', { memory: '64MB' }) }, async () => {
      const { Buffer } = await import('node:buffer')
      const all: Buffer[] = []
      for (;;) all.push(Buffer.alloc(8 << 20, 1))
    })
    await expect(eats()).rejects.toMatchObject({ status: { state: 'FAILED', reason: 'out-of-memory' } })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })

  it('a cancel reaches the function as SIGTERM, and it has time to save what it did', async () => {
    const saves = cluster(within('node', { mounts: [`${data}:/data`] }), (file: string) => {
      process.on('SIGTERM', async () => {
        const { writeFileSync } = await import('node:fs')
        setTimeout(() => {
          writeFileSync(file, 'saved')
          process.exit(0)
        }, 500)
      })
      console.log('begun')
      return new Promise((resolve) => setTimeout(resolve, 60_000))
    })(`/data/${engine}`)
    saves.catch(() => {})
    for await (const line of saves.logs({ follow: true })) if (line.includes('begun')) break
    await saves.cancel()
    await expect(saves).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
    expect(readFileSync(join(data, engine), 'utf8')).toBe('saved')
  })

  it('the end of its time ends it, and all that is in it', async () => {
    const hangs = cluster({ ...within('node'), time: '2s' }, () => {
      process.on('SIGTERM', () => {})
      return new Promise((resolve) => setTimeout(resolve, 60_000))
    })
    await expect(hangs()).rejects.toMatchObject({ status: { reason: 'timeout' } })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })

  it.each<[string, Partial<ContainerSettings>, RegExp, string]>([
    [
      'an image that is not there',
      { image: 'localhost/none:1' },
      /image localhost\/none:1 is not on .* container\.pull/,
      'launch-failed',
    ],
    ['an image without a shell', { image: images.empty }, /has no \/bin\/sh/, 'launch-failed'],
    ['an image with musl and without Node', { image: images.musl }, /musl/, 'interpreter-missing'],
    [
      'a word that the engine does not know',
      { options: ['--no-such-word'] },
      /could not start the image.*unknown flag/,
      'launch-failed',
    ],
    [
      'a mount that is not there',
      { mounts: ['/no/such/folder'] },
      /there is no \/no\/such\/folder on/,
      'launch-failed',
    ],
    [
      'a mount of the system',
      { mounts: ['/etc/passwd:/data'] },
      /\/etc\/passwd.*may not be mounted/,
      'launch-failed',
    ],
    [
      'a mount that holds one of the system',
      { mounts: ['/var:/data'] },
      /\/var leads to \/var on .*, which may not be mounted \(\/var\//,
      'launch-failed',
    ],
    ['all of the node', { mounts: ['/:/data'] }, /which may not be mounted/, 'launch-failed'],
    [
      'a link out of where it lies',
      { mounts: [`${folder}/link:/data`] },
      /link leads to \/etc on .*, which may not be mounted/,
      'launch-failed',
    ],
  ])('%s is said to be the reason', async (_, settings, message, reason) => {
    try {
      symlinkSync('/etc', join(folder, 'link'))
    } catch {
      // there already
    }
    const one = cluster({ container: { engine, image: images.bare, ...settings } }, () => 1)
    await expect(one()).rejects.toMatchObject({
      status: { state: 'FAILED', reason, message: expect.stringMatching(message) },
    })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })

  it('what it and its child processes use is known, of memory and of disks', async () => {
    const uses = cluster({ ...within('node', { memory: '1GB' }) }, async () => {
      const { execFileSync } = await import('node:child_process')
      const { writeFileSync } = await import('node:fs')
      const held = Buffer.alloc(200 << 20, 1)
      writeFileSync('/usr/made', held.subarray(0, 8 << 20))
      execFileSync('dd', ['if=/dev/zero', 'of=/usr/made.2', 'bs=1M', 'count=16'], { stdio: 'ignore' })
      return held.length
    }).with({ container: { engine, image: images.node, memory: '1GB', user: 'root' } })()
    await uses
    const { memory, disk, cpu } = await uses.usage()
    expect(memory.used! / 2 ** 20).toBeGreaterThan(200)
    expect(memory.used! / 2 ** 20).toBeLessThan(600)
    expect(disk!.written / 2 ** 20).toBeGreaterThanOrEqual(24)
    expect(disk!.written / 2 ** 20).toBeLessThan(60)
    expect(cpu.used).toBeGreaterThan(0)
  })

  it('a command is a job in it as a function is', async () => {
    const job = command(['sh', '-c', 'cat /data/x; echo " $INSIDE" >&2; exit 4'], {
      ...within('bare', { mounts: [`${data}:/data:ro`], env: { INSIDE: 'yes' } }),
      check: false,
    })
    expect(await job).toMatchObject({ exitCode: 4, stdoutTail: 'from outside', stderrTail: ' yes\n' })
    await expect(command(['no-such-program'], within('bare'))).rejects.toMatchObject({
      status: { message: expect.stringContaining('no-such-program') },
    })
  })

  it('a root file system that is read-only cannot be written to, but for /tmp', async () => {
    const writes = cluster(within('node', { readOnly: true }), async () => {
      const { writeFileSync } = await import('node:fs')
      writeFileSync('/tmp/x', '1')
      try {
        writeFileSync('/x', '1')
      } catch (error) {
        return (error as NodeJS.ErrnoException).code
      }
      return 'written'
    })
    expect(await writes()).toBe('EROFS')
  })

  it("is taken away when the engine's own process was killed", async () => {
    const hangs = cluster(within('node'), () => new Promise((resolve) => setTimeout(resolve, 60_000)))()
    hangs.catch(() => {})
    await expect.poll(left, { timeout: 30_000 }).toContain(hangs.id)
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      let words: string[]
      try {
        words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      } catch {
        continue // it has ended
      }
      if (words[0]?.endsWith(engine) && words.includes(`farcall-${hangs.id}-1-0`))
        process.kill(Number(pid), 'SIGKILL')
    }
    await expect(hangs).rejects.toMatchObject({ code: 'JOB_FAILED' })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })
})

it('several processes are started inside, and launchers of the node are refused', async () => {
  const rank = cluster(
    { container: { engine: 'podman', image: images.node }, tasksPerNode: 2, gather: 'all' },
    async () => {
      const { currentTask } = await import('farcall')
      return currentTask().rank
    },
  )
  expect(await rank()).toEqual([0, 1])
  await expect(rank.with({ launcher: 'mpirun' })()).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    hint: expect.stringContaining("launcher 'multiple'"),
  })
})

it('a record of it is kept as of any other', async () => {
  expect((await jobs({ state: 'FAILED' })).length).toBeGreaterThan(0)
})
