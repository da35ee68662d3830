import { describe, expect, test } from 'vitest'
import type { Parallel } from '../../../src/capture/loops/loops.ts'
import { program } from './pieces.ts'

interface Case {
  name: string
  text: string
  /** What it is called with; it is run in several chunkings then. */
  args?: unknown[]
  parallel?: Parallel
  /** Other files of the program. */
  more?: Record<string, string>
}

const xs = [3, 1, 4, 1.5, 9, 2.6, 5.3, 0.1, 0.2, 0.7]
const points = [1, 2, 3, 4, 5].map((id) => ({ id, at: [id * 0.1, id * 0.7] }))

/** Functions whose loops are split: `work(...args)` gives the same, whatever the chunks. */
const split: Case[] = [
  {
    name: 'push',
    text: 'async function work(xs) { const out = []; for (const x of xs) out.push(x * 2); return out }',
    args: [xs],
  },
  {
    name: 'push of several',
    text: 'async function work(xs) { const out = []; for (const x of xs) { out.push(x, -x) } return out }',
    args: [xs],
  },
  {
    name: 'push onto what is there',
    text: 'async function work(xs) { const out = [7]; for (const x of xs) { if (x > 2) out.push(x) } out.push(8); return out }',
    args: [xs],
  },
  {
    name: 'indexed writes',
    text: 'async function work(xs) { const out = new Array(xs.length); for (let i = 0; i < xs.length; i++) out[i] = xs[i] ** 2; return out }',
    args: [xs],
  },
  {
    name: 'indexed writes into a typed array',
    text: 'async function work(n) { const out = new Float32Array(n); for (let i = 0; i < n; i++) { out[i] = Math.sin(i) } return out }',
    args: [9],
  },
  {
    name: 'two writes at one index, in order',
    text: 'async function work(xs) { const out = {}; for (const x of xs) out[Math.floor(x)] = x; return out }',
    args: [xs],
  },
  {
    name: 'entries',
    text: 'async function work(xs) { const out = []; for (const [i, x] of xs.entries()) out[i] = x + i; return out }',
    args: [xs],
  },
  {
    name: 'a destructured item',
    text: 'async function work(points) { const out = []; for (const { id, at: [a, b] } of points) out.push(id * a + b); return out }',
    args: [points],
  },
  {
    name: 'let instead of const',
    text: 'async function work(xs) { const out = []; for (let x of xs) { x += 1; out.push(x) } return out }',
    args: [xs],
  },
  {
    name: 'counting down',
    text: 'async function work(n) { const out = []; for (let i = n; i >= 0; i--) out.push(i); return out }',
    args: [7],
  },
  {
    name: 'counting by a variable',
    text: 'async function work(a, b, c) { const out = []; for (let i = a; i <= b; i += c) out.push(i); return out }',
    args: [2, 31, 3],
  },
  {
    name: 'counting by a fraction, to the last bit',
    text: 'async function work(b, c) { const out = []; for (let i = 0; i < b; i += c) out.push(i); return out }',
    args: [2, 0.1],
  },
  {
    name: 'counting what is empty',
    text: 'async function work(n) { const out = []; for (let i = 5; i < n; i++) out.push(i); return out }',
    args: [3],
  },
  {
    name: 'counting with the length kept',
    text: 'async function work(xs) { const out = []; for (let i = 0, n = xs.length; i < n; i++) out.push(xs[i]); return out }',
    args: [xs],
  },
  {
    name: 'counting bigints runs where it stands',
    text: 'async function work() { const out = []; for (let i = 0n; i < 4n; i += 1n) out.push(i); return out }',
    args: [],
  },
  {
    name: 'a float sum, to the last bit',
    text: 'async function work(xs) { let total = 0; for (const x of xs) total += x; return total }',
    args: [xs],
  },
  {
    name: 'a float sum that begins elsewhere',
    text: 'async function work(xs) { let total = 1e16; for (const x of xs) { total += x; total -= 0.3 } return total }',
    args: [xs],
  },
  {
    name: 'a product',
    text: 'async function work(xs) { let p = 1; for (const x of xs) p *= x; return p }',
    args: [xs],
  },
  {
    name: 'a sum written out',
    text: 'async function work(xs) { let s = 0; for (const x of xs) { s = s + x * 0.1 } return s }',
    args: [xs],
  },
  {
    name: 'a text',
    text: "async function work(xs) { let s = ''; for (const x of xs) s += x + ';'; return s }",
    args: [xs],
  },
  {
    name: 'a text that begins as undefined',
    text: 'async function work(xs) { let s; for (const x of xs) s += x; return s }',
    args: [['a', 'b', 'c']],
  },
  {
    name: 'a sum of bigints',
    text: 'async function work(xs) { let s = 0n; for (const x of xs) s += x; return s }',
    args: [[1n, 2n, 3n << 70n]],
  },
  {
    name: 'counting hits',
    text: 'async function work(xs) { let hits = 0; for (const x of xs) if (x > 2) hits++; return hits }',
    args: [xs],
  },
  {
    name: 'counting hits in an inner loop',
    text: 'async function work(xs) { let hits = 0; for (const x of xs) { for (let i = 0; i < 1000; i++) { if ((x * i) % 7 < 3) hits++ } } return hits }',
    args: [xs],
  },
  {
    name: 'counting hits onto a fraction',
    text: 'async function work(xs) { let hits = 0.1; for (const x of xs) { ++hits; hits += 3 } return hits }',
    args: [xs],
  },
  {
    name: 'bits',
    text: 'async function work(xs) { let a = 0, b = -1, c = 5; for (const x of xs) { a |= x; b &= x; c ^= x } return [a, b, c] }',
    args: [[1, 6, 12, 3]],
  },
  {
    name: 'the largest',
    text: 'async function work(xs) { let m = -Infinity, n = Infinity; for (const x of xs) { m = Math.max(m, x); n = Math.min(x, n) } return [m, n] }',
    args: [xs],
  },
  {
    name: 'the largest of none',
    text: 'async function work(xs) { let m = -Infinity; for (const x of xs) { m = Math.max(m, x) } return m }',
    args: [[]],
  },
  {
    name: 'a set',
    text: 'async function work(xs) { const seen = new Set([9]); for (const x of xs) { seen.add(x % 3) } return seen }',
    args: [xs],
  },
  {
    name: 'a map',
    text: 'async function work(xs) { const m = new Map([[1, 0]]); for (const x of xs) { m.set(Math.floor(x), x) } return m }',
    args: [xs],
  },
  {
    name: 'several of them at once',
    text: 'async function work(xs) { const out = [], s = new Set(), m = new Map(); let t = 0; for (const x of xs) { out.push(x); s.add(x); m.set(x, out2(x)); t += x } function out2(x) { return -x } return { out, s, m, t } }',
    args: [xs],
  },
  { name: 'map', text: 'async function work(xs) { const ys = xs.map((x) => x * 2); return ys }', args: [xs] },
  { name: 'map that is returned', text: 'function work(xs) { return xs.map((x, i) => x * i) }', args: [xs] },
  { name: 'map of an arrow without braces', text: 'const work = (xs) => xs.map((x) => ({ x }))', args: [xs] },
  {
    name: 'map with more behind it',
    text: 'async function work(xs) { return xs.map((x) => x * 2).filter((x) => x > 4).length }',
    args: [xs],
  },
  {
    name: 'map with a block',
    text: 'async function work(xs) { const k = 3; const ys = xs.map((x) => { const y = x * k; if (y > 9) return null; return y }); return { ys, k } }',
    args: [xs],
  },
  {
    name: 'map spread into Math.max',
    text: 'async function work(xs) { return Math.max(...xs.map((x) => x * 2)) }',
    args: [xs],
  },
  {
    name: 'map within Promise.all',
    text: 'async function work(xs) { const ys = await Promise.all(xs.map(async (x) => { await null; return x + 1 })); return ys }',
    args: [xs],
  },
  {
    name: 'Promise.all that is returned',
    text: 'const work = (xs) => Promise.all(xs.map(async (x) => x + 1))',
    args: [xs],
  },
  {
    name: 'promises that are not async functions',
    text: 'async function later(x) { return x } async function work(xs) { return await Promise.all(xs.map((x) => later(x))) }',
    args: [xs],
  },
  {
    name: 'map in an object',
    text: 'async function work(xs) { const n = xs.length; return { n, ys: xs.map((x) => x / n) } }',
    args: [xs],
  },
  {
    name: 'map that also adds up',
    text: 'async function work(xs) { let t = 0; const ys = xs.map((x) => { t += x; return x }); return [ys, t] }',
    args: [xs],
  },
  {
    name: 'await in the body',
    text: 'async function later(x) { return x * 2 } async function work(xs) { const out = []; for (const x of xs) { out.push(await later(x)) } return out }',
    args: [xs],
  },
  {
    name: 'await in what stands before and behind',
    text: 'async function load(n) { return Array.from({ length: n }, (_, i) => i) } async function work(n) { const xs = await load(n); const out = []; for (const x of xs) out.push(x); return await load(out.length) }',
    args: [6],
  },
  {
    name: 'await of what it goes over',
    text: 'async function load(n) { return [1, 2, n] } async function work(n) { const out = []; for (const x of await load(n)) out.push(x); return out }',
    args: [6],
  },
  {
    name: 'continue',
    text: 'async function work(xs) { const out = []; for (const x of xs) { if (x < 2) continue; out.push(x) } return out }',
    args: [xs],
  },
  {
    name: 'an inner loop that breaks',
    text: 'async function work(xs) { const out = []; for (const x of xs) { let n = 0; for (;;) { if (n * n > x) break; n++ } out.push(n) } return out }',
    args: [xs],
  },
  {
    name: 'a label of its own',
    text: 'async function work(xs) { const out = []; next: for (const x of xs) { for (const y of xs) { if (y > x) continue next } out.push(x) } return out }',
    args: [xs],
  },
  {
    name: 'switch',
    text: "async function work(xs) { const out = []; for (const x of xs) switch (Math.floor(x)) { case 1: out.push('one'); break; default: out.push('more') } return out }",
    args: [xs],
  },
  {
    name: 'try in the body',
    text: "async function work(xs) { const out = []; for (const x of xs) { try { if (x > 4) throw new Error('large'); out.push(x) } catch (e) { out.push(e.message) } } return out }",
    args: [xs],
  },
  {
    name: 'objects of its own',
    text: 'async function work(xs) { const out = []; for (const x of xs) { const o = { x }; o.y = x * 2; const a = [x]; a.push(1); a.sort(); out.push({ o, a }) } return out }',
    args: [xs],
  },
  {
    name: 'a matrix of its own',
    text: 'async function work(xs) { const out = []; for (const x of xs) { const m = Array.from({ length: 2 }, () => [0, 0]); for (let i = 0; i < 2; i++) { for (let j = 0; j < 2; j++) m[i][j] = x * i + j } out.push(m) } return out }',
    args: [xs],
  },
  {
    name: 'a sorted copy of the item',
    text: 'async function work(points) { const out = []; for (const p of points) { const a = [...p.at].sort(); a.reverse(); out.push(a) } return out }',
    args: [points],
  },
  {
    name: 'forEach on what is its own',
    text: 'async function work(points) { const out = []; let t = 0; for (const p of points) { p.at.forEach((a) => { out.push(a) }); const s = p.at.reduce((a, b) => a + b, 0); t += s } return { out, t } }',
    args: [points],
  },
  {
    name: 'a function of the file',
    text: 'function f(x) { const y = []; y.push(x); return y.length + x } async function work(xs) { const out = []; for (const x of xs) out.push(f(x)); return out }',
    args: [xs],
  },
  {
    name: 'a function that calls itself',
    text: 'function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) } async function work(xs) { const out = []; for (const x of xs) out.push(fib(Math.floor(x))); return out }',
    args: [xs],
  },
  {
    name: 'a function in the function',
    text: 'async function work(xs, k) { const f = (x) => g(x) * k; function g(x) { return x + off } const off = 2; const out = []; for (const x of xs) out.push(f(x)); return { out, last: f(1) } }',
    args: [xs, 3],
  },
  {
    name: 'a class of the file',
    text: 'class P { constructor(x) { this.x = x; this.n = 0 } step() { this.n++; return this.x * this.n } } async function work(xs) { const out = []; for (const x of xs) { const p = new P(x); p.step(); out.push(p.step()) } return out }',
    args: [xs],
  },
  {
    name: 'a function that fills what it is given',
    text: 'function fill(a, x) { a.push(x) } async function work(xs) { const out = []; for (const x of xs) { const a = []; fill(a, x); out.push(a) } return out }',
    args: [xs],
  },
  {
    name: 'two loops',
    text: 'async function work(xs) { const a = []; for (const x of xs) a.push(x * 2); const k = a.length; let t = 0; for (const x of a) t += x / k; return { t, a } }',
    args: [xs],
  },
  {
    name: 'a loop and a map',
    text: 'async function work(xs) { const a = []; for (const x of xs) a.push(x * 2); const b = a.map((x, i) => x - i); return b.map((x) => -x) }',
    args: [xs],
  },
  {
    name: 'an early return that is not taken',
    text: 'async function work(xs) { if (xs.length === 0) return null; const out = []; for (const x of xs) out.push(x); return out }',
    args: [xs],
  },
  {
    name: 'an early return',
    text: 'async function work(xs) { if (xs.length > 2) return xs.length; const out = []; for (const x of xs) out.push(x); return out }',
    args: [xs],
  },
  {
    name: 'one turn',
    text: 'async function work(xs) { const out = []; for (const x of xs) out.push(x); return out }',
    args: [[1]],
  },
  {
    name: 'no turn',
    text: 'async function work(xs) { const out = []; for (const x of xs) out.push(x); return out }',
    args: [[]],
  },
  {
    name: 'defaults and patterns among the parameters',
    text: 'async function work({ xs, k = 2, ...more }, [a, b = 5] = [1], ...rest) { const out = []; for (const x of xs) out.push(x * k + a + b + rest.length); return { out, more, rest } }',
    args: [{ xs, z: 1 }, [3], 7, 8],
  },
  {
    name: 'types',
    text: 'async function work(xs: number[], k?: number): Promise<number[]> { const out: number[] = [], more: Map<string, number> = new Map(); let last!: number | undefined; for (const x of xs as number[]) { out.push((x as number) * (k ?? 2)!) } last = out.length; return [...out, more.size, last] }',
    args: [xs],
  },
  {
    name: 'patterns among the variables',
    text: 'async function work(o) { const { xs, n: { k } } = o, [a, b] = [1, 2]; let c; ({ c } = { c: 4 }); const out = []; for (const x of xs) out.push(x * k + a + b + c); return { out, a, b } }',
    args: [{ xs, n: { k: 2 } }],
  },
  {
    name: 'no semicolons',
    text: 'async function work(xs) {\n  const k = 2\n  const out = []\n  let t = 0\n  for (const x of xs) {\n    out.push(x * k)\n    t += x\n  }\n  return { out, t }\n}',
    args: [xs],
  },
  {
    name: 'use strict',
    text: "async function work(xs) { 'use strict'; const out = []; for (const x of xs) out.push(x); return out }",
    args: [xs],
  },
  {
    name: 'items that know one another',
    text: 'async function work(points) { const out = []; for (const a of points) for (const b of points) if (a !== b) out.push(a.id * b.id); return out }',
    args: [points],
  },
  {
    name: 'items that come back as they were',
    text: 'async function work(points) { const out = []; for (const p of points) if (p.id > 2) out.push(p); out[0].seen = true; return { points, same: out.every((p) => points.includes(p)) } }',
    args: [points],
  },
  {
    name: 'items inside of what comes back',
    text: 'async function work(points) { const out = []; for (const p of points) out.push({ p, at: p.at }); out[1].at.push(5); return { points, same: out.map((o) => o.p.at === o.at) } }',
    args: [points],
  },
  {
    name: 'a table that turns read',
    text: 'async function work(xs, table) { const out = []; for (const x of xs) out.push(table[Math.floor(x)] ?? 0); return out }',
    args: [xs, [1, 2, 3, 4, 5]],
  },
  {
    name: 'the items of a map and a set',
    text: 'async function work(m, s) { const out = []; for (const [k, v] of m) out.push(k + v); for (const x of s) out.push(x); return out }',
    args: [
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
      new Set([1, 2, 3]),
    ],
  },
  {
    name: 'the letters of a text',
    text: 'async function work(t) { const out = []; for (const c of t) out.push(c.toUpperCase()); return out }',
    args: ['aé😀b'],
  },
  {
    name: 'a typed array',
    text: 'async function work(xs) { let t = 0; for (const x of xs) t += x; return t }',
    args: [Float64Array.from(xs)],
  },
  {
    name: 'special numbers',
    text: 'async function work(xs) { const out = []; let t = -0; for (const x of xs) { out.push(-x); t += x } return [out, t] }',
    args: [[0, -0, Number.NaN, Infinity, undefined]],
  },
  {
    name: 'a holey array',
    text: 'async function work(n) { const xs = new Array(n); xs[1] = 5; return xs.map((x) => x + 1) }',
    args: [4],
  },
  {
    name: 'a generator runs where it stands',
    text: 'function* gen(n) { for (let i = 0; i < n; i++) yield i } async function work(n) { const out = []; for (const x of gen(n)) out.push(x); return out }',
    args: [4],
  },
  {
    name: 'a variable that cannot travel',
    text: 'async function work(xs) { const f = [(x) => x * 2]; const out = []; for (const x of xs) { const g = f; out.push(g.length + x) } return out }',
    args: [xs],
  },
  {
    name: 'what turns give cannot travel',
    text: 'async function work(xs) { const out = []; for (const x of xs) out.push(() => x); return out.map((f) => f()) }',
    args: [xs],
  },
  {
    name: 'a frozen array',
    text: 'async function work(xs) { const out = xs.slice(0, 0); for (const x of xs) { if (x > 100) out.push(x) } return Object.isFrozen(out) }',
    args: [xs],
  },
  {
    name: 'a package',
    text: "import { mean } from 'stats'\nasync function work(xs) { const out = []; for (const x of xs) out.push(mean(x)); return out }",
  },
  {
    name: 'a function of another file',
    text: "import { f } from './other.ts'\nasync function work(xs) { const out = []; for (const x of xs) out.push(f(x)); return out }",
    more: { 'other.ts': 'export const f = (x) => g(x); function g(x) { return x }' },
  },
  {
    name: 'a wrapped function',
    text: "import { cluster } from 'farcall'\nconst f = cluster((x) => x * 2)\nasync function work(xs) { const out = []; for (const x of xs) out.push(await f(x)); return out }",
  },
]

