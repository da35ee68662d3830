import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../src/codec/codec.ts'
import { writeWire } from '../../src/codec/wire.ts'
import { failure } from './helpers.ts'

const sample = encode(
  {
    list: [1, 'two', undefined, -0, 5n, new Array(3)],
    map: new Map<unknown, unknown>([['a', new Set([new Date(0)])]]),
    error: new AggregateError([new TypeError('x', { cause: 0 })], 'all'),
    bytes: [
      new Uint8Array([1, 2, 3]),
      new Float64Array(4),
      Buffer.from('x'),
      new DataView(new ArrayBuffer(4)),
    ],
    rest: [/x/g, new URL('https://a.b'), Object(1), Object.create(null), new URLSearchParams('a=b')],
  },
  { root: 'x' },
)

/** Decodes, and lets nothing pass but a value or a ResultError. */
function decodeHostile(bytes: Uint8Array): void {
  try {
    decode(bytes, { resolve: () => Math.max, instantiate: () => ({ object: {}, fill() {} }) })
  } catch (error) {
    const { name, code } = error as { name: string; code: string }
    if (name !== 'ResultError' || !['RESULT_CORRUPT', 'PROTOCOL_NEWER'].includes(code)) throw error
  }
}

const head = (value: unknown) =>
  writeWire({ text: typeof value === 'string' ? value : JSON.stringify(value), plain: false }, [
    new Uint8Array(16),
  ])

