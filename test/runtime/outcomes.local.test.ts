import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decode } from '../../src/codec/codec.ts'
import { noticeLimit } from '../../src/core/protocol.ts'
import { heldLimit, isRunning, makeJob, nodeProgram, nodeVersion, sleepers, until } from './helpers.ts'

describe('a member that runs its items', () => {
  it('leaves the value, an end without reason, and both in the notice', async () => {
    const job = makeJob({ args: [[new Map([['a', 1n]])]], body: 'return args[0]' })
    expect(await job.run()).toEqual({ code: 0, stdout: '', stderr: '' })
    const { end, value, notice, records, out, err } = job.member(0)
    expect(value(0)).toEqual(new Map([['a', 1n]]))
    expect(end).toMatchObject({ protocol: 1, id: 'fabcdefghijklm', attempt: 1, member: 0, items: 1 })
    expect(end).not.toHaveProperty('reason')
    expect(end?.peakMemory).toBeGreaterThan(10e6)
    expect(end?.node).toBe(nodeVersion)
    expect(end!.endedAt).toBeGreaterThanOrEqual(end!.startedAt!)
    expect(notice?.end).toEqual(end)
    expect(notice?.records).toEqual(records)
    expect(out + err).toBe('')
  })

  it('gives the function its this, its arguments and its captured values', async () => {
    const job = makeJob({
      self: { base: 10 },
      args: [[1, 2]],
      values: { factor: 3 },
      body: 'return [this.base, ...args, values.factor]',
    })
    await job.run()
    expect(job.member(0).value(0)).toEqual([10, 1, 2, 3])
  })

  it('runs each member on its own chunk, the last one on what is left', async () => {
    const job = makeJob({
      args: [[0], [1], [2], [3], [4]],
      chunk: 2,
      body: "const t = globalThis[Symbol.for('farcall.task')]; return [args[0], t.index, t.item, t.items, t.id, t.attempt, t.cores, t.memory]",
      script: { concurrency: 2, cores: 3, memoryBytes: 2 ** 29 },
    })
    expect(await job.run()).toMatchObject({ code: 0 })
    const rows = [0, 1, 2, 3, 4].map((item) => job.member(Math.floor(item / 2)).value(item))
    expect(rows).toEqual(
      [0, 1, 2, 3, 4].map((item) => [
        item,
        Math.floor(item / 2),
        item,
        5,
        'fabcdefghijklm',
        1,
        Math.min(3, availableParallelism()),
        2 ** 29,
      ]),
    )
    expect([0, 1, 2].map((k) => job.member(k).end?.items)).toEqual([2, 2, 1])
  })

  it('tells what stands at the top level of a module of the task, too', async () => {
    const top = "const t = globalThis[Symbol.for('farcall.task')]; const seen = [t.item, t.random()]"
    const job = makeJob({ args: [[], []], chunk: 1, top, body: 'return seen' })
    expect(await job.run()).toMatchObject({ code: 0 })
    const [first, second] = [0, 1].map((k) => job.member(k).value(k) as [number, number])
    expect([first![0], second![0]]).toEqual([0, 1])
    expect(first![1]).not.toBe(second![1])
  })

  it('keeps what the user prints out of the results', async () => {
    const job = makeJob({
      body: "console.log('out'); console.error('err'); process.stdout.write('tail'); return 1",
    })
    await job.run()
    expect(job.member(0)).toMatchObject({ out: 'outtail'.replace('out', 'out\n'), err: 'err\n' })
  })

  it('ends although timers and servers are open', async () => {
    const job = makeJob({
      body: "setInterval(() => {}, 1000); (await import('node:net')).createServer().listen(0); return 'done'",
    })
    expect(await job.run()).toMatchObject({ code: 0 })
    expect(job.member(0).value(0)).toBe('done')
  })

  it('leaves results over the limit to be fetched', async () => {
    const job = makeJob({ body: `return 'x'.repeat(${noticeLimit})` })
    await job.run()
    const { value, notice, end } = job.member(0)
    expect(value(0)).toHaveLength(noticeLimit)
    expect(end?.bytes).toBeGreaterThan(noticeLimit)
    expect(notice).toEqual({ end, records: [] })
  })

  it('sends binary data home', async () => {
    const job = makeJob({ body: 'return new Float64Array([NaN, -0, 1.5])' })
    await job.run()
    expect(job.member(0).value(0)).toEqual(new Float64Array([NaN, -0, 1.5]))
  })

  it('sends instances of bundled classes home, #private fields too', async () => {
    const job = makeJob({
      top: `class Base { #secret = new Map([['k', 1]]); plain = 'p' }
        class Point extends Base { #big = 12n; #none = undefined; #zero = -0; #method() {} constructor() { super(); this.x = 1 } }
        const classes = { p1: Point }`,
      body: 'return [new Point()]',
    })
    await job.run()
    const instantiate = (id: string) => {
      const object: Record<string, unknown> = { id }
      return {
        object,
        fill: (fields: Record<PropertyKey, unknown>, privates: Record<string, unknown>) => {
          Object.assign(object, { fields, privates })
        },
      }
    }
    expect(decode(job.member(0).records[0]!.bytes, { instantiate })).toEqual([
      {
        id: 'p1',
        fields: { plain: 'p', x: 1 },
        privates: { '#secret': new Map([['k', 1]]), '#big': 12n, '#none': undefined, '#zero': -0 },
      },
    ])
  })

  it('takes instances of bundled classes as this and as arguments', async () => {
    class Point {
      x = 4
    }
    const job = makeJob({
      top: 'class Point { double() { return this.x * 2 } }; const classes = { p1: Point }',
      self: new Point(),
      args: [[new Point()]],
      reference: (object) =>
        object instanceof Point ? { kind: 'instance', id: 'p1', fields: { ...object } } : undefined,
      body: 'return [this.double(), args[0].double()]',
    })
    await job.run()
    expect(job.member(0).value(0)).toEqual([8, 8])
  })

  it('refuses a function in a result, with its path', async () => {
    const job = makeJob({ body: 'return { deep: [() => 1] }' })
    expect(await job.run()).toMatchObject({ code: 1 })
    expect(job.member(0).error(0)).toMatchObject({ message: expect.stringContaining('result.deep[0]') })
  })
})

