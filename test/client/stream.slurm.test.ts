import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  checkpoint,
  close,
  cluster,
  configure,
  currentTask,
  type JobStream,
  lastCheckpoint,
} from '../../src/index.ts'

const { sshd, slurm } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd

/** A command of whoever runs Slurm. */
const admin = (file: string, ...args: string[]) =>
  execFileSync(file, args, { env: { ...process.env, ...slurm.env }, encoding: 'utf8' })

const row = (length: number) => Array.from({ length }, (_, n) => n)

/** Reads all of it; the scheduler starts the job again once `after` values were read. */
async function readOver<Y>(stream: JobStream<Y, unknown>, after: number): Promise<Y[]> {
  const values: Y[] = []
  for await (const value of stream)
    if (values.push(value) === after) admin('scontrol', 'requeue', stream.nativeId!)
  return values
}

describe('a stream on Slurm', () => {
  beforeAll(() => {
    const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
    configure({ profiles: { lab: { ...place, queryInterval: '2s', grace: '20s' } }, defaultProfile: 'lab' })
  })
  afterAll(close)

  const counting = cluster({ time: '5m' }, async function* (to: number, ms: number) {
    for (let n = 0; n < to; n++) {
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
      yield { n, at: Date.now(), random: currentTask().random() }
    }
    return 'counted'
  })

  it('brings each value soon after it was yielded, and ends when the loop is left', async () => {
    const stream = counting(1_000, 200)
    const late: number[] = []
    // a look of the inbox each 250 ms, on a machine that others use: some may be late, and not most of twenty for long
    const areSoon = () => late.length >= 20 && late.slice(-20).sort((a, b) => a - b)[10]! < 1_500
    for await (const { n, at } of stream) {
      expect(n).toBe(late.length)
      late.push(Date.now() - at)
      if (areSoon()) break
    }
    expect(areSoon()).toBe(true)
    await expect(stream.result).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    await expect
      .poll(() => admin('squeue', '-h', '-t', 'R', '-j', stream.nativeId!), { timeout: 30_000 })
      .toBe('')
  })

  it('that is requeued and yields the same goes on where it was, each value once', async () => {
    const steady = cluster({ time: '5m', requeue: true }, async function* (to: number) {
      for (let n = 0; n < to; n++) {
        // the first run gets no further
        const isStuck = n === 25 && !process.env['SLURM_RESTART_COUNT']
        await new Promise((resolve) => setTimeout(resolve, isStuck ? 600_000 : 20))
        yield [n, currentTask().random()]
      }
      return process.env['SLURM_RESTART_COUNT']
    })
    const stream = steady(50)
    const values = await readOver(stream, 15)
    expect(values.map(([n]) => n)).toEqual(row(50))
    expect(new Set(values.map(([, random]) => random)).size).toBe(50)
    expect(await stream.result).toBe('1')
  })

  it('that is requeued and goes on from its checkpoint yields no value twice', async () => {
    const saving = cluster({ time: '5m', requeue: true }, async function* (to: number) {
      const begun = lastCheckpoint<{ n: number; runs: number }>() ?? { n: 0, runs: 0 }
      const runs = begun.runs + 1
      for (let n = begun.n; n < to; n++) {
        await new Promise((resolve) => setTimeout(resolve, n === 20 && runs === 1 ? 600_000 : 20))
        // which run it is of shows that no value was made again
        yield { n, runs }
        checkpoint({ n: n + 1, runs })
      }
      return runs
    })
    const stream = saving(30)
    const values = await readOver(stream, 10)
    expect(values.map(({ n }) => n)).toEqual(row(30))
    expect(values.map(({ runs }) => runs)).toEqual(row(30).map((n) => (n < 20 ? 1 : 2)))
    expect(await stream.result).toBe(2)
  })

  it('that is requeued and yields something else says so, after what was read', async () => {
    const clock = cluster({ time: '5m', requeue: true }, async function* () {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        yield Date.now()
      }
    })
    const stream = clock()
    await expect(readOver(stream, 5)).rejects.toMatchObject({
      code: 'STREAM_CHANGED',
      message: expect.stringMatching(/value 0 is another one now/),
    })
    await stream.cancel()
  })
})
