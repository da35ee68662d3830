import fc from 'fast-check'
import { expect, test } from 'vitest'
import { program } from './pieces.ts'

/** Pieces of programs: some depend on one another, some do not; the analysis has to find out. */
const value = fc.constantFrom(
  'x',
  'i',
  'k',
  'x * k',
  'x + 0.1',
  'local',
  'Math.sin(x)',
  'o.n',
  'helper(x)',
  '-x',
  'table[i % 3]',
  'now()',
  'size()',
  '[x].map(helper)[0]',
)
const condition = fc.constantFrom(
  'x > 2',
  'i % 2 === 0',
  'local < 3',
  'true',
  'x !== first',
  'out.length < 4',
  'total < 5',
)

const statement: fc.Arbitrary<string> = fc.letrec<{ one: string }>((tie) => ({
  one: fc.oneof(
    { weight: 5, arbitrary: value.map((v) => `out.push(${v})`) },
    { weight: 3, arbitrary: value.map((v) => `total += ${v}`) },
    { weight: 2, arbitrary: value.map((v) => `more[i] = ${v}`) },
    { weight: 2, arbitrary: value.map((v) => `seen.add(${v})`) },
    { weight: 2, arbitrary: fc.tuple(value, value).map(([a, b]) => `map.set(${a}, ${b})`) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('hits++', 'hits -= 2', 'most = Math.max(most, x)', 'text = text + x'),
    },
    { weight: 2, arbitrary: value.map((v) => `local = ${v}`) },
    { weight: 1, arbitrary: value.map((v) => `o.n = ${v}`) },
    { weight: 1, arbitrary: value.map((v) => `mine.n = ${v}; out.push(mine.n)`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('out.push({ x, list: [x] })', 'out.push(item)', 'out.push([item, table])'),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'total = out.length',
        'last = x',
        'k = x',
        'out.pop()',
        'more[0] = i',
        'more[i % 2] = x',
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('break', 'continue', 'return 7', 'bump()', 'touch(item)', 'fill(mine)'),
    },
    { weight: 1, arbitrary: fc.tuple(condition, tie('one')).map(([c, s]) => `if (${c}) { ${s} }`) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(condition, tie('one'), tie('one'))
        .map(([c, a, b]) => `if (${c}) { ${a} } else { ${b} }`),
    },
    { weight: 1, arbitrary: tie('one').map((s) => `for (let j = 0; j < 3; j++) { ${s} }`) },
    {
      weight: 1,
      arbitrary: tie('one').map(
        (s) => `[1, 2].forEach((y) => { ${s.replace(/break|continue/g, 'hits++')} })`,
      ),
    },
    {
      weight: 1,
      arbitrary: tie('one').map((s) => `try { ${s}; if (x > 5) throw x } catch (e) { local = e }`),
    },
  ),
})).one

const head = fc.constantFrom(
  'for (const [i, x] of xs.entries()) { const item = items[i];',
  'for (let i = 0; i < xs.length; i++) { const x = xs[i], item = items[i];',
  'for (let i = 1; i < 6; i += 2) { const x = xs[i] ?? 0, item = items[i] ?? items[0];',
  'for (const item of items) { const x = item.n, i = item.i;',
)
const loop = fc
  .tuple(head, fc.array(statement, { minLength: 1, maxLength: 4 }))
  .map(([first, body]) => `${first} let local = x; const mine = { n: 0 }; ${body.join('; ')} }`)
const between = fc.constantFrom(
  '',
  'k = out.length',
  'const first2 = out[0]',
  'total *= 2',
  'if (out.length > 30) return out',
  'items[0].n = 5',
)

const text = fc.tuple(fc.array(fc.tuple(between, loop), { minLength: 1, maxLength: 3 }), between).map(
  ([loops, end]) => `
let counter = 0
function bump() { counter++ }
function touch(o) { o.n = 9 }
function fill(o) { o.n = 3 }
async function work(xs, items) {
  let k = 2
  const helper = (x) => x + k
  const table = [1, 2, 3], first = xs[0], out = [], more = {}, seen = new Set(), map = new Map(), o = { n: 1 }
  const now = () => total, size = () => more2()
  const more2 = () => out.length
  let total = 0.1, hits = 0, most = 0, text = '', last
  ${loops.map(([a, b]) => `${a.replace('first2', `f${b.length}`)}\n${b}`).join('\n')}
  ${end}
  return { k, out, more, seen, map, o, total, hits, most, text, last, items, counter, same: out.map((one) => items.indexOf(one)) }
}`,
)

/** Each turn goes on from the one before. */
const inOrder = 'async function work(xs) { let k = 1; for (const x of xs) { k = x - k / 2 } return k }'

test('what is split gives what it gave in order', async () => {
  let splits = 0
  let runs = 0
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.array(fc.constantFrom(0.1, 0.2, 0.7, 1, 2, 3, 5.5, 1e16), { maxLength: 7 }),
      fc.integer({ min: 1, max: 4 }),
      async (source, xs, chunk) => {
        runs++
        const items = Array.from({ length: Math.max(1, xs.length) }, (_, i) => ({
          n: xs[i] ?? 0,
          i,
          list: [],
        }))
        const work = program(source)
        if (!work.split) return
        splits++
        const args = [xs, items]
        const wanted = await work.plain(args).then(
          (value) => ({ value }),
          (error) => ({ error: String(error) }),
        )
        const got = await work.split(args, chunk).then(
          ({ value }) => ({ value }),
          (error) => ({ error: String(error) }),
        )
        expect(got, `${source}\n${work.text}`).toEqual(wanted)
      },
    ),
    {
      numRuns: Number(process.env['FARCALL_FUZZ_RUNS'] ?? 40),
      // Of forty by chance, all may be split: four of five are.
      examples: [[inOrder, [1, 2, 3], 1]],
      ...(process.env['FARCALL_FUZZ_SEED'] && { seed: Number(process.env['FARCALL_FUZZ_SEED']) }),
    },
  )
  // Both kinds come up, or the test proves nothing.
  expect(splits).toBeGreaterThan(runs / 10)
  expect(splits).toBeLessThan(runs)
}, 1_200_000)