/** Functions whose loop is left as it is, with the line and the reason. */
const kept: [text: string, line: string, more?: { parallel?: Parallel; files?: Record<string, string> }][] = [
  [
    'async function work(xs) { let t = 0; const out = []; for (const x of xs) { t += x\nout.push(t) } return out }',
    "2 reads 't' while the loop writes it",
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) { if (!out.includes(x)) out.push(x) } return out }',
    "1 reads 'out' while the loop writes it",
  ],
  [
    'async function work(xs) { const out = [1]; for (let i = 1; i < 9; i++) out[i] = out[i - 1] * 2; return out }',
    "1 reads 'out' while the loop writes it",
  ],
  [
    'async function work(xs) { const out = [0]; for (const x of xs) out[0] += x; return out }',
    "1 changes 'out'",
  ],
  [
    'async function work(xs) { let last; for (const x of xs) { last = x } return last }',
    "1 writes 'last', which one turn leaves to the next",
  ],
  [
    'async function work(xs) { let best = 0; for (const x of xs) { if (x > best) best = x } return best }',
    "1 reads 'best' while the loop writes it",
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) { if (x > 5) break; out.push(x) } return out }',
    '1 `break` ends the loop early',
  ],
  [
    'async function work(xs) { for (const x of xs) { if (x > 5) return x } return 0 }',
    '1 `return` ends the loop early',
  ],
  [
    'async function work(xs) { outer: for (const x of xs) { for (const y of xs) { if (y > x) break outer } } }',
    '1 `break` ends the loop early',
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) { x.done = true; out.push(x) } return out }',
    "1 changes the loop element 'x'",
  ],
  [
    'async function work(xs) { for (const x of xs) { x.list.push(1) } return xs }',
    "1 method 'x.list.push()' changes the loop element 'x'",
  ],
  [
    'async function work(xs) { for (const x of xs) { const y = x.inner; y.n = 1 } return xs }',
    "1 changes 'y', which may be the loop element, or something that outlives the turn",
  ],
  [
    'async function work(xs) { for (const x of xs) { const o = { x }; o.x.n = 1 } return xs }',
    "1 changes 'o', which may be the loop element, or something that outlives the turn",
  ],
  [
    'function get(x) { return x } async function work(xs) { for (const x of xs) { const y = get(x); y.n = 1 } return xs }',
    "1 changes 'y', which may be the loop element, or something that outlives the turn",
  ],
  [
    'function mark(x) { x.n = 1 } async function work(xs) { for (const x of xs) mark(x); return xs }',
    "1 calls 'mark', which changes the loop element 'x'",
  ],
  [
    'const seen = []\nasync function work(xs) { for (const x of xs) seen.push(x); return seen }',
    "2 method 'seen.push()' changes captured 'seen'",
  ],
  [
    'let counter = 0\nasync function work(xs) { for (const x of xs) counter++; return counter }',
    "2 writes captured 'counter'",
  ],
  [
    'let counter = 0\nfunction next() { return counter++ }\nasync function work(xs) { const out = []; for (const x of xs) out.push(next()); return out }',
    "3 calls 'next', which writes module variable 'counter'",
  ],
  [
    'let counter = 0\nconst via = () => next()\nfunction next() { return counter++ }\nasync function work(xs) { const out = []; for (const x of xs) out.push(via()); return out }',
    "4 calls 'via', which calls 'next', which writes module variable 'counter'",
  ],
  [
    "import { imp } from './imp.ts'\nasync function work(xs) { const out = []; for (const x of xs) out.push(imp()); return out }",
    "2 calls 'imp', which writes module variable 'n'",
    { files: { 'imp.ts': 'let n = 0\nexport function imp() { return n++ }' } },
  ],
  [
    'const rng = makeRng()\nasync function work(xs) { const out = []; for (const x of xs) out.push(rng.next()); return out }',
    "2 method 'rng.next()' changes captured 'rng'",
  ],
  [
    'const rng = makeRng()\nasync function work(xs) { const out = []; for (const x of xs) out.push(rng.draw()); return out }',
    "2 method 'rng.draw()' may change captured 'rng'",
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) out.push(x.draw()); return out }',
    "1 method 'x.draw()' may change the loop element 'x'",
  ],
  [
    'async function work(xs, f) { const out = []; for (const x of xs) out.push(f(x)); return out }',
    "1 calls 'f', of which the text does not say what it is",
  ],
  [
    'async function work(xs) { for (const x of xs) { if (x > 2) xs.push(x - 1) } return xs }',
    "1 iterates over 'xs' while writing it",
  ],
  [
    'async function work() { const out = [1]; for (let i = 0; i < out.length; i++) { if (i < 3) out.push(i) } return out }',
    "1 its bound depends on 'out', which the loop changes",
  ],
  [
    'async function work(xs) { for (let i = 0; i < 9; i++) { if (i % 2) i++ } return xs }',
    "1 changes the loop variable 'i'",
  ],
  [
    'async function work(xs) { for (let i = 0, j = 9; i < j; i++, j--) { f(i) } return xs }',
    "1 it does not step 'i' by the same amount each time",
  ],
  [
    'async function work(xs) { for (let i = 1; i < 100; i *= 2) { f(i) } return xs }',
    "1 it does not step 'i' by the same amount each time",
  ],
  [
    'async function work(xs) { for (let i = 0; i < next(); i++) { f(i) } return xs }',
    "1 'next()' may give another value at each turn",
  ],
  [
    'async function work(xs) { let i = 0; while (i < 9) { i++ } return i }',
    '1 a `while` loop has no list of turns',
  ],
  [
    'async function work(xs) { let i = 0; do { i++ } while (i < 9); return i }',
    '1 a `do` loop has no list of turns',
  ],
  [
    'async function work(o) { const out = []; for (const k in o) out.push(k); return out }',
    '1 it goes over keys: take Object.keys() with for…of',
  ],
  [
    'async function work(xs) { const out = []; for await (const x of xs) out.push(x); return out }',
    '1 it waits for each item: `for await` has no list of turns',
  ],
  [
    'async function work(xs) { const out = []; if (xs.length) { for (const x of xs) out.push(x) } return out }',
    '1 stands in an `if`: only a loop at the top of the function is split',
  ],
  [
    'async function work(xs) { const out = []; try { for (const x of xs) out.push(x) } catch {} return out }',
    '1 stands in a `try`: only a loop at the top of the function is split',
  ],
  [
    'async function work(xs) { let x; for (x of xs) f(x); return x }',
    '1 its variable outlives the turn: declare it with const',
  ],
  [
    'async function work(xs) { for (var x of xs) f(x); return x }',
    '1 its variable outlives the turn: declare it with const',
  ],
  [
    'async function work(xs) { for (const x of xs) { var y = x } return y }',
    '1 a `var` stands deeper than the variables of the function',
  ],
  [
    'async function work(xs) { let t = 0; for (const x of xs) { for (const y of x) t += y } return t }',
    "1 adds to 't' in a loop of its own: add up in a variable of the turn first",
  ],
  [
    'async function work(xs) { let t = 0; for (const x of xs) { setTimeout(() => { t += x }, 1) } return t }',
    "1 changes 't' in a function that may run at another time",
  ],
  [
    'async function work(xs) { const out = []; await Promise.all(xs.map(async (x) => { await null; out.push(x) })); return out }',
    "1 changes 'out' in a function that may run at another time",
  ],
  [
    'async function work(xs) { const ps = xs.map(async (x) => x); return Promise.all(ps) }',
    '1 its promises are not awaited at once: put Promise.all around it',
  ],
  [
    'async function work(xs) { return xs.map((x, i, all) => all.length) }',
    '1 its callback takes the whole array',
  ],
  ['async function work(xs) { return xs.map(function (x) { return x }, 1) }', '1 it gives map a `this`'],
  [
    'async function work(xs) { const y = f() + xs.map((x) => x).length; return y }',
    '1 its statement does something else before it, or with it',
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) out.push(arguments.length + x); return out }',
    "1 the function uses 'arguments'",
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) { const n = out.push(x); f(n) } return out }',
    "1 method 'out.push()' changes 'out'",
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) { out.push(x); out[0] = 1 } return out }',
    "1 changes 'out' in more than one way",
  ],
  [
    'async function work(xs) { const out = []; for (const x of xs) { out.unshift(x) } return out }',
    "1 method 'out.unshift()' changes 'out'",
  ],
  ['async function work(xs, o) { for (const x of xs) { o.n = x } return o }', "1 changes 'o'"],
  ['async function work(xs, o) { for (const x of xs) { delete o[x] } return o }', "1 changes 'o'"],
  [
    'async function work(xs, o) { for (const x of xs) { Object.assign(o, x) } return o }',
    "1 calls Object.assign, which changes 'o'",
  ],
  [
    'async function work(xs) { class A {} const out = []; for (const x of xs) out.push(x); return out }',
    "1 declares the class 'A', whose objects cannot travel",
  ],
  [
    "import { currentTask } from 'farcall'\nasync function work(xs) { const out = []; for (const x of xs) out.push(currentTask().random()); return out }",
    "2 calls 'currentTask' of farcall, which knows the job that it runs in",
  ],
  [
    "import { mean } from 'stats'\nasync function work(xs) { const out = []; for (const x of xs) out.push(mean(x)); return out }",
    "2 calls 'mean' of stats, which is not proven pure",
    { parallel: 'strict' },
  ],
  [
    'let cache\nasync function work(xs) { cache = xs.length; const out = []; for (const x of xs) out.push(x + cache); return out }',
    "2 the code before it writes 'cache', which is not the function's own",
  ],
  [
    'const cache = new Map()\nfunction load(n) { cache.set(n, 1); return [n] }\nasync function work(n) { const xs = load(n); const out = []; for (const x of xs) out.push(x); return out }',
    "3 the code before it calls 'load', which changes module variable 'cache'",
  ],
  ['async function* work(xs) { for (const x of xs) yield x }', '1 the function is a generator'],
  [
    'const helper = { n: 0, up() { return this.n++ } }\nasync function work(xs) { const out = []; for (const x of xs) out.push(helper.up()); return out }',
    "2 method 'helper.up()' may change captured 'helper'",
  ],
  [
    'let n = 0\nclass P { constructor() { n++ } }\nasync function work(xs) { const out = []; for (const x of xs) { new P(); out.push(x) } return out }',
    "3 makes a 'P', which writes module variable 'n'",
  ],
  [
    'let n = 0\nfunction up(x) { n++; return x }\nasync function work(xs) { const out = []; for (const x of xs) out.push([x].map(up)); return out }',
    "3 calls 'up', which writes module variable 'n'",
  ],
]

