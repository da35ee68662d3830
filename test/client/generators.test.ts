import { transformSync } from 'esbuild'
import { expect, test } from 'vitest'
import { isGenerator } from '../../src/client/generators.ts'

const generators = [
  'async function* (n) { yield n }',
  'async function* named() { yield 1 }',
  'function* () { yield 1 }',
]
const others = [
  'async (n) => n',
  'function () { return 1 }',
  "() => '__asyncGenerator('",
  'async function f() {}',
]

const made = (text: string, target: string) =>
  new Function(
    `${transformSync(`globalThis.made = ${text}`, { target }).code}; return globalThis.made`,
  )() as Function

test.each(['esnext', 'es2017'])('a generator function is known as one, compiled for %s', (target) => {
  expect(generators.map((text) => isGenerator(made(text, target)))).toEqual([true, true, true])
  expect(others.map((text) => isGenerator(made(text, target)))).toEqual([false, false, false, false])
})

test('one that TypeScript compiled for an old target is known, with its helpers here or imported', () => {
  const own = new Function(
    '__asyncGenerator',
    'return function f() { return __asyncGenerator(this, arguments, function* f_1() { }) }',
  )
  const imported = new Function(
    'tslib_1',
    'return function (a) { return tslib_1.__asyncGenerator(this, arguments, function* () { }) }',
  )
  expect([own({}), imported({})].map(isGenerator)).toEqual([true, true])
})
