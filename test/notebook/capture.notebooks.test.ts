import { afterAll, describe, expect, it } from 'vitest'
import { executeNotebook, makeDesk, writeNotebook } from './desk.ts'
import { printed } from './kernel.ts'

const desk = makeDesk()
afterAll(desk.remove)

/** Each cell with what it prints. */
const session: readonly (readonly [string, string | RegExp])[] = [
  [
    `import { chunk } from 'lodash'
import _ from 'lodash'
import * as path from 'node:path'
const early: number = 7
function earlyHelper(x: number): number { return x + early }
enum Early { A = 'aa' }
class EarlyBox { #v = 3; get v() { return this.#v } }
function loud(target: any, key: string, d: PropertyDescriptor) {
  const was = d.value
  d.value = function () { return 'loud ' + was.call(this) }
}
class EarlyGreeter { @loud hi() { return 'hi' } }`,
    '',
  ],
  [
    `import { cluster } from 'farcall'
import { sum } from 'lodash-es'
const k = 5
function helper(x: number): number {
  return x * k + early
}
enum Mode { A = 'a', B = 'b' }
class Tally {
  #n = 1
  add(n: number) { this.#n += n; return this }
  get n() { return this.#n }
}
let n = 0`,
    '',
  ],
  [
    `interface Nothing { a: string }
const tally = new Tally().add(2)
const box = new EarlyBox()
const all = (x: number) => [
  chunk([1, 2, 3], 2).length, helper(x), tally.n, new Tally().n, Mode.B, path.basename('a/b'), _.sum([1, 2]),
  sum([3, 4]), earlyHelper(1), Early.A, box.v, new EarlyBox().v,
]
const f = cluster({}, all)
const [there, here] = [await f(2), all(2)]
console.log(JSON.stringify(there) === JSON.stringify(here), JSON.stringify(there))`,
    'true [2,17,3,1,"b","b",3,7,8,"aa",3,3]\n',
  ],
  [
    `class Study {
  static scale: number = 3
  @cluster({ time: '1m' })
  static async run(x: number): Promise<number> { return x * Study.scale + k }
  constructor(readonly base: number) {}
  @cluster()
  async add(x: number): Promise<number> { return this.base + x }
}
console.log(await Study.run(2), await new Study(40).add(2))`,
    '11 42\n',
  ],
  ['function helper(x: number): number { return 1000 + x }', ''],
  ['console.log((await f(2))[1], await cluster({}, (x: number) => helper(x))(1))', '1002 1001\n'],
  [
    `const bad = cluster({}, (x: number) => {
  const y: number = x
  if (y > 0)
    throw new RangeError('no ' + y)
})
await bad(1).catch((error: Error) => console.log(error.stack.split('\\n').slice(0, 2).join()))`,
    /^RangeError: no 1, +at \(?cell 7, line 4\)?\n$/,
  ],
  [
    `n = 4
console.log(await cluster({}, (x: number) => x + n).map([1, 2, 3]))
await cluster({}, () => { n++ })().catch((error: Error) => console.log(error.message.split('\\n')[0]))`,
    /^\[ 5, 6, 7 \]\ncell 8, line 3 the function assigns to 'n' outside of it/,
  ],
  [`const server = (await import('node:net')).createServer()`, ''],
  [
    `await cluster({}, () => server)().catch((error: Error) => console.log(error.message.split('\\n')[0]))`,
    /^cell 10, line 1 captured 'server': a server cannot travel/,
  ],
  [
    `class Base { #n = 1; get n() { return this.#n } static made = 0; constructor() { (this.constructor as any).made++ } }
class Greeter extends Base { @loud hi() { return 'hi' + this.n } }
const greeter = new Greeter()`,
    '',
  ],
  [
    `class Far extends Greeter { @cluster() async far() { return [this.hi(), greeter.hi(), Greeter.made] } }
console.log(await new Far().far(), await cluster({}, (x: Base) => [x.n, x instanceof Greeter])(greeter))`,
    "[ 'loud hi1', 'loud hi1', 1 ] [ 1, true ]\n",
  ],
  [
    `await cluster({}, () => new EarlyGreeter().hi())().catch((error: Error) => console.log(error.message))`,
    /^compiled cell \d+\.js:\d+:1 'EarlyGreeter' was changed after .*\n +hint: import farcall in the first cell/,
  ],
]

describe('functions of cells, in tslab', () => {
  it('run there as here, and are named by cell and line', async () => {
    writeNotebook(
      desk,
      'capture.ipynb',
      session.map(([source]) => source),
    )
    const outputs = await executeNotebook(desk, 'capture.ipynb')
    for (const [index, [, expected]] of session.entries()) {
      expect(printed(outputs[index]!, 'stderr'), `cell ${index + 1}`).toBe('')
      if (typeof expected === 'string') expect(printed(outputs[index]!)).toBe(expected)
      else expect(printed(outputs[index]!)).toMatch(expected)
    }
  })
})
