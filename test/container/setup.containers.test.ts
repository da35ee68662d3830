import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  type ClusterOptions,
  type ContainerSettings,
  close,
  cluster,
  command,
  configure,
} from '../../src/index.ts'
import { images } from '../clusters/engines.ts'
import { processesWhere, signal } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const { env } = inject('engines')
const folder = mkdtempSync(join(tmpdir(), 'farcall-setup-'))
const workdir = join(folder, 'work')
const caches = join(workdir, 'caches')

beforeAll(() => {
  Object.assign(process.env, env)
  configure({ profiles: { here: { scheduler: 'direct', workdir, keep: 'all' } }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

describe.each(['podman', 'docker'] as const)('the setup phase of a container of %s', (engine) => {
  const within = (more: Partial<ContainerSettings>): ClusterOptions => ({
    container: { engine, image: images.node, ...more },
  })
  const cache = (name: string) => ({ name: `${engine}-${name}`, path: '/cache' })
  const lines = (name: string) =>
    readFileSync(join(caches, `${engine}-${name}`, 'lines'), 'utf8')
      .trim()
      .split('\n')
  const left = () =>
    execFileSync(engine, ['ps', '-a', '--format', '{{.Names}}'], {
      env: process.env,
      encoding: 'utf8',
    }).trim()

  it('fills a cache with a network, which the function has without one, and cannot change', async () => {
    process.env['TOKEN_OF_TEST'] = 'hunter2'
    const look = cluster(
      {
        ...within({
          caches: [cache('deps')],
          setup: {
            lines: ['echo "$TOKEN_OF_TEST" >/cache/token', 'ls /sys/class/net >/cache/nets'],
            network: 'host',
          },
        }),
        environment: { secrets: ['TOKEN_OF_TEST'] },
      },
      async () => {
        const { readdirSync, readFileSync, writeFileSync } = await import('node:fs')
        const refused = (path: string) => {
          try {
            writeFileSync(path, 'x')
          } catch (error) {
            return (error as NodeJS.ErrnoException).code
          }
          return 'written'
        }
        return {
          token: readFileSync('/cache/token', 'utf8').trim(),
          before: readFileSync('/cache/nets', 'utf8').trim().split('\n'),
          nets: readdirSync('/sys/class/net'),
          write: refused('/cache/x'),
        }
      },
    )
    const seen = await look()
    expect(seen).toMatchObject({ token: 'hunter2', nets: ['lo'], write: 'EROFS' })
    expect(seen.before).toEqual(readdirSync('/sys/class/net'))
    expect(readdirSync(caches).filter((name) => name.includes('.lock'))).toEqual([])
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })

  it('runs once for a map, whichever member comes first', async () => {
    const read = cluster(
      {
        ...within({ caches: [cache('map')], setup: ['sleep 1', 'echo set up >>/cache/lines'] }),
        chunk: 1,
        concurrency: 2,
      },
      async (n: number) => {
        const { readFileSync } = await import('node:fs')
        return `${n} ${readFileSync('/cache/lines', 'utf8').trim()}`
      },
    )
    expect(await read.map([1, 2, 3])).toEqual(['1 set up', '2 set up', '3 set up'])
    expect(lines('map')).toEqual(['set up'])
  })

  it('has its caches alone, of all jobs; their run phases are side by side', async () => {
    // Their options differ, so that they are three jobs.
    const runs = (number: number) =>
      command(
        ['sh', '-c', 'echo running'],
        within({
          caches: [cache('alone')],
          setup: [`echo begin ${number} >>/cache/lines`, 'sleep 2', `echo end ${number} >>/cache/lines`],
        }),
      )
    const three = [runs(1), runs(2), runs(3)]
    for (const { exitCode } of await Promise.all(three)) expect(exitCode).toBe(0)
    const seen = lines('alone')
    expect(seen).toHaveLength(6)
    for (const at of [0, 2, 4]) expect(seen[at + 1]).toBe(seen[at]!.replace('begin', 'end'))
  })

  it('that fails ends the job with its words, and the next job has the cache', async () => {
    const options = within({ caches: [cache('bad')], setup: ['echo no such package >&2', 'exit 7'] })
    await expect(cluster(options, () => 1)()).rejects.toMatchObject({
      code: 'JOB_FAILED',
      status: {
        reason: 'launch-failed',
        message: expect.stringMatching(/container\.setup failed with exit code 7 on .*: no such package/),
      },
    })
    const good = within({ caches: [cache('bad')], setup: ['true'] })
    expect(await cluster(good, () => 1)()).toBe(1)
  })

  it('is ended by a cancel, and by the end of the time, also while it waits for a cache', async () => {
    const hold = within({ caches: [cache('held')], setup: ['echo held >/cache/lines', 'sleep 300'] })
    const holder = cluster(hold, () => 1)()
    const held = expect(holder).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    const file = join(caches, `${engine}-held`, 'lines')
    await expect.poll(() => existsSync(file), { timeout: 30_000 }).toBe(true)
    const waits = within({ caches: [cache('held')], setup: ['true'] })
    const waiter = cluster(waits, () => 2)()
    const waited = expect(waiter).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    for await (const line of waiter.logs({ follow: true, stream: 'stderr' }))
      if (line.includes('waiting for the cache')) break
    await waiter.cancel()
    await waited
    await expect(cluster({ ...waits, time: '2s' }, () => 3)()).rejects.toMatchObject({
      status: { reason: 'timeout' },
    })
    await holder.cancel()
    await held
    await expect.poll(left, { timeout: 30_000 }).toBe('')
    await expect
      .poll(() => readdirSync(caches).filter((name) => name.includes('.lock')), { timeout: 30_000 })
      .toEqual([])
    await expect(
      cluster({ ...within({ setup: ['sleep 300'] }), time: '2s' }, () => 4)(),
    ).rejects.toMatchObject({ status: { reason: 'timeout' } })
  })

  it('waits for a holder on another node, until nobody has touched the lock for five minutes', async () => {
    const lock = join(caches, `${engine}-far.lock`)
    mkdirSync(caches, { recursive: true })
    writeFileSync(lock, 'elsewhere 1 1 farcall-none\n')
    const job = cluster(within({ caches: [cache('far')], setup: ['true'] }), () => 5)()
    for await (const line of job.logs({ follow: true, stream: 'stderr' }))
      if (/waiting for the cache .*: elsewhere 1 1/.test(line)) break
    const before = new Date(Date.now() - 6.5 * 60_000)
    utimesSync(lock, before, before)
    expect(await job).toBe(5)
    expect(existsSync(lock)).toBe(false)
  })

  it('whose holder was killed, with all that watched it, gives its caches to the next', async () => {
    const holder = cluster(
      within({
        caches: [cache('crash')],
        setup: ['echo held >/cache/lines', 'sleep 300; echo late >/cache/lines'],
      }),
      () => 1,
    )()
    holder.catch(() => {})
    await expect
      .poll(() => existsSync(join(caches, `${engine}-crash`, 'lines')), { timeout: 30_000 })
      .toBe(true)
    // The script, its keeper of locks, and the engine's own process; the container they cannot end any more.
    signal(
      processesWhere((argv) => argv.includes(holder.id)),
      'SIGKILL',
    )
    const next = cluster(
      within({ caches: [cache('crash')], setup: ['echo mine >/cache/lines'] }),
      async () => {
        const { readFileSync } = await import('node:fs')
        return readFileSync('/cache/lines', 'utf8').trim()
      },
    )()
    expect(await next).toBe('mine')
    const said: string[] = []
    for await (const line of next.logs({ stream: 'stderr' })) said.push(line)
    expect(said.join()).toMatch(/the cache .*-crash was left locked by .*, which is gone/)
    await expect(holder).rejects.toMatchObject({ code: 'JOB_FAILED' })
    await expect.poll(left, { timeout: 30_000 }).toBe('')
  })
})
