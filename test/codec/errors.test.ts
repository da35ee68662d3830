import { describe, expect, it } from 'vitest'
import { decode, encode, encodeError } from '../../src/codec/codec.ts'
import { omittedKey } from '../../src/codec/error-node.ts'
import { ConfigError, FarcallError } from '../../src/core/errors.ts'
import { roundTrip } from './helpers.ts'

class HttpError extends Error {
  override name = 'HttpError'
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }
}
class NotFound extends HttpError {
  constructor(path: string) {
    if (typeof path !== 'string') throw new Error('the constructor ran')
    super(`no ${path}`, 404)
  }
  get path(): string {
    return this.message.slice(3)
  }
}

describe('errors', () => {
  it.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])(
    'come back as %o, with name, message and stack',
    (Class) => {
      const error = new Class('why')
      const back = roundTrip(error)
      expect(Object.getPrototypeOf(back)).toBe(Class.prototype)
      expect(back).toBeInstanceOf(Class)
      expect(Object.prototype.toString.call(back)).toBe('[object Error]')
      expect(back.stack).toBe(error.stack)
      expect(Object.keys(back)).toEqual([])
      expect(Object.getOwnPropertyNames(back).sort()).toEqual(Object.getOwnPropertyNames(error).sort())
      expect(String(back)).toBe(String(error))
    },
  )

  it('keep own properties and their values', () => {
    const error = Object.assign(new TypeError('m'), {
      code: 'EX',
      when: new Date(0),
      data: new Map([[1, 2n]]),
    })
    expect(roundTrip(error)).toMatchObject({ code: 'EX', when: new Date(0), data: new Map([[1, 2n]]) })
    expect(Object.keys(roundTrip(error))).toEqual(['code', 'when', 'data'])
  })

  it('keep a chain of causes, falsy ones too, out of sight', () => {
    const error = new Error('a', { cause: new TypeError('b', { cause: new HttpError('c', 500) }) })
    const back = roundTrip(error) as { cause: { cause: HttpError } } & Error
    expect(back.cause).toBeInstanceOf(TypeError)
    expect(back.cause.cause).toMatchObject({ name: 'HttpError', message: 'c', status: 500 })
    expect(Object.keys(back)).toEqual([])
    for (const cause of [undefined, null, 0, '', false]) {
      const falsy = roundTrip(new Error('x', { cause }))
      expect(Object.getOwnPropertyDescriptor(falsy, 'cause')).toMatchObject({
        value: cause,
        enumerable: false,
      })
    }
    expect('cause' in roundTrip(new Error('none'))).toBe(false)
  })

  it('close a cycle of causes', () => {
    const error = new Error('a')
    error.cause = new Error('b', { cause: error })
    const back = roundTrip(error)
    expect((back.cause as Error).cause).toBe(back)
  })

  it('keep the members of an AggregateError', () => {
    const back = roundTrip(new AggregateError([new TypeError('a'), 'text', undefined], 'all'))
    expect(back).toBeInstanceOf(AggregateError)
    expect(back.errors).toHaveLength(3)
    expect(back.errors[0]).toBeInstanceOf(TypeError)
    expect(back.errors.slice(1)).toEqual(['text', undefined])
  })

  it('of a class that is not known here are the nearest built-in one, with its name', () => {
    class Narrow extends RangeError {}
    const back = roundTrip(Object.assign(new Narrow('x'), { low: 1 }))
    expect(Object.getPrototypeOf(back)).toBe(RangeError.prototype)
    expect(back).toMatchObject({ name: 'RangeError', low: 1 })
    expect(roundTrip(new NotFound('page'))).toMatchObject({
      name: 'HttpError',
      status: 404,
      message: 'no page',
    })
  })

  it('of a class that the caller knows have its prototype, and its constructor does not run', () => {
    const seen: unknown[] = []
    const bytes = encode(new NotFound('page'), {
      root: 'result',
      reference: (value) =>
        value instanceof NotFound ? { kind: 'instance', id: 'c7', fields: { ...value } } : undefined,
    })
    const back = decode(bytes, {
      errorClass(ref) {
        seen.push(ref)
        return NotFound
      },
    }) as NotFound
    expect(seen).toEqual([{ id: 'c7', names: ['NotFound', 'HttpError', 'Error'] }])
    expect(back).toBeInstanceOf(NotFound)
    expect(back).toMatchObject({ name: 'HttpError', message: 'no page', status: 404, path: 'page' })
  })

  it('whose message is a getter of the class keep it, without the class too', () => {
    class Late extends Error {
      override get message(): string {
        return 'made late'
      }
      override get name(): string {
        return 'LateError'
      }
    }
    expect(String(roundTrip(new Late()))).toBe('LateError: made late')
    expect(String(roundTrip(new Late(), { errorClass: () => Late }))).toBe('LateError: made late')
  })

  it('of the platform and of farcall stay what they are', () => {
    const abort = roundTrip(new DOMException('stop', 'AbortError'))
    expect(abort).toBeInstanceOf(DOMException)
    expect(abort).toMatchObject({ name: 'AbortError', message: 'stop', code: 20 })
    const ours = roundTrip(new ConfigError('UNIT_INVALID', 'bad', { hint: 'do', transient: true }))
    expect(ours).toBeInstanceOf(FarcallError)
    expect(ours).toBeInstanceOf(ConfigError)
    expect(ours).toMatchObject({ code: 'UNIT_INVALID', hint: 'do', transient: true, name: 'ConfigError' })
  })

  it('without a native error inside, as older libraries make them, are errors', () => {
    function Old(this: Error) {
      this.message = 'old'
    }
    Old.prototype = Object.create(Error.prototype, { constructor: { value: Old } })
    const back = roundTrip(Reflect.construct(Old, []) as Error)
    expect(back).toBeInstanceOf(Error)
    expect(back.message).toBe('old')
  })
})

