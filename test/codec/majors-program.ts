/** Run by Node of each major: `write FILE` encodes the fixtures, `read FILE…` decodes what others wrote. */
import { readFileSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { decode, encode, encodeError } from '../../src/codec/codec.ts'
import { limits } from '../../src/codec/parts.ts'
import { decodeRecords, encodeRecord } from '../../src/core/pack.ts'

class Sample {
  constructor(readonly seed: number) {}
}

/** A stack says which Node made it: a fixed one makes the bytes of all majors the same. */
function fixed<E extends Error>(error: E): E {
  error.stack = `${error.name}: ${error.message}\n    at somewhere`
  return error
}

function caused(error: Error, cause: unknown): Error {
  Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true })
  return fixed(error)
}

function circular(): Error {
  const error = fixed(new Error('outer'))
  return caused(error, caused(new TypeError('inner'), error))
}

function cycle(): object {
  const list: unknown[] = [{ list: [] as unknown[] }]
  const map = new Map<unknown, unknown>([[list, list[0]]])
  list.push(map, list, list[0])
  return list
}

function views(): unknown[] {
  const buffer = new ArrayBuffer(32)
  new Float64Array(buffer).set([Number.NaN, -0, Number.POSITIVE_INFINITY, Math.PI])
  return [new Float64Array(buffer, 8), new Uint8Array(buffer, 0, 20), new DataView(buffer, 1, 3), buffer]
}

function nested(): unknown {
  let value: unknown = 'deep'
  for (let depth = 0; depth < 300; depth++) value = depth % 2 ? [value] : { value }
  return value
}

const fixtures: Record<string, unknown> = {
  plain: { a: [1, 'two', true, null, 1e308, 5e-324], text: 'héllo \u2028 \ud800 😀', '': {}, 1: [] },
  special: [undefined, Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  bigints: [0n, -1n, 2n ** 300n],
  dates: [new Date(0), new Date(Number.NaN), new Date(8.64e15)],
  collections: [new Map<unknown, unknown>([['a', new Set([1, {}])]]), new Set(), new Map([[{}, -0]])],
  patterns: [/a\/b/gimsuy, /(?<year>\d+)/],
  sparse: [Object.assign(new Array(5), { 1: 'x' }), Object.assign([1], { note: 'n' }), new Array(9)],
  nullPrototype: Object.assign(Object.create(null), { a: 1, toString: 2 }),
  proto: JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
  boxed: [Object(1), Object('ab'), Object(false), Object(5n)],
  urls: [new URL('https://a.b/c?d=e#f')],
  binary: [
    new Int8Array([-1]),
    new Uint8ClampedArray([300]),
    new Float32Array([1.5]),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 64n - 1n]),
    Buffer.from('bytes'),
    new Uint8Array(),
  ],
  views: views(),
  tags: [{ $: 0 }, { $D: 0 }, { $o: { $: 'nan' } }],
  cycle: cycle(),
  nested: nested(),
  instance: [new Sample(7)],
  error: Object.assign(fixed(new RangeError('far')), { code: 'EFAR', when: new Date(0) }),
  causes: caused(new Error('a'), caused(new TypeError('b'), 0)),
  circular: circular(),
  parted: [
    nested(),
    views(),
    'é\ud800'.repeat(30),
    'ascii'.repeat(30),
    { a: [cycle(), new Set(['x'.repeat(50)])] },
  ],
  aggregate: fixed(new AggregateError([fixed(new TypeError('one')), 'two', undefined], 'all')),
}

// Small enough that the larger fixtures are written in parts.
Object.assign(limits, { part: 400, text: 40 })

/** Node's own comparison runs without end around causes, and the older ones' finds no invalid date equal. */
const incomparable = new Set(['circular', 'dates'])

const encodeOptions = {
  root: 'value',
  reference: (value: object) =>
    value instanceof Sample ? ({ kind: 'instance', id: 'Sample', fields: { ...value } } as const) : undefined,
}
const decodeOptions = {
  instantiate() {
    const object = Object.create(Sample.prototype) as object
    return {
      object,
      fill(fields: object) {
        Object.assign(object, fields)
      },
    }
  },
}

const bytesOf = (value: unknown) => encode(value, encodeOptions)

function read(file: string): string[] {
  const { records, torn } = decodeRecords(readFileSync(file))
  const problems = torn === undefined ? [] : [`the file is damaged: ${torn}`]
  const names = Object.keys(fixtures)
  if (records.length !== names.length + 1) problems.push(`${records.length} records`)
  for (const { index, bytes } of records) {
    const name = names[index]
    try {
      const back = decode(bytes, decodeOptions)
      if (name === undefined) {
        const { name, message, code } = back as DOMException
        // Node 16 has the class, but no name for it: there it is an Error called AbortError.
        const wanted = typeof DOMException === 'function' ? 20 : undefined
        if (!(back instanceof Error) || name !== 'AbortError' || message !== 'stop' || code !== wanted)
          problems.push(`what was thrown: ${name} ${message} ${code}`)
        continue
      }
      if (!incomparable.has(name) && !isDeepStrictEqual(back, fixtures[name]))
        problems.push(`${name} is another value`)
      // Sharing, hidden properties and bits that deep equality passes over are all in the bytes.
      if (!Buffer.from(bytesOf(back)).equals(bytesOf(fixtures[name]))) problems.push(`${name} differs`)
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.stack : error}`)
    }
  }
  return problems
}

/** As fetch and timers reject when they are aborted; before Node 17 nobody has the class by name. */
function abortError(): unknown {
  try {
    atob('%')
  } catch (error) {
    const Exception = (error as object).constructor as typeof DOMException
    return new Exception('stop', 'AbortError')
  }
  throw new Error('atob has changed')
}

const [verb, ...files] = process.argv.slice(2)
if (verb === 'write') {
  const records = Object.values(fixtures).map(bytesOf)
  records.push(encodeError(abortError(), { root: 'error' }))
  const parts = records.flatMap((bytes, index) => encodeRecord({ kind: 'value', index, bytes }))
  writeFileSync(files[0]!, Buffer.concat(parts))
} else console.log(JSON.stringify(Object.fromEntries(files.map((file) => [file, read(file)]))))
