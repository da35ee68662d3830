import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, JobFailedError } from '../../src/index.ts'
import { isAlive, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { failure, jobProcesses, left } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-failures-'))
const workdir = `${folder}/work`
const place = { scheduler: 'direct', workdir, queryInterval: '1s', keep: 'none' } as const

beforeAll(() => configure({ profiles: { here: place }, defaultProfile: 'here' }))
afterEach(async () => {
  await close()
  expect(await until(() => jobProcesses(workdir).length === 0, 10_000), 'no process is left').toBe(true)
  expect(left(workdir)).toEqual([])
})
afterAll(() => removeFolder(folder))

const failed = { name: 'JobFailedError', code: 'JOB_FAILED' }

describe('a function that', () => {
  it('exits is told with its code and line', async () => {
    const exits = cluster(() => {
      console.error('going')
      process.exit(3)
    })
    const error = await failure(exits(), {
      ...failed,
      message: /exit code 3.*process\.exit\(3\) was called/s,
    })
    expect(error).toMatchObject({ reason: 'exit-code', status: { exitCode: 3 }, stderrTail: 'going' })
    expect(error.message).toMatch(/failures\.local\.test\.ts:\d+/)
  })

  it('exits well without a result is a failure too', async () => {
    await failure(cluster(() => process.exit(0))(), { ...failed, message: /exit code 0/ })
  })

  it('waits for what can never come is told so', async () => {
    const pending = cluster(() => new Promise(() => {}))
    await failure(pending(), { ...failed, message: /event loop ran empty/ })
  })

  it('fills the heap ran out of memory, with advice', { timeout: 120_000 }, async () => {
    const fills = cluster({ memory: '60MB' }, () => {
      const held: unknown[] = []
      for (;;) held.push({ text: 'x'.repeat(100), list: new Array(1000).fill(held.length) })
    })
    const error = await failure(fills(), { ...failed, message: /ran out of memory/, hint: /memory: '\d+MB'/ })
    expect(error).toMatchObject({ reason: 'out-of-memory' })
  })

  it('rejects where nobody looks fails with what was thrown', async () => {
    const rejects = cluster(async () => {
      void Promise.reject(new RangeError('behind the back'))
      await new Promise((resolve) => setTimeout(resolve, 10_000))
    })
    await expect(rejects()).rejects.toThrow(new RangeError('behind the back'))
  })

  it('throws in a timer fails with what was thrown', async () => {
    const throws = cluster(async () => {
      setTimeout(() => {
        throw new RangeError('late')
      }, 10)
      await new Promise((resolve) => setTimeout(resolve, 10_000))
    })
    await expect(throws()).rejects.toThrow(new RangeError('late'))
  })

  it('throws no error gives just that', async () => {
    const throws = cluster((what: unknown) => {
      throw what
    })
    const results = await Promise.allSettled([throws('text'), throws(undefined), throws({ a: 1 })])
    expect(results.map((result) => (result as PromiseRejectedResult).reason)).toEqual([
      'text',
      undefined,
      { a: 1 },
    ])
  })

  it('is over its time is ended, with all that it started', async () => {
    const slow = cluster({ time: '1s' }, async () => {
      const { spawn } = await import('node:child_process')
      spawn('sleep', ['600'], { stdio: 'ignore' })
      await new Promise((resolve) => setTimeout(resolve, 600_000))
    })
    const error = await failure(slow(), { ...failed, message: /time limit of 1 s/, hint: /time: 2/ })
    expect(error).toMatchObject({ reason: 'timeout' })
  })

  it('is killed is told with the signal', async () => {
    const dies = cluster(() => process.kill(process.pid, 'SIGKILL'))
    const error = await failure(dies(), { ...failed, message: /signal 9/, hint: /memory/ })
    expect(error).toMatchObject({ reason: 'signal', status: { signal: 9 } })
  })

  it('is killed with all of its session, before a word was written, is told so', async () => {
    const waits = cluster(() => new Promise((resolve) => setTimeout(resolve, 600_000)))
    const job = waits()
    job.catch(() => {})
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    const session = Number(job.nativeId!.split(':')[2])
    // More than once: what the shell starts between two looks of pkill is in the next.
    const killed = () => {
      spawnSync('pkill', ['-KILL', '-s', String(session)])
      return jobProcesses(workdir).length === 0
    }
    expect(await until(killed, 30_000)).toBe(true)
    expect(await until(() => !isAlive(session), 30_000)).toBe(true)
    const error = await failure(job, { ...failed, message: /lost.*left the queue/s, hint: /./ })
    expect(error).toBeInstanceOf(JobFailedError)
    expect(error).toMatchObject({ reason: 'lost' })
  })

  it('fails in one item of a chunk leaves the others alone, and an exit tells which were lost', async () => {
    const picky = cluster((n: number) => {
      if (n === 2) process.exit(4)
      return n
    })
    const results = await picky.map([0, 1, 2, 3], { chunk: 4 }).settled()
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    for (const result of results.slice(2))
      expect(result).toMatchObject({ reason: { reason: 'exit-code', code: 'JOB_FAILED' } })
  })
})

describe('a place without', () => {
  const using = (environment: object) => cluster({ environment }, () => 1)()

  it('the node that was named is told so', async () => {
    const expected = { name: 'JobFailedError', code: 'INTERPRETER_MISSING', hint: /environment/ }
    await failure(using({ node: '/nonexistent' }), { ...expected, message: /\/nonexistent/ })
    await failure(using({ node: '/bin/false' }), { ...expected, message: /\/bin\/false does not start/ })
  })

  it('a node that is new enough is told so', async () => {
    const old = join(folder, 'old-node')
    writeFileSync(old, '#!/bin/sh\n[ "$1" = --version ] && echo v12.22.1\nexit 1\n', { mode: 0o755 })
    const expected = { name: 'JobFailedError', code: 'INTERPRETER_MISSING', hint: /Node 16/ }
    await failure(using({ node: old }), { ...expected, message: /v12\.22\.1; Node >= 16/ })
  })

  it('node on PATH gets the one of this process, unless it is to be a version that there is not', async () => {
    const expected = { name: 'JobFailedError', code: 'INTERPRETER_MISSING', hint: /modules/ }
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    for (const name of readdirSync('/usr/bin'))
      if (!/^node(js)?$/.test(name)) symlinkSync(join('/usr/bin', name), join(bin, name))
    const setup = [`PATH='${bin}'`]
    expect(await cluster({ environment: { setup } }, () => process.version)()).toBe(process.version)
    await failure(using({ setup, node: '15999' }), {
      ...expected,
      message: /no node on PATH .*(no Node that starts on .*: the registry has no such version|registry: )/,
    })
  })

  it('a module command, or with a setup line that fails, is told so', async () => {
    await failure(using({ modules: ['gcc/12'] }), {
      ...failed,
      message: /module (gcc\/12 .*no module command|load gcc\/12 failed)/,
    })
    await failure(using({ setup: ['echo oh no >&2', 'exit 5'] }), {
      ...failed,
      message: /exit code 5.*oh no/s,
    })
    await failure(using({ setup: ['if true; then'] }), { ...failed, message: /setup lines/ })
  })
})

describe.runIf(process.getuid?.() === 0)('a work folder on a full disk', () => {
  const disk = join(folder, 'disk')
  beforeAll(() => {
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', disk])
    configure({ profiles: { small: { ...place, workdir: `${disk}/work` } } })
  })
  afterAll(async () => {
    await close()
    // What ended a moment ago may still have a folder open there.
    execFileSync('umount', ['-l', disk])
  })
  const make = cluster({ profile: 'small' }, (n: number) => new Uint8Array(n).fill(7))

  it('that the result does not fit on tells so, and works again after', { timeout: 60_000 }, async () => {
    const error = await failure(make(4_000_000), { ...failed, message: /ENOSPC|[Nn]o space left/ })
    expect(error.hint).toMatch(/disk|quota|space/)
    await close()
    expect((await make(1000)).length).toBe(1000)
  })

  it('that the arguments do not fit on tells so, and no job is made', async () => {
    const take = cluster({ profile: 'small' }, (bytes: Uint8Array) => bytes.length)
    const refused = take(new Uint8Array(4_000_000).map((_, n) => n * 7))
    const expected = { name: 'SubmitError', code: 'WORKDIR_UNUSABLE', message: /no space left/i }
    await failure(refused, { ...expected, hint: /disk|space/ })
    await close()
    expect(left(`${disk}/work`)).toEqual([])
  })
})
