import { rmSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { buildLibrary, runProject, writeProject } from './project.ts'

const library = buildLibrary('user-decorators')
afterAll(() => rmSync(library))

const legacy = '{"compilerOptions":{"experimentalDecorators":true}}'
const marks = "import { cluster } from 'farcall'\n"

const outcome = (files: Record<string, string>) => runProject(writeProject(files), library)['far']!

/** Runs there as it does here. */
function expectSame(files: Record<string, string>, value: unknown): void {
  const { refused, stack, answer, local } = outcome(files)
  expect(refused && stack).toBeUndefined()
  expect(answer?.error?.stack).toBeUndefined()
  expect(JSON.parse(local!)).toEqual(value)
  expect(answer!.json).toBe(local)
}

describe('decorators of the program, experimentalDecorators', () => {
  const loud = `(target: object, key: string, d: PropertyDescriptor) => {
  const was = d.value
  d.value = function (...args: unknown[]) { return words + was.apply(this, args) }
}
`
  const body = `
class Greeter { @loud hi() { return 'hi' } }
function tagged(type: { tag?: string }) { type.tag = 'T' }
@tagged class Box { static tag?: string; static size = words.length }
const shown = (target: object, key: string) => Object.defineProperty(target, key, { get: () => words, set() {} })
class Shape { @shown declare p: string }
const key = 'k' + words
class Keyed { [key]() { return 'keyed' } }
export const far = cluster(async () => [new Greeter().hi(), Box.tag, Box.size, new Shape().p, (new Keyed() as any)[key]()])
`
  it('run again there', () => {
    expectSame(
      { 'tsconfig.json': legacy, 'main.ts': `${marks}const words = 'loud '\nconst loud = ${loud}${body}` },
      ['loud hi', 'T', 5, 'loud ', 'keyed'],
    )
  })

  it('that hold what is known only here are run once it is there', () => {
    const main = `${marks}let words = ''
words = ['loud'].join() + ' '
const make = (words: string) => ${loud}const loud = make(words)${body}`
    expectSame({ 'tsconfig.json': legacy, 'main.ts': main }, ['loud hi', 'T', 5, 'loud ', 'keyed'])
  })
})

it('what runs while a class is defined has changed its values once, there as here', () => {
  const main = `${marks}
const seen: string[] = []
let count = 0
const next = () => ++count
const note = (target: object, key: string | undefined, at: number) => { seen.push(key + ':' + at) }
class Numbered {
  static id = next()
  static { seen.push('static') }
  constructor(@note readonly n: number) {}
}
export const far = cluster(async () => [new Numbered(3).n, Numbered.id, count, seen])`
  expectSame({ 'tsconfig.json': legacy, 'main.ts': main }, [3, 1, 1, ['static', 'undefined:0']])
})

it('what a decorator was made of, and nothing knows any more, is refused', () => {
  const main = `${marks}let words = ''
words = ['loud'].join()
const named = (words: string) => (type: unknown) => { (type as { words: string }).words = words }
@named(words) class Box { static words: string }
export const far = cluster(async () => Box.words)`
  expect(outcome({ 'tsconfig.json': legacy, 'main.ts': main }).refused).toMatch(
    /main\.ts:2:5 'words' is assigned to after its declaration, and cannot be read any more/,
  )
})

describe('decorators of the program, TC39', () => {
  const body = `
class Greeter { @loud hi() { return 'hi' } @loud accessor size = 'XL' }
function tagged<T extends { tag?: string }>(type: T) { type.tag = 'T' }
@tagged class Box { static tag?: string }
export const far = cluster(async () => [new Greeter().hi(), Box.tag])
`
  const loud = `(was: any, { kind }: { kind: string }): any =>
  kind === 'method' ? function (this: unknown, ...args: unknown[]) { return words + was.apply(this, args) } : undefined
`
  it('run again there', () => {
    expectSame({ 'main.ts': `${marks}const words = 'loud '\nconst loud = ${loud}${body}` }, ['loud hi', 'T'])
  })

  it('that hold what is known only here are run once it is there', () => {
    const main = `${marks}let words = ''
words = ['loud'].join() + ' '
export const wordsNow = () => words
const make = (words: string) => ${loud}const loud = make(words)${body}`
    expectSame({ 'main.ts': main }, ['loud hi', 'T'])
  })
})

describe('what something changed after its definition is refused', () => {
  const compiled = `const __decorate = (decorators, target, key) => {
  const d = Object.getOwnPropertyDescriptor(target, key)
  for (const one of decorators) one(target, key, d)
  Object.defineProperty(target, key, d)
}
`
  it.each([
    ['a decorator that a compiler took out', `__decorate([loud], Greeter.prototype, 'hi')`, 'hi'],
    ['a method', `Greeter.prototype.hi = () => 'ho'`, 'hi'],
    ['a method of the class', `Greeter.make = () => 1`, 'make'],
    ['what is added to it', `Object.assign(Greeter.prototype, { hey() { return 'hey' } })`, 'hey'],
    ['a getter', `Object.defineProperty(Greeter.prototype, 'size', { get: () => 1 })`, 'size'],
  ])('%s', (_, change, key) => {
    const main = `${marks}${compiled}
const loud = (target, key, d) => { const was = d.value; d.value = function () { return 'loud ' + was.call(this) } }
class Greeter { hi() { return 'hi' } get size() { return 0 } static make() { return new Greeter() } }
${change}
export const far = cluster(async () => new Greeter().hi())`
    expect(outcome({ 'main.js': main }).refused).toMatch(
      new RegExp(
        `main\\.js:9:1 'Greeter' was changed after its definition: its text says nothing of this '${key}'\n  hint: JavaScript shows no decorators: compile with source maps`,
      ),
    )
  })

  it('but not what it changes itself', () => {
    const main = `${marks}
class Greeter { static { this.prototype.words = 'hi'; this.prototype.hi = function () { return this.words } } }
let Tagged = class Tagged { size() { return 1 } }
Tagged = ((type) => { type.tag = 'T' })(Tagged) || Tagged
export const far = cluster(async () => [new Greeter().hi(), Tagged.tag, new Tagged().size()])`
    expectSame({ 'main.js': main }, ['hi', 'T', 1])
  })

  it('but not a method of ours, an accessor or a field', () => {
    const main = `${marks}
class Greeter {
  static #made = 0
  static words = 'hi'
  static counted = () => Greeter.#made
  static get made() { return Greeter.#made }
  static async far() { return 1 }
  get [Symbol.toStringTag]() { return 'Greeter' }
  async *all() { yield 1 }
  async hi() { Greeter.#made++; return [Greeter.words, Greeter.made, String(this)] }
}
Greeter.far = cluster(Greeter.far)
Greeter.words = 'ho'
export const far = cluster(async () => new Greeter().hi())`
    expectSame({ 'main.js': main }, ['ho', 1, '[object Greeter]'])
  })
})
