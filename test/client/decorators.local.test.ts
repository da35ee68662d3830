import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, remote } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-decorators-'))

beforeAll(() => {
  configure({
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work` } },
    defaultProfile: 'here',
  })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

class Model {
  static factor = 10
  readonly #secret = 7
  readonly history: number[] = []
  scale: number

  constructor(scale: number) {
    this.scale = scale
    if (scale < 0) throw new Error('the constructor does not run on the node')
  }

  @cluster()
  static async times(n: number) {
    return n * this.factor
  }

  @cluster({ time: '5m' })
  async run(n: number) {
    this.history.push(n)
    return { value: n * this.scale + this.#secret, history: [...this.history], pid: process.pid }
  }

  @cluster()
  async twice(n: number) {
    const first = await this.run(n)
    const second = await this.run(first.value)
    return { value: second.value, pids: [first.pid, second.pid, process.pid] }
  }

  describe() {
    return `model of ${this.scale}`
  }

  @cluster()
  async described() {
    return this.describe()
  }
}

class Special extends Model {
  static override factor = 100

  override describe() {
    return `special ${super.describe()}`
  }
}

describe('a decorated method', () => {
  it('runs a static method with its class as this, and a subclass where that was called', async () => {
    expect(await Model.times(2)).toBe(20)
    expect(await Special.times(2)).toBe(200)
  })

  it('sends the instance with its fields and #private fields, and leaves ours as it was', async () => {
    const model = new Model(3)
    model.history.push(1)
    const { value, history, pid } = await model.run(5)
    expect(value).toBe(22)
    expect(history).toEqual([1, 5])
    expect(pid).not.toBe(process.pid)
    expect(model.history).toEqual([1])
  })

  it('calls other decorated methods inline, in the process where it is', async () => {
    const { value, pids } = await new Model(2).twice(1)
    expect(value).toBe(25)
    expect(new Set(pids).size).toBe(1)
  })

  it('follows overriding methods, and super', async () => {
    expect(await new Model(1).described()).toBe('model of 1')
    expect(await new Special(1).described()).toBe('special model of 1')
  })

  it('keeps its name and length', () => {
    expect(Model.times.name).toBe('times')
    expect(Model.times.length).toBe(1)
  })
})

describe('remote', () => {
  it('gives a static method what a wrapped function has', async () => {
    expect(await remote(Model.times).map([1, 2, 3])).toEqual([10, 20, 30])
    expect(await remote(Special, 'times').map([1, 2])).toEqual([100, 200])
    expect(await remote(Model, 'times').local(4)).toBe(40)
  })

  it('binds an instance', async () => {
    const model = new Model(2)
    const results = await remote(model, 'run').map([1, 2])
    expect(results.map(({ value }) => value)).toEqual([9, 11])
    expect(await remote(model, 'run').with({ cores: 1 }).script(1)).toContain('job')
  })

  it('refuses what is not marked', () => {
    expect(() => remote(new Model(1), 'describe' as never)).toThrow(/not marked with @cluster/)
  })
})

describe('what cannot be decorated', () => {
  it('is a getter, or a field', () => {
    expect(() => {
      class Wrong {
        // @ts-expect-error a getter is no method
        @cluster()
        get value() {
          return 1
        }
      }
      return Wrong
    }).toThrow(/@cluster on value: it is a getter/)
  })
})