describe('bytes that encode did not write', () => {
  it('are refused when cut off anywhere', () => {
    for (let length = 0; length < sample.length; length++)
      expect(failure(() => decode(sample.subarray(0, length)))).toMatchObject({
        name: 'ResultError',
        code: 'RESULT_CORRUPT',
      })
    expect(failure(() => decode(Buffer.concat([sample, Buffer.alloc(1)]))).code).toBe('RESULT_CORRUPT')
  })

  it('never end otherwise than in a value or a named error, whichever bits are flipped', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sample.length - 1), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 5,
        }),
        (flips) => {
          const bytes = Uint8Array.from(sample)
          for (const [at, bits] of flips) bytes[at]! ^= bits
          decodeHostile(bytes)
        },
      ),
      { numRuns: 1000 },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeHostile))
  })

  it('never end otherwise whatever the head says', () => {
    const tags = [
      '$',
      '$d',
      '$n',
      '$o',
      '$S',
      '$N',
      '$D',
      '$M',
      '$T',
      '$R',
      '$P',
      '$U',
      '$Q',
      '$B',
      '$E',
      '$O',
      '$F',
      '$I',
      '$x',
    ]
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.oneof(
          fc.integer({ min: -2, max: 20 }),
          fc.double(),
          fc.string(),
          fc.constantFrom(null, true, '__proto__', 'nan', 4294967295, 'Uint8Array', 'Buffer'),
        ),
        fc.array(tie('node'), { maxLength: 5 }),
        fc.tuple(fc.constantFrom(...tags), tie('node')).map(([tag, content]) => ({ [tag]: content })),
        fc.dictionary(
          fc.constantFrom('a', '__proto__', 'names', 'stack', 'constructor', 'length', '0'),
          tie('node'),
        ),
      ),
    }))
    const before = Object.getOwnPropertyNames(Object.prototype).length
    fc.assert(
      fc.property(fc.array(node, { maxLength: 4 }), (roots) => decodeHostile(head(roots))),
      { numRuns: 1000 },
    )
    expect(Object.getOwnPropertyNames(Object.prototype).length).toBe(before)
  })

  it('are refused when they are of a newer farcall, by name', () => {
    const bytes = Uint8Array.from(sample)
    bytes[2] = 3
    expect(failure(() => decode(bytes))).toMatchObject({ name: 'ResultError', code: 'PROTOCOL_NEWER' })
  })

  it.each<[string, unknown]>([
    ['a reference ahead', [[{ $: 7 }]]],
    ['a deferred object that is not there', [{ $d: 1 }]],
    ['a deferred object that is none', [{ $d: 1 }, 5]],
    ['a view beyond its frame', [{ $B: ['Uint8Array', 0, 0, 17] }]],
    ['a view that is not aligned', [{ $B: ['Float64Array', 0, 4, 8] }]],
    ['a view with a negative offset', [{ $B: ['Uint8Array', 0, -1, 1] }]],
    ['a frame that is not there', [{ $B: ['Uint8Array', 1, 0, 0] }]],
    ['a constructor of its choice', [{ $B: ['Function', 0, 0, 0] }]],
    ['a view called constructor', [{ $B: ['constructor', 0, 0, 0] }]],
    ['an array longer than can be', [{ $S: [2 ** 32, [], {}] }]],
    ['an index beyond the array', [{ $S: [5, [5, 1], {}] }]],
    ['an odd number of entries', [{ $S: [5, [1], {}] }]],
    ['a length among the properties', [{ $S: [5, [], { length: 7 }] }]],
    ['half an entry of a Map', [{ $M: [1] }]],
    ['a pattern that is none', [{ $R: ['(', '', 0] }]],
    ['a URL that is none', [{ $U: 'nowhere' }]],
    ['a bigint that is none', [{ $n: '12g' }]],
    ['a boxed object', [{ $P: [] }]],
    ['a date of text', [{ $D: '2020' }]],
    ['an error without a class', [{ $E: [{}, {}, {}] }]],
    ['an error whose stack is an object', [{ $E: [{ names: [], stack: {} }, {}, {}] }]],
    ['an unknown tag', [{ $z: 1 }]],
    ['an empty list', []],
    ['no list', {}],
    ['no JSON', '[1'],
  ])('are refused: %s', (_name, value) => {
    expect(failure(() => decode(head(value)))).toMatchObject({ name: 'ResultError', code: 'RESULT_CORRUPT' })
  })

  it('are refused when they nest without end, in any shape', () => {
    for (const [
      open,
      close,
    ] of [['[', ']'], ['{"a":', '}'], ['{"$T":[', ']}'], ['{"$P":', '}'], ['{"$o":{"a":', '}}']] as const) // biome-ignore format: one line
      expect(failure(() => decode(head(`[${open.repeat(200_000)}1${close.repeat(200_000)}]`)))).toMatchObject(
        {
          name: 'ResultError',
          code: 'RESULT_CORRUPT',
        },
      )
  })

  it('change no prototype', () => {
    const evil = '{"polluted":true}'
    for (const text of [
      `[{"__proto__":${evil}}]`,
      `[{"$N":{"__proto__":${evil}}}]`,
      `[{"$o":{"__proto__":${evil}}}]`,
      `[{"$S":[0,[],{"__proto__":${evil}}]}]`,
      `[{"$E":[{"names":["Error"],"__proto__":${evil}},{"__proto__":${evil}},{"__proto__":${evil}}]}]`,
      `[{"$E":[{"names":["__proto__","constructor"]},{},{"constructor":{"prototype":${evil}}}]}]`,
    ]) {
      const back = decode(head(text)) as object
      expect('polluted' in {}).toBe(false)
      expect('polluted' in Error.prototype).toBe(false)
      expect([Object.prototype, Array.prototype, Error.prototype, null]).toContain(
        Object.getPrototypeOf(back),
      )
    }
  })

  it('claim no memory that they do not have', () => {
    // A header that promises 4 GB of head, 4 billion frames, or an enormous frame; arrays of 32 million.
    const header = (headLength: number, frames: number, length = 0n) => {
      const bytes = Buffer.alloc(28)
      bytes.write('FC\u0001\u0000', 'latin1')
      bytes.writeUInt32LE(headLength, 4)
      bytes.writeUInt32LE(frames, 8)
      bytes.writeBigUInt64LE(length, 12)
      return bytes
    }
    for (const bytes of [
      header(2 ** 32 - 1, 0),
      header(0, 2 ** 32 - 1),
      header(8, 1, 2n ** 63n),
      header(8, 1, 2n ** 40n),
    ])
      expect(failure(() => decode(bytes)).code).toBe('RESULT_CORRUPT')
    const before = process.memoryUsage().rss
    const arrays = Array.from({ length: 200 }, () => ({ $S: [33_000_000, [], {}] }))
    const back = decode(head([arrays])) as unknown[][]
    expect(back[199]!.length).toBe(33_000_000)
    const smaller = decode(head([arrays.map(() => ({ $S: [30_000_000, [7, 1], {}] }))])) as unknown[][]
    expect(smaller[0]![7]).toBe(1)
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  })
})
