import { expect, test } from 'vitest'
import { analyze } from '../../src/capture/analyze/analyze.ts'

/** What the text gives to localMap: the function's own text, or how it is known. */
function given(text: string): (string | undefined)[] {
  const { threads, functions } = analyze('/x/study.ts', text, (from) => from === 'farcall')
  return threads.map(({ fn, name, hidden }) => {
    if (fn === undefined) return name
    const { start, end } = functions[fn]!
    return text.slice(start, end) + (hidden === undefined ? '' : ` but ${hidden}`)
  })
}

test('calls of localMap are found however it is imported', () => {
  const named = "import { localMap } from 'farcall'\n"
  expect(given(`${named}localMap([1], (x) => x)`)).toEqual(['(x) => x'])
  expect(given("import { localMap as spread } from 'farcall'\nspread([1], (x) => x, {})")).toEqual([
    '(x) => x',
  ])
  expect(given("import * as f from 'farcall'\nf.localMap([1], function (x) { return x })")).toEqual([
    'function (x) { return x }',
  ])
  expect(given("import f from 'farcall'\nf.localMap([1], (x) => x)")).toEqual(['(x) => x'])
  expect(given("const { localMap } = require('farcall')\nlocalMap([1], (x) => x)")).toEqual(['(x) => x'])
  expect(given("const f = require('farcall')\n;(0, f.localMap)([1], (x) => x)")).toEqual(['(x) => x'])
  expect(given("const f = __importStar(require('farcall'))\n;(0, f.localMap)([1], (x) => x)")).toEqual([
    '(x) => x',
  ])
})

test('other functions of that name are left alone', () => {
  expect(given("import { localMap } from 'other'\nlocalMap([1], (x) => x)")).toEqual([])
  expect(given("import { map } from 'farcall'\nmap.localMap([1], (x) => x)")).toEqual([])
  expect(
    given("import { localMap } from 'farcall'\n{ const localMap = (a, f) => f; localMap([1], (x) => x) }"),
  ).toEqual([])
  expect(given("import { localMap } from 'farcall'\nlocalMap([1])")).toEqual([])
})

test('names stand for what they are declared as', () => {
  const named = "import { localMap } from 'farcall'\nimport { far } from './far.ts'\nfunction near() {}\n"
  const body = (text: string) => given(`${named}export async function run(xs) {\n${text}\n}`)
  expect(body('return localMap(xs, far)')).toEqual(['far'])
  expect(body('return localMap(xs, near as never)')).toEqual(['near'])
  expect(body('const k = 1; const f = (x) => x * k; return localMap(xs, f)')).toEqual(['(x) => x * k'])
  expect(body('function f(x) { return x } return localMap(xs, f)')).toEqual(['function f(x) { return x }'])
  // Which function it is shows only when it runs.
  expect(body('return localMap(xs, xs.f)')).toEqual([undefined])
  expect(body('let f = (x) => x; f = near; return localMap(xs, f)')).toEqual([undefined])
  expect(body('const k = 1; const f = (x) => x * k; { const k = 2; return localMap(xs, f) }')).toEqual([
    '(x) => x * k but k',
  ])
  expect(
    body('const k = 1; const g = (x) => k; const f = (x) => g(x); { const k = 2; return localMap(xs, f) }'),
  ).toEqual(['(x) => g(x) but k'])
})
