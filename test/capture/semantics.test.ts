import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readMap } from '../../src/capture/cache.ts'
import { snapshot } from '../../src/capture/snapshot.ts'
import { folder, here, runElsewhere } from './run.ts'

class Point {
  constructor(
    public x: number,
    public y: number,
  ) {}
}
const shared = { n: 1 }

class Tally {
  static seen = 0
  constructor(readonly n: number) {}
  get total() {
    return this.n + shared.n + Tally.seen
  }
}

class Initialised {
  static ready: boolean
  static {
    this.ready = true
  }
}

function make(k: number) {
  return async (x: number) => x * k
}

async function hashOf(fn: Function, options = {}): Promise<string> {
  return (await snapshot(fn, '', options).bundle()).hash
}

describe('a snapshot', () => {
  it('sends what the values were at the call, whatever happens after it', async () => {
    const box = { v: 1 }
    const fn = async (arg: { v: number }) => [box.v, shared.n, arg.v]
    const arg = { v: 1 }
    const ran = await runElsewhere(fn, here(), [arg], {
      between: () => {
        box.v = 2
        shared.n = 2
        arg.v = 2
      },
    })
    expect(ran.result).toEqual([1, 1, 1])
  })

  it('gives the same bundle for other values', async () => {
    expect(await hashOf(make(1))).toBe(await hashOf(make(2)))
    const [one, two] = [await runElsewhere(make(2), '', [5]), await runElsewhere(make(3), '', [5])]
    expect([one.result, two.result]).toEqual([10, 15])
  })

  it('rebuilds instances of a captured class in a result', async () => {
    const fn = async () => new Point(1, 2)
    const ran = await runElsewhere(fn, here(), [])
    expect(ran.result).toBeInstanceOf(Point)
    expect(ran.result).toEqual(new Point(1, 2))
  })

  it('keeps objects that two captured variables share one object', async () => {
    const a = { list: [1] }
    const b = { a }
    const ran = await runElsewhere(async () => b.a === a, here(), [])
    expect(ran.result).toBe(true)
  })

  it('has equal values for calls whose arguments bring the same classes and functions along', async () => {
    const k = 2
    const fn = async (x: unknown) => x
    const shots = [1, 2].map((n) => {
      const shot = snapshot(fn, here())
      shot.encode([new Tally(n), (x: number) => x * k + shared.n], 'call')
      return shot
    })
    expect(Buffer.compare(shots[0]!.values(), shots[1]!.values())).toBe(0)
    expect((await shots[0]!.bundle()).hash).toBe((await shots[1]!.bundle()).hash)
  })

  it('refuses new code after the bundle was made', async () => {
    const shot = snapshot(async (x: unknown) => x, here())
    await shot.bundle()
    expect(() => shot.encode([1, 'two'], 'call')).not.toThrow()
    expect(() => shot.encode([() => shared], 'call')).toThrow(/already made/)
  })

  it('is compiled for the Node that will run it', async () => {
    const codeFor = async (node?: number) => {
      const fn = async () => ({ made: new Initialised() })
      const { code } = await snapshot(fn, here()).bundle(node)
      return Buffer.from(code).toString()
    }
    expect(await codeFor()).not.toMatch(/static \{/)
    expect(await codeFor(16)).toBe(await codeFor())
    expect(await codeFor(22)).toMatch(/static \{/)
  })

  it('says where esbuild failed, in the file of the user', async () => {
    const fn = async () => (await import('./nowhere-to-be-found.js' as string)) ?? require('./nowhere.js')
    await expect(snapshot(fn, here()).bundle()).rejects.toThrow(
      /semantics\.test\.ts:\d+:\d+: Could not resolve/,
    )
  })
})

describe('the disk cache', () => {
  it('finds the map of a bundle again', async () => {
    const cacheDir = join(folder, 'cache')
    const { hash, map } = await snapshot(async () => shared, here(), { cacheDir }).bundle()
    expect(JSON.parse(readMap(hash, cacheDir)!)).toEqual(JSON.parse(map))
    expect(readMap('0'.repeat(64), cacheDir)).toBeUndefined()
  })

  it('has names of files only in the map, not in the code', async () => {
    const fn = async () => shared
    const { code, map } = await snapshot(fn, here()).bundle()
    expect(Buffer.from(code).toString()).not.toContain(process.cwd())
    expect(JSON.parse(map).sources).toContain(import.meta.filename)
  })
})
