import { describe, expect, it } from 'vitest'
import { arrayUsageOf, usageOf } from '../../src/client/outcome/usage.ts'
import { accountedOf, parseUsage } from '../../src/executor/batch/measure.ts'
import { parseHistory } from '../../src/scheduler/slurm-answers.ts'

const gigabyte = 2 ** 30
const hints = (resources: object, measured: object) => usageOf({ resources }, measured).hints

describe('a hint', () => {
  it.each([
    [64, 2, "used 2 of 64 GB: ask for memory: '3GB'"],
    [64, 0.1, "used 102.4 MB of 64 GB: ask for memory: '256MB'"],
    [16, 15.2, "used 15.2 of 16 GB, close to the limit: ask for memory: '24GB'"],
    [16, 8, undefined],
    [64, 20, undefined],
    // Nobody misses that.
    [1, 0.1, undefined],
  ])('of memory: %d GB were asked for, %d used', (asked, used, hint) => {
    const given = hints({ memoryBytes: asked * gigabyte }, { peakMemory: used * gigabyte })
    expect(given).toEqual(hint === undefined ? [] : [hint])
  })

  it.each([
    [86400, 300, "ran 0:05:00 of 24:00:00: ask for time: '10min', and it may start sooner"],
    [86400, 9000, "ran 2:30:00 of 24:00:00: ask for time: '5h', and it may start sooner"],
    [3600, 3500, "ran 0:58:20 of 1:00:00, close to the limit: ask for time: '1h30min'"],
    [3600, 1800, undefined],
    [600, 5, undefined],
  ])('of time: %d s were asked for, %d used', (timeSeconds, elapsed, hint) => {
    expect(hints({ timeSeconds }, { elapsed })).toEqual(hint === undefined ? [] : [hint])
  })

  it.each([
    [8, 100, 110, 'used 1.1 of 8 cores: ask for cores: 2, or spread the work over worker threads'],
    [8, 100, 700, undefined],
    [1, 100, 5, undefined],
    // Too short to say.
    [8, 10, 10, undefined],
  ])('of cores: of %d for %d s, %d s were used', (cores, elapsed, cpuTime, hint) => {
    expect(hints({ cores }, { elapsed, cpuTime })).toEqual(hint === undefined ? [] : [hint])
  })

  it('of GPUs that do nothing', () => {
    const gpu = { count: 2, utilization: 0.031, memory: { used: gigabyte, total: 40 * gigabyte } }
    expect(hints({}, { elapsed: 100, gpu })).toEqual([
      'its GPUs were busy 3.1 % of the time: is it used at all?',
    ])
    expect(hints({}, { elapsed: 100, gpu: { ...gpu, utilization: 0.5 } })).toEqual([])
  })

  it('is not made of what nobody knows', () => {
    expect(usageOf({ resources: { memoryBytes: 64 * gigabyte, timeSeconds: 86400, cores: 8 } }, {})).toEqual({
      memory: { asked: 64 * gigabyte },
      time: { asked: 86400 },
      cpu: { cores: 8 },
      hints: [],
    })
  })
})

it('a map has the most that a member used, all of its CPU time, and each item what its member used', () => {
  const members = new Map([
    [0, { peakMemory: gigabyte, elapsed: 100, cpuTime: 150 }],
    [1, { peakMemory: 3 * gigabyte, elapsed: 50, cpuTime: 80 }],
  ])
  const usage = arrayUsageOf({ resources: { memoryBytes: 32 * gigabyte, cores: 2 } }, members, [0, 0, 1, 2])
  expect(usage).toMatchObject({
    memory: { used: 3 * gigabyte, asked: 32 * gigabyte },
    time: { used: 100 },
    cpu: { used: 230, cores: 2, efficiency: 0.767 },
    sum: { time: 150, cpu: 230 },
    hints: ["used 3 of 32 GB: ask for memory: '5GB'"],
  })
  expect(usage.items.map(({ memory, cpu }) => [memory.used, cpu.used])).toEqual([
    [gigabyte, 150],
    [gigabyte, 150],
    [3 * gigabyte, 80],
    [undefined, undefined],
  ])
})

it('what runtimes note is read, of each member the last run, and what is cut off passed over', () => {
  const lines = [
    'run.1.0/usage:"peakMemory":5,"cpuTime":1.5,"elapsed":3',
    'run.2.0/usage:"peakMemory":7,"cpuTime":0.5,"elapsed":1',
    'run.1.1/usage:"peakMemory":5,"cpuT',
    'run.1.2/usage:"peakMemory":"much","__proto__":{"a":1}',
    'a banner',
    '',
  ]
  expect(parseUsage(lines.join('\n'))).toEqual([
    { attempt: 2, member: 0, measured: { peakMemory: 7, cpuTime: 0.5, elapsed: 1 } },
    { attempt: 1, member: 2, measured: {} },
  ])
})

it('of an array, accounting counts for the members that it names', () => {
  const said = (lines: string[]) =>
    parseHistory({ stdout: Buffer.from(lines.join('\n')), stderr: '', exitCode: 0 })!
  const peaks = (lines: string[], members: number) =>
    Array.from({ length: members }, (_, k) => accountedOf(said(lines).get('3')!, { members }, k)?.peakMemory)
  const rows = (id: string, rss: string) => [
    `${id}|COMPLETED|0:0|1000||1700000000|5|00:01`,
    `${id}.batch|COMPLETED|0:0||${rss}|1700000000|5|00:01`,
  ]
  expect(peaks(rows('3', '208K'), 1)).toEqual([208 * 1024])
  expect(peaks([...rows('3_0', '1K'), ...rows('3_1', '2K')], 2)).toEqual([1024, 2048])
  // Its last task has the number of the whole, and may come without its own.
  expect(peaks([...rows('3_0', '1K'), ...rows('3', '208K')], 2)).toEqual([1024, undefined])
  expect(peaks(rows('3', '208K'), 2)).toEqual([undefined, undefined])
})