describe('an exception of the user', () => {
  it('arrives with class, cause and own fields, and the process fails', async () => {
    const job = makeJob({
      body: "throw Object.assign(new RangeError('no', { cause: new TypeError('why') }), { code: 7 })",
    })
    expect(await job.run()).toMatchObject({ code: 1 })
    const error = job.member(0).error(0) as Error & { code: number }
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ message: 'no', code: 7, cause: expect.any(TypeError) })
    expect(error.stack).toContain('main')
    expect(job.member(0).end).not.toHaveProperty('reason')
  })

  it('ends its own item only', async () => {
    const job = makeJob({
      args: [[0], [1], [2]],
      body: "if (args[0] === 1) throw new Error('one'); return args[0]",
    })
    expect(await job.run()).toMatchObject({ code: 1 })
    const member = job.member(0)
    expect([member.value(0), member.value(2)]).toEqual([0, 2])
    expect(member.error(1)).toMatchObject({ message: 'one' })
    expect(member.end).not.toHaveProperty('reason')
  })

  it('is found in timers and in rejections that nobody handles', async () => {
    const job = makeJob({
      args: [['timer'], ['rejection'], ['floating'], ['fine']],
      body: `
        if (args[0] === 'timer') { setTimeout(() => { throw new Error('in a timer') }); await new Promise(() => {}) }
        if (args[0] === 'rejection') { Promise.reject(new Error('nobody')); await new Promise(() => {}) }
        if (args[0] === 'floating') { Promise.reject(new Error('left behind')) }
        return args[0]`,
    })
    expect(await job.run()).toMatchObject({ code: 1 })
    const member = job.member(0)
    expect([0, 1, 2].map((item) => (member.error(item) as Error).message)).toEqual([
      'in a timer',
      'nobody',
      'left behind',
    ])
    expect(member.value(3)).toBe('fine')
  })

  it('is left to a handler that the user has installed', async () => {
    const job = makeJob({
      body: `let seen; process.on('uncaughtException', (e) => { seen = e.message })
        setTimeout(() => { throw new Error('seen') }, 1); await new Promise((r) => setTimeout(r, 50)); return seen`,
    })
    await job.run()
    expect(job.member(0).value(0)).toBe('seen')
  })

  it('at the top level of the bundle rejects every item', async () => {
    const job = makeJob({ args: [[1], [2]], top: "throw new SyntaxError('top')" })
    expect(await job.run()).toMatchObject({ code: 1 })
    for (const item of [0, 1]) expect(job.member(0).error(item)).toMatchObject({ message: 'top' })
    expect(job.member(0).end).not.toHaveProperty('reason')
  })

  it('loses no word to a field that cannot travel', async () => {
    const job = makeJob({ body: "throw Object.assign(new Error('kept'), { socket: () => {}, code: 'E' })" })
    await job.run()
    expect(job.member(0).error(0)).toMatchObject({ message: 'kept', code: 'E' })
  })
})

