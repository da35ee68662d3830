import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../src/codec/codec.ts'
import type { DecodeOptions, EncodeOptions } from '../../src/codec/types.ts'
import { failure } from './helpers.ts'

class Account {
  #balance = 0
  owner: unknown
  constructor() {
    throw new Error('the constructor ran')
  }
  static make(owner: unknown, balance: number): Account {
    const blank = Account.blank()
    blank.fill({ owner }, { '#balance': balance })
    return blank.object
  }
  static blank() {
    class Host {
      constructor(object: object) {
        // biome-ignore lint/correctness/noConstructorReturn: this is how private fields get onto a blank instance
        return object
      }
    }
    class Fields extends Host {
      #unused = 0
      used() {
        return this.#unused
      }
    }
    const object = new Fields(Object.create(Account.prototype)) as unknown as Account
    return {
      object,
      fill(fields: object, privates: Record<string, unknown>) {
        Object.assign(object, fields)
        balances.set(object, privates['#balance'] as number)
      },
    }
  }
  static read(account: Account): number {
    return balances.get(account) ?? account.#balance
  }
}
const balances = new WeakMap<object, number>()
const double = (x: number) => 2 * x

const options: EncodeOptions = {
  root: 'argument 0',
  reference(value) {
    if (value === double) return { kind: 'function', id: 'double' }
    if (value === Account) return { kind: 'function', id: 'Account' }
    if (value instanceof Account)
      return {
        kind: 'instance',
        id: 'Account',
        fields: { ...value },
        privates: { '#balance': Account.read(value) },
      }
    return undefined
  },
}
const known: DecodeOptions = {
  resolve: (id) => (id === 'double' ? double : Account),
  instantiate: () => Account.blank(),
}

describe('functions and instances', () => {
  it('travel as what the capture calls them', () => {
    const back = decode(encode([double, Account, double], options), known)
    expect(back).toEqual([double, Account, double])
  })

  it('come back with fields and private fields, filled, shared and in cycles', () => {
    const account = Account.make('me', 5)
    const inner = Account.make(account, 7)
    account.owner = { inner, list: [account, new Date(0)], f: double }
    const back = decode(encode({ account, inner, date: new Date(1) }, options), known) as Record<
      string,
      Account
    >
    const owner = back['account']!.owner as { inner: Account; list: unknown[]; f: unknown }
    expect(owner.inner).toBe(back['inner'])
    expect(owner.inner.owner).toBe(back['account'])
    expect(owner.list).toStrictEqual([back['account'], new Date(0)])
    expect(owner.f).toBe(double)
    expect([Account.read(back['account']!), Account.read(back['inner']!)]).toEqual([5, 7])
  })

  it('are filled after what they hold, at any depth', () => {
    class Link { constructor(readonly next: unknown) {} } // biome-ignore format: one line
    let chain: unknown = 'end'
    for (let at = 0; at < 300; at++) chain = new Link(chain)
    const order: number[] = []
    const states = new Map<object, number>()
    let made = 0
    const bytes = encode(chain, {
      root: 'x',
      reference: (value) => ({ kind: 'instance', id: 'Link', fields: { ...value } }),
    })
    decode(bytes, {
      instantiate() {
        const object = Object.create(Link.prototype)
        states.set(object, made++)
        return {
          object,
          fill(fields) {
            Object.assign(object, fields)
            const depth =
              typeof fields['next'] === 'string' ? 0 : 1 + Reflect.get(fields['next'] as object, 'depth')
            Object.defineProperty(object, 'depth', { value: depth })
            order.push(depth)
          },
        }
      },
    })
    expect(order).toEqual(Array.from({ length: 300 }, (_, depth) => depth))
  })

  it('are asked for by their path', () => {
    const paths: string[] = []
    encode(
      { a: [double], b: new Map([['k', Account.make(double, 1)]]) },
      {
        root: 'this',
        reference(value, path) {
          paths.push(path)
          return options.reference!(value, path)
        },
      },
    )
    expect(paths).toEqual(['this.a[0]', 'this.b.get("k")'])
  })

  it('name the path to what a field or a private field holds and cannot travel', () => {
    expect(failure(() => encode([Account.make(Promise.resolve(), 1)], options)).message).toMatch(
      'argument 0[0].owner: a Promise cannot travel',
    )
    const secret = Account.make(1, Symbol('s') as unknown as number)
    expect(failure(() => encode([secret], options)).message).toMatch('argument 0[0].#balance: a symbol')
  })

  it('are refused where the receiver knows neither', () => {
    for (const value of [double, Account.make(1, 2)])
      expect(failure(() => decode(encode([value], options)))).toMatchObject({
        name: 'ResultError',
        code: 'RESULT_CORRUPT',
      })
  })

  it('let a subclass of a built-in travel only when its class has the revive hook', () => {
    class Bag extends Map {}
    class Own extends Map { static [Symbol.for('farcall.revive')]() {} } // biome-ignore format: one line
    const reference = (value: object) => ({ kind: 'instance', id: 'x', fields: { items: [...(value as Map<1, 1>)] } }) as const // biome-ignore format: one line
    expect(failure(() => encode(new Bag(), { root: 'x', reference })).code).toBe('VALUE_REFUSED')
    const seen: unknown[] = []
    const instantiate = () => ({ object: {}, fill: (fields: object) => void seen.push(fields) })
    decode(encode(new Own().set(1, 1), { root: 'x', reference }), { instantiate })
    expect(seen).toEqual([{ items: [[1, 1]] }])
  })
})
