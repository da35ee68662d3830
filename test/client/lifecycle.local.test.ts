import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure, JobCanceledError } from '../../src/index.ts'
import { isAlive, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { type Program, runProgram } from './helpers.ts'
import { jobProcesses, left } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-lifecycle-'))
const workdir = `${folder}/work`
const place = { scheduler: 'direct', workdir, queryInterval: '1s' } as const

beforeAll(() =>
  configure({
    profiles: { here: place, none: { ...place, keep: 'none' }, all: { ...place, keep: 'all' } },
    defaultProfile: 'here',
  }),
)
afterEach(close)
afterAll(() => removeFolder(folder))

const programs: Program[] = []
afterEach(() => {
  for (const { pid } of programs.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
})
const start = (act: string, env: Record<string, string> = {}, ...rest: string[]) => {
  const settings = { FARCALL_SCHEDULER: 'direct', FARCALL_WORKDIR: workdir, ...env }
  const program = runProgram('lifecycle.ts', [act, ...rest], settings)
  programs.push(program)
  return program
}
const said = async (program: Program) => {
  const line = await program.line()
  if (line === undefined) throw new Error(`it said nothing more; stderr: ${program.stderr()}`)
  return JSON.parse(line)
}
let gates = 0
/** A file that a job waits for. */
const newGate = () => join(folder, `gate-${++gates}`)
const open = (gate: string) => writeFileSync(gate, '')
/** The process that the job's native id names: host:boot:pid:start. */
const pidOf = (nativeId: string) => Number(nativeId.split(':')[2])
const gone = (nativeId: string) => until(() => !isAlive(pidOf(nativeId)), 10_000)
const stop = async (id: string) => {
  const job = attach(id)
  job.catch(() => {})
  await job.cancel()
  await job.catch(() => {})
}

describe('a program', () => {
  it('ends by itself, at once, when what it awaits has ended', async () => {
    const program = start('awaited')
    expect(await said(program)).toBe(1)
    expect(await said(program)).toEqual([1, 2, 3])
    const { at } = await said(program)
    const ended = await program.ended
    expect(ended).toMatchObject({ code: 0, signal: null })
    // What would hold it back is a timer of the watch or of a connection: those are of 10 s and more.
    expect(ended.at - at).toBeLessThan(8_000)
    expect(program.stderr()).toBe('')
    expect(left(workdir)).toEqual([])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('that gets %s cancels its jobs and ends', async (signal, code) => {
    const program = start('waits')
    const { nativeId } = await said(program)
    expect(isAlive(pidOf(nativeId))).toBe(true)
    program.signal(signal)
    expect(await program.ended).toMatchObject({ code })
    expect(program.stderr()).toMatch(/canceling 1 job/)
    expect(await gone(nativeId)).toBe(true)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    "that gets %s leaves its jobs where the profile says 'detach'",
    async (signal) => {
      const gate = newGate()
      const program = start('waits', { FARCALL_INTERRUPT: 'detach' }, '1', gate)
      const { id, nativeId } = await said(program)
      program.signal(signal)
      await program.ended
      expect(program.stderr()).toContain(`1 job(s) go on, direct on local: ${id}`)
      expect(isAlive(pidOf(nativeId))).toBe(true)
      open(gate)
      expect(await attach(id)).toBe(1)
    },
  )

  it('that gets a second SIGINT ends at once', async () => {
    const program = start('waits')
    const { nativeId } = await said(program)
    program.signal('SIGINT')
    expect(await until(() => program.stderr().includes('canceling'), 30_000)).toBe(true)
    program.signal('SIGINT')
    expect(await program.ended).toMatchObject({ code: 130 })
    await gone(nativeId)
  })

  it('that handles SIGINT itself goes on, its jobs canceled', async () => {
    const program = start('handles')
    const { nativeId } = await said(program)
    program.signal('SIGINT')
    expect(await said(program)).toBe('mine')
    expect(await said(program)).toEqual({ ended: 'JobCanceledError', again: 1 })
    expect(await program.ended).toMatchObject({ code: 0 })
    expect(await gone(nativeId)).toBe(true)
  })

  it('that is interrupted while it submits leaves no job that runs', async () => {
    const program = start('submitting')
    await said(program)
    program.signal('SIGINT')
    expect(await program.ended).toMatchObject({ code: 130 })
    expect(await until(() => jobProcesses(workdir).length === 0, 10_000)).toBe(true)
  })

  it('that hangs up leaves its jobs running', async () => {
    const gate = newGate()
    const program = start('waits', {}, '1', gate)
    const { id, nativeId } = await said(program)
    program.signal('SIGHUP')
    expect(await program.ended).toMatchObject({ signal: 'SIGHUP' })
    expect(isAlive(pidOf(nativeId))).toBe(true)
    open(gate)
    expect(await attach(id)).toBe(1)
  })

  it('that crashes leaves its jobs running, and attach finds them', async () => {
    const gate = newGate()
    const program = start('crashes', {}, '1', gate)
    const { id, nativeId } = await said(program)
    expect(await program.ended).toMatchObject({ signal: 'SIGABRT' })
    expect(isAlive(pidOf(nativeId))).toBe(true)
    open(gate)
    expect(await attach(id)).toBe(1)
  })

  it('that detaches ends without waiting', async () => {
    const program = start('detaches')
    const { id, nativeId } = await said(program)
    const { at } = await said(program)
    const ended = await program.ended
    expect(ended).toMatchObject({ code: 0 })
    // The job takes ten minutes.
    expect(ended.at - at).toBeLessThan(30_000)
    expect(isAlive(pidOf(nativeId))).toBe(true)
    await stop(id)
    expect(await gone(nativeId)).toBe(true)
  })

  it.each(['unawaited', 'unawaitedSignal'])(
    'that awaits a failed job nowhere dies of it (%s)',
    async (act) => {
      const program = start(act)
      expect(await program.ended).toMatchObject({ code: 1 })
      expect(program.stderr()).toMatch(/RangeError: nobody looks/)
      expect(program.stderr()).toMatch(/lifecycle\.ts:15/)
    },
  )

  it('that looks at failures by settled, iteration or attach has none unhandled', async () => {
    const program = start('looked')
    expect(await said(program)).toEqual({
      settled: ['rejected', 'rejected'],
      seen: ['AggregateError'],
      canceled: 'JobCanceledError',
    })
    expect(await program.ended).toMatchObject({ code: 0 })
  })
})

describe('what stays on the cluster', () => {
  const good = cluster((n: number) => n)
  const bad = cluster((n: number) => {
    throw new Error(`no ${n}`)
  })
  const folderOf = (id: string) => existsSync(`${workdir}/jobs/${id}`)

  it.each([
    ['here', [false, true]],
    ['none', [false, false]],
    ['all', [true, true]],
  ] as const)('is what keep says: %s', async (profile, stays) => {
    const before = readdirSync(`${workdir}/inbox`)
    const jobs = [good.with({ profile })(1), bad.with({ profile })(2)]
    await Promise.allSettled(jobs)
    const ids = jobs.map(({ id }) => id)
    await close()
    expect(ids.map(folderOf)).toEqual(stays)
    expect(readdirSync(`${workdir}/inbox`)).toEqual(before)
  })

  it('is nothing after a script was asked for', async () => {
    const before = left(workdir)
    const text = await good.with({ profile: 'here', time: '2m' }).script(1)
    expect(text).toMatch(/^#!\/bin\/sh\n/)
    expect(left(workdir)).toEqual(before)
    await close()
  })
})

describe('calls made together', () => {
  const root = cluster(async (n: number) => {
    if (n < 0) throw new RangeError(`${n} is negative`)
    await new Promise((resolve) => setTimeout(resolve, n))
    return Math.sqrt(n)
  })

  it('are one submission, also 300 of them', { timeout: 120_000 }, async () => {
    const jobs = Array.from({ length: 300 }, (_, n) => root(n % 3))
    const values = await Promise.all(jobs)
    expect(values).toEqual(jobs.map((_, n) => Math.sqrt(n % 3)))
    expect(new Set(jobs.map(({ nativeId }) => nativeId)).size).toBe(1)
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(300)
  })

  it('fail one by one', async () => {
    const results = await Promise.allSettled([root(4), root(-1), root(9)])
    expect(results).toMatchObject([{ value: 2 }, { status: 'rejected' }, { value: 3 }])
    const { reason } = results[1] as PromiseRejectedResult
    expect(reason).toBeInstanceOf(RangeError)
    expect(reason.message).toBe('-1 is negative')
  })

  it('are canceled one by one, before they are submitted and after', async () => {
    for (const early of [true, false]) {
      const jobs = [root(1), root(600_000), root(2)]
      jobs[1]!.catch(() => {})
      if (!early) for await (const { state } of jobs[1]!.updates()) if (state === 'ACTIVE') break
      await jobs[1]!.cancel('enough')
      await expect(jobs[1]).rejects.toMatchObject({ name: 'JobCanceledError', cause: 'enough' })
      expect(await jobs[0]).toBe(1)
      expect(await jobs[2]).toBe(Math.sqrt(2))
      await close()
    }
    expect(await until(() => jobProcesses(workdir).length === 0, 10_000)).toBe(true)
  })

  it('are let go one by one', async () => {
    const [first, second] = [root(3000), root(1)]
    await first.detach()
    expect(await second).toBe(1)
    const { id } = first
    await close()
    expect(await attach(id)).toBe(Math.sqrt(3000))
  })

  it('are all canceled by an AbortSignal, also one that was aborted before', async () => {
    const controller = new AbortController()
    const stoppable = root.with({ signal: controller.signal })
    const jobs = [stoppable(600_000), stoppable(600_000)]
    for (const job of jobs) job.catch(() => {})
    for await (const { state } of jobs[0]!.updates()) if (state === 'ACTIVE') break
    controller.abort('enough')
    jobs.push(stoppable(1))
    jobs[2]!.catch(() => {})
    for (const job of jobs)
      await expect(job).rejects.toMatchObject({ name: 'JobCanceledError', cause: 'enough' })
    await close()
    expect(await until(() => jobProcesses(workdir).length === 0, 10_000)).toBe(true)
  })
})

describe('a map', () => {
  const slow = cluster(async (n: number) => {
    await new Promise((resolve) => setTimeout(resolve, n))
    if (n === 7) throw new Error('seven')
    return n
  })

  it('over nothing gives [] and submits nothing', async () => {
    const before = left(workdir)
    for (const none of [[], new Set<number>(), (async function* (): AsyncGenerator<number> {})()]) {
      const array = slow.map(none)
      expect(await array).toEqual([])
      expect(await array.settled()).toEqual([])
      for await (const _ of array) expect.fail('there is nothing')
      expect(array.progress).toEqual({ total: 0, done: 0, running: 0, queued: 0, failed: 0 })
      expect(array.nativeId).toBeUndefined()
      await array.cancel()
      await array.detach()
    }
    expect(left(workdir)).toEqual(before)
  })

  it('takes sets, generators and async inputs', async () => {
    const numbers = function* () {
      yield* [3, 1, 2]
    }
    const later = async function* () {
      for (const n of [3, 1, 2]) yield n
    }
    for (const inputs of [new Set([3, 1, 2]), numbers(), later()])
      expect(await slow.map(inputs)).toEqual([3, 1, 2])
  })

  it('rejects with what its inputs throw, and submits nothing', async () => {
    const before = left(workdir)
    const broken = async function* () {
      yield 1
      throw new RangeError('no more')
    }
    await expect(slow.map(broken())).rejects.toMatchObject({
      name: 'RangeError',
      message: 'no more',
      index: 1,
    })
    await close()
    expect(left(workdir)).toEqual(before)
  })

  it('can be canceled while its inputs are read', async () => {
    const endless = async function* () {
      for (let n = 0; ; n++) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        yield n
      }
    }
    const array = slow.map(endless())
    array.catch(() => {})
    await array.cancel()
    await expect(array).rejects.toBeInstanceOf(JobCanceledError)
  })

  it('gives items as they finish, and counts them', async () => {
    const gated = cluster(async (gate: string) => {
      const fs = await import('node:fs')
      while (!fs.existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20))
      return gate
    })
    const [first, second, third] = [newGate(), newGate(), newGate()]
    const array = gated.map([third, first, second], { chunk: 1, concurrency: 3 })
    const seen: number[] = []
    open(first)
    for await (const { index, value } of array) {
      seen.push(index)
      expect(value).toBe([third, first, second][index])
      expect(array.progress).toMatchObject({ total: 3, done: seen.length, failed: 0 })
      open(seen.length === 1 ? second : third)
    }
    expect(seen).toEqual([1, 2, 0])
    expect(await array).toEqual([third, first, second])
  })

  it('keeps the results beside a failed item', async () => {
    const array = slow.map([1, 7, 2])
    const error = await array.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AggregateError)
    expect((error as AggregateError).errors).toMatchObject([{ message: 'seven', index: 1 }])
    expect(await array.settled()).toMatchObject([{ value: 1 }, { status: 'rejected' }, { value: 2 }])
    expect(array.progress).toMatchObject({ total: 3, done: 2, running: 0, queued: 0, failed: 1 })
  })

  it('is canceled as a whole', async () => {
    const array = slow.map([1, 600_000, 600_000], { chunk: 1, concurrency: 3 })
    array.catch(() => {})
    for await (const { index } of array) {
      expect(index).toBe(0)
      break
    }
    await array.cancel('enough')
    await expect(array).rejects.toMatchObject({ name: 'JobCanceledError', cause: 'enough' })
    expect((await array.settled()).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    await close()
    expect(await until(() => jobProcesses(workdir).length === 0, 10_000)).toBe(true)
  })
})

it('with() changes options of the copy alone', async () => {
  const asks = cluster({ environment: { variables: { A: '1', B: '1' } } }, () => [
    process.env['A'],
    process.env['B'],
  ])
  const other = asks.with({ environment: { variables: { B: '2' } } })
  expect(await Promise.all([asks(), other()])).toEqual([
    ['1', '1'],
    ['1', '2'],
  ])
})

describe('close', () => {
  it('ends the waiting, not the job', async () => {
    const waits = cluster(async (gate: string) => {
      const fs = await import('node:fs')
      while (!fs.existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20))
      return 'done'
    })
    const gate = newGate()
    const job = waits(gate)
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    const ended = expect(job).rejects.toMatchObject({ name: 'TransportError', code: 'CONNECTION_LOST' })
    await close()
    await ended
    open(gate)
    expect(await attach(job.id)).toBe('done')
  })
})