describe('a process that ends before its work', () => {
  it('says where process.exit was called', async () => {
    const job = makeJob({ args: [[1], [2]], body: 'if (args[0] === 2) process.exit(3); return args[0]' })
    expect(await job.run()).toMatchObject({ code: 3 })
    const { end, value, notice } = job.member(0)
    expect(value(0)).toBe(1)
    expect(end).toMatchObject({ reason: 'exit-code', exitCode: 3, items: 2 })
    expect(end?.message).toBe('process.exit(3) was called')
    expect(end?.stack).toMatch(/^\s+at .*main .*\.mjs:\d+:\d+/m)
    expect(end?.stack).toContain('main')
    expect(notice?.end).toEqual(end)
  })

  it('sees process.exit in a timer, with code 0 too', async () => {
    const job = makeJob({
      body: 'setTimeout(function bye() { process.exit() }); await new Promise(() => {})',
    })
    expect(await job.run()).toMatchObject({ code: 0 })
    expect(job.member(0).end).toMatchObject({ reason: 'exit-code', exitCode: 0 })
    expect(job.member(0).end?.stack).toContain('bye')
  })

  it('sees a promise that can never settle', async () => {
    const job = makeJob({ body: 'await new Promise(() => {})' })
    expect(await job.run()).toMatchObject({ code: 13 })
    expect(job.member(0).end).toMatchObject({
      reason: 'exit-code',
      exitCode: 13,
      message: "the event loop ran empty while the function's promise was still pending",
    })
  })

  it('tells a full heap from other ends, and the limit', async () => {
    const job = makeJob({
      body: 'const a = []; for (;;) a.push(new Array(1e5).fill(1.5))',
      script: { memoryBytes: 64 * 2 ** 20 },
    })
    expect((await job.run()).code).toBe(134)
    const { end, notice } = job.member(0)
    expect(end).toMatchObject({
      reason: 'out-of-memory',
      items: 1,
      message: expect.stringContaining('54 MB'),
    })
    expect(notice?.end).toEqual(end)
  })

  it.each([
    ['SIGKILL', 9],
    ['SIGTERM', 15],
    ['SIGSEGV', 11],
  ])('names %s', async (name, signal) => {
    const job = makeJob({
      args: [[1], [2]],
      body: `if (args[0] === 1) return 'kept'; process.kill(process.pid, '${name}'); await new Promise((r) => setTimeout(r, 60000))`,
    })
    expect(await job.run()).toMatchObject({ code: 128 + signal })
    const { end, value, notice, records } = job.member(0)
    expect(end).toMatchObject({ reason: 'signal', signal, items: 2, message: expect.stringContaining(name) })
    expect(value(0)).toBe('kept')
    expect(end?.bytes).toBeGreaterThan(0)
    expect(notice).toEqual({ end, records })
  })

  it('is ended at its time limit, with what it has started', async () => {
    const { setup, gate } = heldLimit()
    const job = makeJob({
      body: `const { spawn } = await import('node:child_process')
        const child = spawn('sleep', ['600'], { stdio: 'ignore' }); console.log(child.pid)
        for (;;) await new Promise((r) => setTimeout(r, 1000))`,
      script: { timeSeconds: 1, environment: { node: nodeProgram, setup } },
    })
    const run = job.run()
    await until(() => Number(job.member(0).out) > 1, 'what it starts')
    writeFileSync(gate, '')
    // By TERM, so before KILL comes.
    expect((await run).code).toBe(143)
    const { end, out } = job.member(0)
    expect(end).toMatchObject({ reason: 'timeout', message: 'the time limit of 1 s is over' })
    expect(Number(out)).toBeGreaterThan(1)
    expect(isRunning(Number(out))).toBe(false)
  })

  it('gets KILL ten seconds after a TERM that it ignores', async () => {
    const { setup, gate } = heldLimit()
    const job = makeJob({
      body: "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000); await new Promise(() => {})",
      script: { timeSeconds: 1, environment: { node: nodeProgram, setup } },
    })
    const run = job.run()
    await until(() => job.member(0).out === 'deaf\n', 'it to be deaf')
    writeFileSync(gate, '')
    expect((await run).code).toBe(137)
    expect(job.member(0).end).toMatchObject({ reason: 'timeout' })
  })

  it('leaves no timer behind when it is done in time', async () => {
    const job = makeJob({ body: 'return 1', script: { timeSeconds: 31557 } })
    // It would go on as long as the timer does.
    expect(await job.run()).toMatchObject({ code: 0 })
    await until(() => sleepers(31557).length === 0, 'the end of the timer')
  })
})

describe('a job folder that is not as it was sent', () => {
  it('refuses a damaged bundle before it runs', async () => {
    const job = makeJob({ args: [[1], [2]] })
    appendFileSync(job.bundle, '\nconsole.log("evil")')
    expect(await job.run()).toMatchObject({ code: 1 })
    const { end, out, records, notice } = job.member(0)
    expect(end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringMatching(/bundle .* is damaged/),
    })
    expect(out).toBe('')
    expect(records).toEqual([])
    expect(notice?.end).toEqual(end)
  })

  it('refuses damaged and cut arguments', async () => {
    const damaged = makeJob({ args: [['some text here']] })
    const file = join(damaged.folder, 'args.pack')
    const bytes = readFileSync(file)
    bytes[bytes.length - 3]! ^= 1
    writeFileSync(file, bytes)
    await damaged.run()
    expect(damaged.member(0).end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringContaining('checksum'),
    })

    const cut = makeJob({ args: [['some text here']] })
    truncateSync(join(cut.folder, 'args.pack'), bytes.length - 5)
    await cut.run()
    expect(cut.member(0).end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringContaining('args.pack'),
    })
  })

  it('refuses a newer protocol by name', async () => {
    const job = makeJob({ spec: { protocol: 99 } })
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringContaining('protocol 99'),
    })
  })
})
