import { describe, expect, it } from 'vitest'
import { snapshot } from '../../src/capture/snapshot.ts'
import { here, runElsewhere } from './run.ts'

class Pool {
  static #taken = 0
  static #names: string[] = []
  static take(name: string): number {
    Pool.#names.push(name)
    return ++Pool.#taken
  }
  static names(): string[] {
    return Pool.#names
  }
}
Pool.take('home')

class Temperature {
  ran = false
  constructor(readonly kelvin: number) {
    this.ran = true
  }
  static [Symbol.for('farcall.revive')](object: Temperature, fields: { kelvin: number }): void {
    Object.assign(object, { kelvin: fields.kelvin, revived: true })
  }
}

describe('classes', () => {
  it('static #private fields are what they are at the call', async () => {
    const fn = async () => [Pool.take('away'), Pool.names()]
    expect((await runElsewhere(fn, here(), [])).result).toEqual([2, ['home', 'away']])
  })

  it('a class says how its instances are put together again', async () => {
    const warm = new Temperature(300)
    const fn = async () => ({ ...warm, same: warm instanceof Temperature })
    expect((await runElsewhere(fn, here(), [])).result).toEqual({ kelvin: 300, revived: true, same: true })
  })
})

describe('bound functions', () => {
  it('keep what they are bound to', async () => {
    const scale = { by: 3 }
    const times = function times(this: { by: number }, x: number, y: number) {
      return (x + y) * this.by
    }.bind(scale, 1)
    const made = { join: Array.prototype.join.bind(['a', 'b']) }
    const fn = async (x: number) => [times(x), times.name, times.length, made.join('-')]
    const ran = await runElsewhere(fn, here(), [2])
    expect(ran.error?.stack).toBeUndefined()
    expect(ran.result).toEqual([9, 'bound times', 1, 'a-b'])
  })

  it('construct what they are bound to', async () => {
    const Warm = Temperature.bind(null, 300)
    const fn = async () => new Warm().kelvin
    expect((await runElsewhere(fn, here(), [])).result).toBe(300)
  })
})

function cluster<F extends Function>(fn: F): { fn: F; with: () => { fn: F } } {
  return { fn, with: () => ({ fn }) }
}

describe('the name of a snapshot', () => {
  const nameOf = ({ fn }: { fn: Function }) => snapshot(fn, '').name

  it('is that of what the function was made into', () => {
    const run = cluster((n: number) => n)
    const other = cluster((n: number) => n + 1).with()
    const holder = { field: cluster((n: number) => n + 2), set: run }
    class Study {
      static measure = cluster((n: number) => n + 3)
    }
    holder.set = cluster((n: number) => n + 4)
    expect([run, other, holder.field, Study.measure, holder.set].map(nameOf)).toEqual([
      'run',
      'other',
      'field',
      'measure',
      'set',
    ])
  })

  it("is the function's own when it has one", () => {
    const run = cluster(function own() {})
    expect(nameOf(run)).toBe('own')
    expect([(n: number) => n * 3].map((fn) => nameOf({ fn }))).toEqual(['anonymous'])
  })
})
