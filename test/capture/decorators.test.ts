import { describe, expect, it } from 'vitest'
import type { CaptureOptions } from '../../src/capture/types.ts'
import { cluster } from '../../src/index.ts'
import { runElsewhere } from './run.ts'

const N = 2
const options = () => ({ cores: process.pid > 0 ? 1 : 2 })

class Base {
  protected scale = 10
  describe() {
    return `scale ${this.scale}`
  }
}

class Study extends Base {
  static factor = 3
  offset = 1
  #hidden = 5

  @cluster(options())
  static async simulate(x: number): Promise<number> {
    return (await Study.second(x)) * Study.factor + N
  }

  @cluster({ cores: 1 })
  static async second(x: number): Promise<number> {
    return x
  }

  @cluster()
  async run(x: number): Promise<unknown> {
    return [x + this.offset + this.#hidden, super.describe(), await this.other()]
  }

  @cluster()
  async other(): Promise<number> {
    return this.#hidden++
  }
}

const single = cluster({ cores: 1 }, (x: number) => x + N)

interface Marked {
  fn: Function
  site: string
  method?: NonNullable<CaptureOptions['method']>
}
const target = (value: unknown) => Reflect.get(value as object, Symbol.for('farcall.target')) as Marked

describe('functions marked by cluster()', () => {
  it('a static method runs with its class, and calls other remote methods inline', async () => {
    const { fn, site, method } = target(Study.simulate)
    const ran = await runElsewhere(fn, site, [4], { method: method! })
    expect(ran.error?.stack).toBeUndefined()
    expect(ran.result).toBe(14)
    expect(ran.code).not.toContain('process.pid')
  })

  it('an instance method has its object, with #private fields and super', async () => {
    const study = new Study()
    study.offset = 100
    const { fn, site, method } = target(study.run)
    const ran = await runElsewhere(fn, site, [1], { method: method!, self: study })
    expect(ran.error?.stack).toBeUndefined()
    expect(ran.result).toEqual([106, 'scale 10', 5])
  })

  it('a wrapped function, and one that is captured by another', async () => {
    const { fn, site } = target(single)
    expect((await runElsewhere(fn, site, [1])).result).toBe(3)
    const local = cluster({ cores: 1 }, (x: number) => x * 10)
    const outer = target(
      cluster({ cores: 1 }, async (x: number) => [await local(x), await single(x), await local.map([1, 2])]),
    )
    expect((await runElsewhere(outer.fn, outer.site, [1])).result).toEqual([10, 3, [10, 20]])
  })
})
