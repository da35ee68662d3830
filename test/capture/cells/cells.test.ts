import { runInThisContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noteNext } from '../../../src/capture/cells/cells.ts'
import { cellModule, isCell } from '../../../src/capture/cells/compiled.ts'
import { snapshot } from '../../../src/capture/snapshot.ts'
import { mapStack } from '../../../src/capture/stack.ts'
import { runElsewhere } from '../run.ts'

const shared: Record<string, unknown> = {}
const holder = globalThis as { __tslab__?: unknown }
let cells = 0

const compiled = (text: string) =>
  `(function(exports, require) { ${text}\n})(__tslab__.exports, __tslab__.require)`

/** Runs what tslab makes of a cell; `typed` when farcall was there to see what it was. */
function cell(text: string, typed?: string): void {
  cells++
  const number = cells
  if (typed !== undefined) noteNext({ number: () => number, text: typed })
  runInThisContext(compiled(text))
}

beforeAll(() => {
  holder.__tslab__ = { exports: shared, require: () => ({}) }
})
afterAll(() => {
  delete holder.__tslab__
})

const fnOf = (name: string) => shared[name] as (...args: unknown[]) => unknown

describe('cells of a notebook, as tslab runs them', () => {
  it('what tslab made of a cell is told from other scripts', () => {
    expect(isCell(compiled('exports.k = 1;'))).toBe(true)
    expect(isCell('(function(exports, require) { })(exports, require)')).toBe(false)
  })

  it('names of other cells become names that nothing declares, and all stays in its place', () => {
    const text = compiled('exports.a = exports.f = void 0;\nconst f = (x) => exports.k + x;\nexports.f = f;')
    const module = cellModule(text)
    expect(module).toHaveLength(text.length)
    expect(module.split('\n').map((line) => line.trim())).toEqual([
      '',
      'const f = (x) =>         k + x;',
      '',
      '',
    ])
    expect(module.indexOf('k + x')).toBe(text.indexOf('k + x'))
  })

  it('takes along what other cells declared, known by what was typed or by what was compiled', async () => {
    cell(
      'exports.early = exports.Box = void 0;\nconst early = 2;\nexports.early = early;\nclass Box { #v = 3; get v() { return this.#v + early; } }\nexports.Box = Box;\nfunction twice(x) { return x * early; }\nexports.twice = twice;',
    )
    cell(
      'var Mode;\nexports.Mode = Mode;\n(function (Mode) { Mode["A"] = "a"; })(Mode || (exports.Mode = Mode = {}));\nfunction helper(x) { return exports.twice(x) + 1; }\nexports.helper = helper;',
      "enum Mode { A = 'a' }\n\nfunction helper(x: number): number {\n  return twice(x) + 1\n}",
    )
    cell(
      'const box = new exports.Box();\nexports.box = box;\nconst fn = (x) => [exports.helper(x), box.v, exports.Mode.A, new exports.Box().v];\nexports.fn = fn;',
      'const box = new Box()\nconst fn = (x: number): unknown[] => [helper(x), box.v, Mode.A, new Box().v]',
    )
    expect((await runElsewhere(fnOf('fn'), '', [4])).result).toEqual(fnOf('fn')(4))
  })

  it('a cell that is run again sends what it then says', async () => {
    const typed = (k: number) => `const again = (x: number) => x + ${k}`
    for (const k of [1, 2]) {
      cell(`const again = (x) => x + ${k};\nexports.again = again;`, typed(k))
      expect((await runElsewhere(fnOf('again'), '', [1])).result).toBe(1 + k)
    }
  })

  it('a function that another cell declared anew is the new one', async () => {
    cell('function name1() { return "old"; }\nexports.name1 = name1;', 'function name1() { return "old" }')
    cell('const use = () => exports.name1();\nexports.use = use;', 'const use = () => name1()')
    expect((await runElsewhere(fnOf('use'), '', [])).result).toBe('old')
    cell('function name1() { return "new"; }\nexports.name1 = name1;', 'function name1() { return "new" }')
    expect((await runElsewhere(fnOf('use'), '', [])).result).toBe('new')
  })

  it('names the cell and the line as it was typed', async () => {
    cell(
      'const bad = (x) => {\n  if (x > 0) throw new RangeError("no"); };\nexports.bad = bad;',
      '// a comment\ninterface Gone { a: string }\nconst bad = (x: number) => {\n  if (x > 0)\n    throw new RangeError("no")\n}',
    )
    const { error, map } = await runElsewhere(fnOf('bad'), '', [1])
    expect(mapStack(error!.stack, map).split('\n')[1]).toMatch(
      new RegExp(`^\\s+at .*\\bcell ${cells}, line 5\\)?$`),
    )
  })

  it('refuses an assignment to a variable of another cell, and says where', () => {
    cell('let n = 0;\nexports.n = n;', 'let n = 0')
    cell(
      'const [count] = [() => { exports.n++; }];\nexports.count = count;',
      '\nconst [count] = [() => { n++ }]',
    )
    expect(() => snapshot(fnOf('count'), '')).toThrow(
      new RegExp(`^cell ${cells}, line 2 the function assigns to 'n' outside of it`),
    )
  })
})
