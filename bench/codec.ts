import { deserialize, serialize } from 'node:v8'
import { decode, encode } from '../src/codec/codec.ts'
import { paired, type Row } from './measure.ts'

const options = { root: 'value' }

/** What is encoded and decoded, and how many times v8.serialize's time that may take. */
const values: readonly [what: string, times: number, limit: number, make: () => unknown][] = [
  ['a Float64Array of 8 MB', 60, 2, () => Float64Array.from({ length: 1 << 20 }, (_, at) => Math.sin(at))],
  ['100,000 small objects', 20, 4, () => Array.from({ length: 100_000 }, (_, id) => small(id))],
  [
    '100,000 small objects, each with a Date',
    20,
    8,
    () => Array.from({ length: 100_000 }, (_, id) => ({ ...small(id), at: new Date(1.7e12 + id) })),
  ],
]

function small(id: number) {
  return { id, name: `sample ${id}`, score: id * 0.37, ok: id % 2 === 0 }
}

/** Encoding and decoding over v8.serialize and deserialize, which only one Node version understands. */
export async function codec(): Promise<Row[]> {
  const rows: Row[] = []
  for (const [what, times, limit, make] of values) {
    const value = make()
    const [ours, theirs] = [encode(value, options), serialize(value)]
    const encoding = await paired(
      times,
      () => encode(value, options),
      () => serialize(value),
    )
    const decoding = await paired(
      times,
      () => decode(ours),
      () => deserializeApart(theirs),
    )
    rows.push(
      row(`encode ${what}`, encoding, 'v8.serialize', limit),
      row(`decode ${what}`, decoding, 'v8.deserialize', limit),
    )
  }
  return rows
}

/** deserialize gives views of the bytes it reads; a result that outlives them has to be copied. */
function deserializeApart(bytes: Buffer): unknown {
  const value: unknown = deserialize(bytes)
  return value instanceof Float64Array ? value.slice() : value
}

function row(what: string, [value, floor]: [number, number], floorName: string, limit: number): Row {
  const promise = `at most ${limit} times it`
  return { suite: 'codec', what, value, unit: 'ms', floor, floorName, promise, kept: value <= limit * floor }
}
