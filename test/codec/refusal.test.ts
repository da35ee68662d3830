import * as net from 'node:net'
import { Readable } from 'node:stream'
import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { encode } from '../../src/codec/codec.ts'
import { failure } from './helpers.ts'

function refused(value: unknown, root = 'argument 1'): string {
  const { name, code, message } = failure(() => encode(value, { root }))
  expect({ name, code }).toEqual({ name: 'CaptureError', code: 'VALUE_REFUSED' })
  expect(message).toMatch(/\n {2}hint: ./)
  return message.split('\n')[0]!
}

class Point {
  constructor(readonly x = 0) {}
}
function argumentsOf(..._: unknown[]): unknown {
  // biome-ignore lint/complexity/noArguments: it is the point
  return arguments
}
class Bag extends Map<number, number> {}
class List extends Array {}

describe('what cannot travel is refused, by its path', () => {
  it.each<[string, unknown]>([
    ['a Promise cannot travel', Promise.resolve()],
    ['a symbol cannot travel', Symbol('x')],
    ['a symbol cannot travel', Object(Symbol.iterator)],
    ['the function named cannot travel', function named() {}],
    ['the class Point cannot travel', Point],
    ['an instance of Point cannot travel', new Point()],
    ['a WeakMap cannot travel', new WeakMap()],
    ['a WeakSet cannot travel', new WeakSet()],
    ['a WeakRef cannot travel', new WeakRef({})],
    ['a FinalizationRegistry cannot travel', new FinalizationRegistry(() => {})],
    ['shared memory cannot travel', new SharedArrayBuffer(8)],
    ['shared memory cannot travel', new Uint8Array(new SharedArrayBuffer(8))],
    ['a Blob cannot travel', new Blob(['x'])],
    ['a Proxy cannot travel', new Proxy({}, {})],
    ['a Proxy cannot travel', new Proxy([], {})],
    ['a generator cannot travel', (function* () {})()],
    ['an async generator cannot travel', (async function* () {})()],
    ['an iterator cannot travel', [1][Symbol.iterator]()],
    ['an iterator cannot travel', new Map().entries()],
    ['a net.Socket cannot travel', new net.Socket()],
    ['a server cannot travel', net.createServer()],
    ['a stream cannot travel', new Readable()],
    ['a stream cannot travel', new ReadableStream()],
    ['an AbortSignal cannot travel', new AbortController().signal],
    ['an instance of Bag cannot travel', new Bag().set(1, 2)],
    ['an instance of List cannot travel', List.of(1)],
    ['its property Symbol(k) cannot travel, its key being a symbol', { [Symbol('k')]: 1 }],
    [
      'its property Symbol(k) cannot travel, its key being a symbol',
      Object.assign([1], { [Symbol('k')]: 1 }),
    ],
    [
      'its property "h" cannot travel, being not enumerable',
      Object.defineProperty({ a: 1 }, 'h', { value: 1 }),
    ],
    ['its property "raw" cannot travel, being not enumerable', ((t: TemplateStringsArray) => t)`a`],
    ['a Map with properties of its own cannot travel', Object.assign(new Map(), { a: 1 })],
    ['a Date with properties of its own cannot travel', Object.assign(new Date(), { a: 1 })],
    ['a Uint8Array with properties of its own cannot travel', Object.assign(new Uint8Array(3), { a: 1 })],
    ['a Uint8Array with properties of its own cannot travel', Object.assign(new Uint8Array(3000), { a: 1 })],
    ['an instance of Collator cannot travel', new Intl.Collator()],
    ['an object with an unknown prototype cannot travel', Object.create({ inherited: 1 })],
    ['an arguments object cannot travel', argumentsOf(1)],
    ['its property Symbol(Symbol.toStringTag) cannot travel, its key being a symbol', Math],
  ])('%s', (why, value) => {
    const message = refused({ a: [0, value] })
    expect(message).toBe(`argument 1.a[1]: ${why}`)
  })

  it('says the path through everything that can hold it', () => {
    const bad = Symbol('s')
    const tail = ': a symbol cannot travel'
    expect(refused(bad, 'result')).toBe(`result${tail}`)
    expect(refused({ socket: { handlers: [1, 2, 3, bad] } })).toBe(`argument 1.socket.handlers[3]${tail}`)
    expect(refused(new Map([['key', { x: bad }]]), 'result')).toBe(`result.get("key").x${tail}`)
    expect(refused(new Map([[1, bad]]), 'result')).toBe(`result.get(1)${tail}`)
    expect(refused(new Map<unknown, unknown>([[{}, 1], [{ a: bad }, 1]]))).toBe(`argument 1.keys()[1].a${tail}`) // biome-ignore format: one line
    expect(refused(new Map([[{}, [bad]]]))).toBe(`argument 1.values()[0][0]${tail}`)
    expect(refused(new Set([1, [bad]]))).toBe(`argument 1.values()[1][0]${tail}`)
    expect(refused({ 'two words': bad })).toBe(`argument 1["two words"]${tail}`)
    expect(refused(new Error('e', { cause: { x: bad } }))).toBe(`argument 1.cause.x${tail}`)
    expect(refused(new AggregateError([1, [bad]]))).toBe(`argument 1.errors[1][0]${tail}`)
    expect(refused(Object.assign([1], { note: bad }))).toBe(`argument 1.note${tail}`)
  })

  it('says a path of any depth, shortened', () => {
    let value: unknown = Symbol('deep')
    for (let depth = 0; depth < 50_000; depth++) value = { n: value }
    const message = refused(value)
    expect(message).toMatch(/^argument 1(\.n){20} … 49970 more … (\.n){10}: a symbol cannot travel$/)
  })

  it('lets the caller explain', () => {
    const explain = (value: unknown, path: string) =>
      typeof value === 'function' ? { why: `no, not ${path}`, hint: 'try less' } : undefined
    expect(failure(() => encode([() => 1], { root: 'result', explain })).message).toBe(
      'result[0]: no, not result[0]\n  hint: try less',
    )
    expect(failure(() => encode([Symbol('x')], { root: 'result', explain })).message).toMatch('a symbol')
  })

  it('refuses a buffer that was transferred away', () => {
    const array = new Float64Array(4)
    structuredClone(array.buffer, { transfer: [array.buffer] })
    expect(refused([array])).toBe('argument 1[0]: a detached ArrayBuffer has no content')
    expect(refused([array.buffer])).toBe('argument 1[0]: a detached ArrayBuffer has no content')
  })

  it('refuses classes of another realm as it does those of this one', () => {
    expect(refused(vm.runInNewContext('new (class Alien { x = 1 })()'))).toMatch('an instance of Alien')
    expect(refused(vm.runInNewContext('new (class Sack extends Map {})()'))).toMatch('an instance of Sack')
    expect(refused(vm.runInNewContext('Promise.resolve(1)'))).toMatch('a Promise')
  })
})
