import { EventEmitter } from 'node:events'
import { createReadStream, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { snapshot } from '../../src/capture/snapshot.ts'
import { FarcallError } from '../../src/core/errors.ts'
import { folder } from './run.ts'

function mark<F extends Function>(fn: F): { fn: F; site: string } {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, mark)
  return { fn, site: holder.stack! }
}

function refusal(marked: { fn: Function; site: string }, args: unknown[] = []): FarcallError {
  try {
    snapshot(marked.fn, marked.site).encode({ args }, 'call')
  } catch (error) {
    expect(error).toBeInstanceOf(FarcallError)
    return error as FarcallError
  }
  throw new Error('it was not refused')
}

let moduleCounter = 0
const touch = () => moduleCounter++

describe('what cannot travel is refused at the call', () => {
  it('names file, line, column and variable of a socket, and a way out', () => {
    const socket = new Socket()
    const error = refusal(mark(() => socket.destroy()))
    expect(error.code).toBe('CAPTURE_REFUSED')
    expect(error.message).toMatch(
      /^refusals\.test\.ts:\d+:\d+ captured 'socket': a net\.Socket cannot travel\n {2}hint: open it inside the function$/,
    )
  })

  it('names the path inside a value', () => {
    const data = { list: [1, { when: Promise.resolve(1) }] }
    expect(refusal(mark(() => data)).message).toContain(
      "captured 'data'.list[1].when: a Promise cannot travel",
    )
  })

  it.each([
    ['a stream', createReadStream('/dev/null')],
    ['a WeakMap', new WeakMap()],
    ['a symbol', Symbol('x')],
    ['an emitter of Node', new EventEmitter()],
    ['a proxy', new Proxy({}, {})],
    ['a function bound to a socket', function f() {}.bind(new Socket())],
    ['an iterator', [1][Symbol.iterator]()],
  ])('%s', (_, value) => {
    const captured = value
    expect(refusal(mark(() => captured)).message).toMatch(/captured 'captured'(\.self)?: .* cannot travel/)
  })

  it('this, super and arguments of what is around an arrow', () => {
    class Base {
      value() {
        return 1
      }
    }
    class Derived extends Base {
      arrow() {
        return mark(() => this.value())
      }
      parent() {
        return mark(() => super.value())
      }
      args(..._: number[]) {
        // biome-ignore lint/complexity/noArguments: it is what is tested
        return mark(() => arguments.length)
      }
    }
    const it = new Derived()
    expect(refusal(it.arrow()).message).toContain("uses 'this'")
    expect(refusal(it.parent()).message).toContain("uses 'super'")
    expect(refusal(it.args(1)).message).toContain("uses 'arguments'")
  })

  it('this in an arrow that is found in a value', () => {
    class Button {
      label = 'x'
      press = () => this.label
    }
    const { press } = new Button()
    expect(refusal(mark(() => press())).message).toContain("uses 'this'")
  })

  it('a captured variable that the function assigns to', () => {
    let count = 0
    const error = refusal(
      mark(() => {
        count++
      }),
    )
    expect(error.message).toMatch(/assigns to 'count' outside of it/)
    expect(count).toBe(0)
  })

  it('a variable that two travelling closures share and one changes', () => {
    let count = 0
    const bump = () => ++count
    const get = () => count
    expect(refusal(mark(() => [bump(), get()])).message).toContain("shares 'count'")
  })

  it('an argument that cannot travel, with its path', () => {
    const error = refusal(
      mark((x: unknown) => x),
      [{ a: [new Socket()] }],
    )
    expect(error.message).toContain('call.args[0].a[0]: a net.Socket cannot travel')
  })

  it('native and bound functions', () => {
    expect(refusal({ fn: Math.max, site: '' }).message).toContain('native code')
    const { fn } = mark(() => touch())
    expect(refusal({ fn: fn.bind(null), site: '' }).message).toContain('it is bound')
  })

  it('a function without a source', () => {
    const made = vm.runInThisContext('(a => a + 1)', { filename: join(folder, 'gone.js') }) as Function
    // V8 still has the text of an evaluated function
    expect(snapshot(made, '').name).toBeTruthy()
    writeFileSync(join(folder, 'min.js'), '')
    const lost = vm.runInThisContext('(a => a + 1)\n//# sourceMappingURL=missing.js.map', {
      filename: join(folder, 'min.js'),
    }) as Function
    expect(refusal({ fn: lost, site: '' }).code).toBe('CAPTURE_SOURCE_MISSING')
  })
})

describe('a #private member that was compiled to a WeakMap, without a source map', () => {
  it('is refused with the advice to build with source maps', () => {
    const _hidden = new WeakMap<object, number>()
    const lowered = mark(() => _hidden)
    expect(() => snapshot(lowered.fn, lowered.site)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("captured '_hidden': a WeakMap cannot travel"),
        hint: expect.stringContaining('sourcemap: true'),
      }),
    )
    const seen = new WeakMap<object, number>()
    const own = mark(() => seen)
    expect(() => snapshot(own.fn, own.site)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('send a Map') }),
    )
  })
})
