import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decode } from '../codec/codec.ts'
import { type JobId, newJobId } from '../core/ids.ts'
import { recordHeader } from '../core/pack.ts'
import { attemptStep } from '../core/protocol.ts'
import { isFinal } from '../core/status.ts'
import type { Executor, ResultRecord } from '../executor/executor.ts'
import { EventLog } from './event-log.ts'
import { payload } from './payload.ts'

/** What a place can do beyond the least, and how long it may take. */
export interface ExecutorSuiteOptions {
  /** A second executor on the same place, as another process would have it; absent where jobs die with the client. */
  reopen?: () => Promise<Executor>
  /** A folder that all jobs of the place see; default: the one for temporary files. */
  folder?: string
  /** For slow places, milliseconds for one test. */
  timeoutMs?: number
}

/**
 * What every executor must do, as tests of vitest. Give it a fresh one; it is closed at the end.
 * @example
 * import { MemoryExecutor } from 'farcall/testing'
 * import { executorSuite } from 'farcall/testing/suites'
 *
 * executorSuite('memory', async () => new MemoryExecutor())
 */
export function executorSuite(
  name: string,
  open: () => Promise<Executor>,
  options: ExecutorSuiteOptions = {},
): void {
  const timeout = options.timeoutMs ?? 60_000
  describe(`${name} is an executor`, { timeout }, () => {
    let executor: Executor
    let log: EventLog

    beforeAll(async () => {
      executor = await open()
      await executor.open()
      log = new EventLog(executor)
    }, timeout)

    afterAll(async () => {
      log.stop()
      await executor[Symbol.asyncDispose]()
    }, timeout)

    async function run(job: ReturnType<typeof payload>): Promise<ResultRecord[]> {
      await executor.submit(job)
      return recordsOf(job)
    }

    /** All of them once it has ended. An end that was seen before its notice brings none along. */
    async function recordsOf(job: ReturnType<typeof payload>): Promise<ResultRecord[]> {
      const { id, members } = job.spec
      await log.until(() => log.ends(id).length === members)
      const records = log.of(id).flatMap((event) => (event.type === 'item' ? [event.record] : []))
      const rest = log
        .ends(id)
        .flatMap((event) => (event.type === 'end' && !event.complete ? [event.member] : []))
      if (rest.length > 0) for await (const record of executor.fetch(id, rest)) records.push(record)
      return records.sort((a, b) => a.index - b.index)
    }

    const valuesOf = (records: readonly ResultRecord[]) => records.map((record) => decode(record.bytes))

    it('gives back what the function returned', async () => {
      const job = payload('(a, b) => ({ sum: a + b + values.c })', { args: [[1, 2]], values: { c: 39 } })
      const records = await run(job)
      expect(records.map((record) => record.kind)).toEqual(['value'])
      expect(valuesOf(records)).toEqual([{ sum: 42 }])
      const [end] = log.ends(job.spec.id)
      expect(end).toMatchObject({ type: 'end', member: 0, status: { state: 'COMPLETED' } })
    })

    it('moves a job only forward, and tells when it is over', async () => {
      const job = payload('() => 1')
      await run(job)
      const ranks = { NEW: 0, QUEUED: 1, ACTIVE: 2, COMPLETED: 3, FAILED: 3, CANCELED: 3 }
      const states = log.of(job.spec.id).flatMap((event) => ('status' in event ? [event.status.state] : []))
      expect(states.map((state) => ranks[state])).toEqual(states.map((state) => ranks[state]).sort())
      expect(isFinal(states.at(-1)!)).toBe(true)
    })

    it('gives back what the function threw, as an error of the item', async () => {
      const records = await run(payload('() => { throw new TypeError("no good", { cause: "deep" }) }'))
      expect(records.map((record) => record.kind)).toEqual(['error'])
      expect(valuesOf(records)[0]).toMatchObject({ name: 'TypeError', message: 'no good', cause: 'deep' })
    })

    it('gives back what code at the top level threw, as an error of each item', async () => {
      const job = payload('(() => { throw new TypeError("no good") })()', { args: [[0], [1]] })
      const records = await run(job)
      expect(records.map(({ kind, index }) => [kind, index])).toEqual([
        ['error', 0],
        ['error', 1],
      ])
      for (const value of valuesOf(records))
        expect(value).toMatchObject({ name: 'TypeError', message: 'no good' })
    })

    it('runs each item of an array, and the others when one throws', async () => {
      const job = payload('(n) => { if (n === 3) throw new Error("three"); return n * n }', {
        args: [[0], [1], [2], [3], [4], [5], [6]],
        chunk: 3,
      })
      const records = await run(job)
      expect(records.map((record) => record.kind)).toEqual([
        'value',
        'value',
        'value',
        'error',
        'value',
        'value',
        'value',
      ])
      expect(valuesOf(records).filter((value) => typeof value === 'number')).toEqual([0, 1, 4, 16, 25, 36])
      expect(new Set(log.ends(job.spec.id).map((event) => event.type === 'end' && event.member))).toEqual(
        new Set([0, 1, 2]),
      )
    })

    it('carries results that are too large for a notice', async () => {
      const records = await run(payload('(n) => new Float64Array(n).fill(0.5)', { args: [[100_000]] }))
      const [value] = valuesOf(records) as [Float64Array]
      expect(value).toBeInstanceOf(Float64Array)
      expect(value.length).toBe(100_000)
      expect(value.every((x) => x === 0.5)).toBe(true)
    })

    it('submits a job once, however often it is asked', async () => {
      const job = payload('() => process.pid')
      await executor.submit(job)
      const again = await executor.submit(job)
      await log.until(() => log.ends(job.spec.id).length >= 1)
      expect(again.nativeId).toBeTruthy()
      expect(log.ends(job.spec.id)).toHaveLength(1)
    })

    it('runs members again that are named, keeps what is done, and runs an item again whose error does not count', async () => {
      const fails = `async (n) => {
        const { mkdirSync, rmdirSync } = await import('node:fs')
        if (n !== 1) return [n, 'once']
        try { mkdirSync(values) } catch { rmdirSync(values); return [n, 'again'] }
        throw new Error('at first')
      }`
      const args = [[0], [1], [2], [3]]
      const job = payload(fails, {
        args,
        chunk: 2,
        values: join(options.folder ?? tmpdir(), `farcall-again-${newJobId()}`),
      })
      await run(job)
      const { id } = job.spec
      expect(log.ends(id)).toHaveLength(2)
      await executor.retry({ ...job.spec, attempt: attemptStep + 1, retried: 1, only: [0], again: [1] })
      await log.until(() => log.ends(id).length === 3)
      expect(log.ends(id)[2]).toMatchObject({ member: 0, status: { state: 'COMPLETED' } })
      const records = []
      for await (const record of executor.fetch(id, [0, 1])) records.push(record)
      expect(valuesOf(records.sort((a, b) => a.index - b.index))).toEqual([
        [0, 'once'],
        [1, 'again'],
        [2, 'once'],
        [3, 'once'],
      ])
    })

    it('leaves out items that took too long, runs the others, and says why some have no record', async () => {
      const job = payload('async (n) => n', { args: [[0], [1], [2]], chunk: 2, spec: { skip: [0] } })
      await run(job)
      const { id } = job.spec
      const byMember = log.ends(id).sort((a, b) => a.member - b.member)
      expect(byMember).toMatchObject([
        { status: { state: 'FAILED', reason: 'timeout' } },
        { status: { state: 'COMPLETED' } },
      ])
      const records = []
      for await (const record of executor.fetch(id, [0, 1])) records.push(record)
      expect(valuesOf(records.sort((a, b) => a.index - b.index))).toEqual([1, 2])
    })

    const stream = { items: 5, bytes: 1_000_000 }

    /** All that an item has yielded: what came along, and what is read where something is missing, as the end may tell. */
    async function yielded({ spec: { id } }: ReturnType<typeof payload>, item = 0): Promise<unknown[]> {
      const values: Uint8Array[] = []
      let bytes = 0
      const take = (more: readonly Uint8Array[]) => {
        for (const value of more) bytes += recordHeader + value.length
        values.push(...more)
      }
      const readTo = async (end: number, run: { member: number; attempt?: number }) => {
        while (end > bytes) {
          const more = await executor.yields!({ id, item, ...run }, bytes, 10_000, end)
          if (more.length === 0) throw new Error(`${end} bytes were told of, ${bytes} are there`)
          take(more)
        }
      }
      for (const event of log.of(id)) {
        if (event.type === 'end')
          for (const report of event.end?.yields ?? [])
            if (report.item === item) await readTo(report.bytes, { member: event.member })
        if (event.type !== 'yield' || event.report.item !== item) continue
        const { report, from, records, member, attempt } = event
        if (report.bytes > bytes && from.count <= values.length)
          take(records.slice(values.length - from.count))
        await readTo(report.bytes, { member, attempt })
      }
      return values.map((value) => decode(value))
    }

    const told = ({ spec: { id } }: ReturnType<typeof payload>) =>
      log.of(id).flatMap((event) => (event.type === 'yield' ? [event.report] : []))

    it('tells what a generator yields while it runs, large values too, and what it returns', async ({
      skip,
    }) => {
      if (!executor.traits.streaming) return skip('it has no streams')
      const generator = `async function* (n) {
        yield { n }
        yield new Uint8Array(200_000).fill(7)
        for (let i = 0; i < n; i++) { await new Promise((resolve) => setTimeout(resolve, 100)); yield i }
        return 'done'
      }`
      // It cannot end before somebody has read some of it.
      const job = payload(generator, { args: [[20]], spec: { stream: { items: 10, bytes: 1e9 } } })
      const { id } = job.spec
      await executor.submit(job)
      await log.until(() => told(job).length > 0)
      expect(log.ends(id)).toEqual([])
      for (let read = 0; log.ends(id).length === 0; ) {
        const { count, bytes } = told(job).at(-1)!
        if (count > read) await executor.acknowledge!({ id, member: 0, item: 0 }, { count, bytes })
        read = count
        await log.until(() => told(job).at(-1)!.count > read || log.ends(id).length === 1)
      }
      const [first, large, ...rest] = await yielded(job)
      expect(first).toEqual({ n: 20 })
      expect(large).toEqual(new Uint8Array(200_000).fill(7))
      expect(rest).toEqual(Array.from({ length: 20 }, (_, i) => i))
      const records = await recordsOf(job)
      expect(records.map(({ kind, bytes }) => [kind, decode(bytes)])).toEqual([['value', 'done']])
      const [end] = log.ends(job.spec.id)
      expect(end).toMatchObject({ status: { state: 'COMPLETED' }, end: { yields: [{ item: 0, count: 22 }] } })
    })

    it('has a generator wait for who reads it', async ({ skip }) => {
      if (!executor.traits.streaming) return skip('it has no streams')
      const job = payload('function* () { for (let i = 0; i < 20; i++) yield i }', { spec: { stream } })
      await executor.submit(job)
      const item = { id: job.spec.id, member: 0, item: 0 }
      for (let read = 6; read < 20; read += 6) {
        await log.until(() => (told(job).at(-1)?.count ?? 0) >= read)
        await new Promise((resolve) => setTimeout(resolve, 300))
        const { count, bytes } = told(job).at(-1)!
        expect(count).toBe(read)
        expect(log.ends(job.spec.id)).toEqual([])
        await executor.acknowledge!(item, { count, bytes })
      }
      await log.until(() => log.ends(job.spec.id).length === 1)
      expect(await yielded(job)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    })

    it('gives what a generator yielded before it threw', async ({ skip }) => {
      if (!executor.traits.streaming) return skip('it has no streams')
      const generator = 'function* () { yield 1; yield 2; throw new RangeError("after two") }'
      const job = payload(generator, { spec: { stream } })
      const [record] = await run(job)
      expect(record?.kind).toBe('error')
      expect(decode(record!.bytes)).toMatchObject({ name: 'RangeError', message: 'after two' })
      expect(log.ends(job.spec.id)).toMatchObject([{ end: { yields: [{ count: 2 }] } }])
      expect(await yielded(job)).toEqual([1, 2])
    })

    it('says from where on a generator that runs again yields something else', async ({ skip }) => {
      if (!executor.traits.streaming) return skip('it has no streams')
      const generator = `async function* () {
        const { mkdirSync, rmdirSync } = await import('node:fs')
        let isFirst = true
        try { mkdirSync(values) } catch { rmdirSync(values); isFirst = false }
        yield 'same'
        yield isFirst ? 'first' : 'second'
        if (isFirst) throw new Error('at first')
        yield 'more'
      }`
      const values = join(options.folder ?? tmpdir(), `farcall-stream-${newJobId()}`)
      const job = payload(generator, { values, spec: { stream } })
      await run(job)
      const { id } = job.spec
      await executor.retry({ ...job.spec, attempt: attemptStep + 1, retried: 1, only: [0], again: [0] })
      await log.until(() => log.ends(id).length === 2)
      expect(log.ends(id)[1]).toMatchObject({ end: { yields: [{ count: 3, differs: 1 }] } })
      const read = await executor.yields!({ id, member: 0, item: 0 }, 0, 1_000, 1)
      expect(read.map((value) => decode(value))).toEqual(['same', 'second', 'more'])
    })

    it('cancels a job that runs', async () => {
      const job = payload('() => new Promise(() => setInterval(() => {}, 1000))')
      await executor.submit(job)
      await log.until(() =>
        log.of(job.spec.id).some((event) => 'status' in event && event.status.state === 'ACTIVE'),
      )
      await executor.cancel([{ id: job.spec.id }])
      await log.until(() => log.ends(job.spec.id).length === 1)
      expect(log.ends(job.spec.id)[0]).toMatchObject({ status: { state: 'CANCELED', reason: 'by-user' } })
    })

    it('says how a job ended that left no result', async () => {
      const job = payload('() => { console.error("last words"); process.exit(3) }')
      await executor.submit(job)
      await log.until(() => log.ends(job.spec.id).length === 1)
      expect(log.ends(job.spec.id)[0]).toMatchObject({
        status: { state: 'FAILED', reason: 'exit-code', exitCode: 3 },
      })
    })

    it('does not know what was never submitted', async () => {
      const id = newJobId()
      expect((await executor.find([id])).get(id)).toBeUndefined()
    })

    it('lets go of a job without ending it', async () => {
      const job = payload('() => 7')
      await run(job)
      await executor.release([job.spec.id], 'completed')
      await expect(executor.release([job.spec.id], 'completed')).resolves.toBeUndefined()
    })

    it('lists the jobs that lie there, each as far as it is', async ({ skip }) => {
      if (!executor.list) return skip('it has no list of jobs')
      const [returned, left] = [payload('() => 1'), payload('() => process.exit(7)')]
      await run(returned)
      await executor.submit(left)
      await log.until(() => log.ends(left.spec.id).length === 1)
      const { jobs, unreadable } = await executor.list()
      // Others may use the same place.
      const own: readonly JobId[] = [returned.spec.id, left.spec.id]
      expect(unreadable.filter(({ id }) => own.includes(id))).toEqual([])
      const listed = (id: JobId) => jobs.find(({ spec }) => spec.id === id)
      const native = expect.stringMatching(/./)
      expect(listed(returned.spec.id)).toMatchObject({ status: { state: 'COMPLETED' }, nativeId: native })
      expect(listed(left.spec.id)).toMatchObject({
        spec: { items: 1, bundle: left.spec.bundle },
        status: { state: 'FAILED', reason: 'exit-code', exitCode: 7 },
      })
    })

    const { reopen } = options
    if (!reopen) return

    it('submits a job once, when several clients do so at the same moment', async () => {
      const job = payload('() => process.pid')
      const clients = await Promise.all([1, 2, 3, 4].map(reopen))
      await Promise.all(clients.map((client) => client.open()))
      const given = await Promise.all(clients.map((client) => client.submit(job)))
      expect(new Set(given.map(({ nativeId }) => nativeId)).size).toBe(1)
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()))
      await executor.find([job.spec.id])
      await log.until(() => log.ends(job.spec.id).length === 1)
      expect(log.ends(job.spec.id)[0]).toMatchObject({ status: { state: 'COMPLETED' } })
    })

    it('finds a job again after the client is gone, and its result', async () => {
      const job = payload('(ms) => new Promise((resolve) => setTimeout(resolve, ms, "late"))', {
        args: [[1500]],
      })
      const first = await reopen()
      await first.submit(job)
      await first[Symbol.asyncDispose]()
      const found = (await executor.find([job.spec.id])).get(job.spec.id)
      expect(found?.spec).toMatchObject({ id: job.spec.id, items: 1 })
      await log.until(() => log.ends(job.spec.id).length === 1)
      const records = []
      for await (const record of executor.fetch(job.spec.id, [0])) records.push(record)
      expect(valuesOf(records)).toEqual(['late'])
    })

    it('finds a job that ended while nobody watched', async () => {
      const job = payload('() => "alone"')
      const first = await reopen()
      const firstLog = new EventLog(first)
      await first.submit(job)
      await firstLog.until(() => firstLog.ends(job.spec.id).length === 1)
      await first[Symbol.asyncDispose]()
      await executor.find([job.spec.id])
      await log.until(() => log.ends(job.spec.id).length === 1)
      expect(log.ends(job.spec.id)[0]).toMatchObject({ status: { state: 'COMPLETED' } })
    })
  })
}