// What is read or changed by way of functions.
kept.push(
  [
    'async function work(xs) { let t = 0; const now = () => t; const out = []; for (const x of xs) { t += x; out.push(now()) } return out }',
    "1 calls 'now', which reads 't' while the loop writes it",
  ],
  [
    'async function work(xs) { const out = []; function size() { return more() } const more = () => out.length; for (const x of xs) { if (size() < 3) out.push(x) } return out }',
    "1 calls 'size', which reads 'out' while the loop writes it",
  ],
  [
    'async function work(xs, f) { const out = []; for (const x of xs) out.push([x].map(f)); return out }',
    "1 calls 'f', of which the text does not say what it is",
  ],
  [
    'async function work(xs, f) { const out = []; for (const x of xs) out.push(f.call(null, x)); return out }',
    "1 method 'f.call()' may change 'f'",
  ],
  [
    'async function work(xs) { const log = []; for (const x of xs) { Array.prototype.push.call(log, x) } return log }',
    "1 method 'Array.prototype.push.call()' may change the global 'Array'",
  ],
  [
    'async function work(xs) { const f = (x) => f.seen; f.seen = xs.length; const out = []; for (const x of xs) out.push(f(x)); return out }',
    "1 the code before it changes the function 'f', of which each piece has its own",
  ],
  [
    'class Study { static async work(xs) { this.n = 5; const out = []; for (const x of xs) out.push(x + this.n); return out } }',
    '1 the code before it changes its class, of which each piece has its own',
  ],
)

describe('split, and as if they had run in order', () => {
  test.each(split)('$name', async ({ text, args, parallel = 'auto', more }) => {
    const work = program(text, parallel, more)
    expect(
      work.lines.filter((line) => line.endsWith(' split')),
      work.lines.join(),
    ).not.toHaveLength(0)
    if (!args) return
    const wanted = await work.plain(args)
    for (const chunk of [1, 2, 3, 1000])
      expect((await work.split!(args, chunk)).value, `chunks of ${chunk}`).toEqual(wanted)
  })
})

describe('left as they are', () => {
  test.each(kept)('%s', (text, line, { parallel = 'auto', files } = {}) => {
    const work = program(text, parallel, files)
    expect(work.lines[0]).toBe(line)
    expect(work.split).toBeUndefined()
  })
})

test('there are more than 80 of them', () => {
  expect(split.length + kept.length).toBeGreaterThan(130)
})
