import type { Row } from './measure.ts'
import { run } from './processes.ts'

/** Maps over many small items on this machine, each by a program of its own. */
export async function map(): Promise<Row[]> {
  const many = await measure(100_000)
  const fewer = await measure(10_000)
  const perItem = (ms: number, count: number) => (1000 * ms) / count
  const wall = perItem(many.wall, 100_000)
  return [
    {
      suite: 'map',
      what: '100,000 items of 1 kB: for each',
      value: wall,
      unit: 'µs',
      floor: perItem(many.forked, 100_000),
      floorName: 'forked processes',
      promise: 'at most 50 µs',
      kept: wall <= 50,
    },
    {
      suite: 'map',
      what: 'the same: CPU of the client for each',
      value: perItem(1000 * many.cpu, 100_000),
      unit: 'µs',
    },
    {
      suite: 'map',
      what: 'the same: memory over that of the items',
      value: many.growth,
      unit: 'times',
      promise: 'less than 3',
      kept: many.growth < 3,
    },
    {
      suite: 'map',
      what: 'a map of 10,000: CPU of the client',
      value: fewer.cpu,
      unit: 's',
      promise: 'at most 1 s',
      kept: fewer.cpu <= 1,
    },
  ]
}

async function measure(count: number) {
  const args = ['dist/cli/main.js', 'run', 'bench/map-client.ts', '--', String(count)]
  const text = await run(process.execPath, args)
  return JSON.parse(text) as { wall: number; forked: number; cpu: number; growth: number }
}