describe('what was thrown', () => {
  it('travels as it is when it is no error', () => {
    for (const thrown of ['text', undefined, 0, null, { a: 1 }, [new Date(0)]])
      expect(decode(encodeError(thrown, { root: 'error' }))).toStrictEqual(thrown)
  })

  it('arrives without what cannot travel, and says what that is', () => {
    const shared = { fine: true }
    const error = Object.assign(new TypeError('failed'), {
      before: shared,
      request: {
        socket: new WeakMap(),
        inner: { shared, own: {}, deep: [{}, Promise.resolve()] },
        url: '/x',
      },
      config: { url: '/y', adapter: () => 1, get bad(): number { throw new Error('no') } }, // biome-ignore format: one line
      after: shared,
      last: [{}, shared],
    })
    const back = decode(encodeError(error, { root: 'error' })) as typeof error
    expect(back).toBeInstanceOf(TypeError)
    expect(back.message).toBe('failed')
    expect(back.request).toStrictEqual({
      socket: undefined,
      inner: { shared: { fine: true }, own: {}, deep: [{}, undefined] },
      url: '/x',
    })
    expect(back.config).toBe(undefined)
    expect(back.after).toBe(back.before)
    expect(back.request.inner.shared).toBe(back.before)
    expect(back.last[1]).toBe(back.before)
    expect(Reflect.get(back, omittedKey)).toEqual([
      'error.request.socket: a WeakMap cannot travel',
      'error.request.inner.deep[1]: a Promise cannot travel',
      'error.config: reading it failed: no',
    ])
  })

  it('keeps its references in order when a part that was begun is left out', () => {
    // The Map is refused after its first entries were met, and they are met again later.
    const one = { one: 1 }
    let deep: unknown = one
    for (let depth = 0; depth < 100; depth++) deep = { deep }
    const bag = Object.defineProperty({ one, deep }, 'hidden', { value: 1 })
    const error = Object.assign(new Error('x'), { bag, list: [one, {}, one], deep, end: {} })
    const back = decode(encodeError(error, { root: 'error' })) as typeof error
    expect(back.bag).toBe(undefined)
    expect(back.list).toStrictEqual([one, {}, one])
    expect(back.list[0]).toBe(back.list[2])
    expect(back.deep).toStrictEqual(deep)
    expect(back.end).toStrictEqual({})
  })

  it('arrives when everything about it throws', () => {
    const error = new Error('x')
    expect(error.stack).toBeTypeOf('string') // made now: it is formatted from the properties that trap below
    const get = () => {
      throw new Error('trap')
    }
    for (const key of ['name', 'message', 'stack', 'cause', 'other'])
      Object.defineProperty(error, key, { get, enumerable: key === 'other' })
    expect(decode(encodeError(error, { root: 'error' }))).toBeInstanceOf(Error)
  })

  it('arrives as an error that says why when it cannot travel at all', () => {
    class Box {}
    for (const [thrown, why] of [
      [Symbol('s'), 'error: a symbol cannot travel'],
      [() => 1, 'error: the function (anonymous) cannot travel'],
      [new Box(), 'error: an instance of Box cannot travel'],
      [Promise.resolve(), 'error: a Promise cannot travel'],
    ] as const) {
      const back = decode(encodeError(thrown, { root: 'error' }))
      expect(back).toBeInstanceOf(Error)
      expect((back as Error).message).toContain(why)
    }
    const proxied = decode(encodeError(new Proxy(new TypeError('inside'), {}), { root: 'error' }))
    expect(proxied).toMatchObject({ name: 'TypeError', message: 'inside' })
  })
})
