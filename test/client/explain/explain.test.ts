import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { explain } from '../../../src/client/explain/explain.ts'
import { removeFolder } from '../../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-explain-test-'))
afterAll(() => removeFolder(folder))

const root = fileURLToPath(new URL('../../..', import.meta.url))

function write(files: Record<string, string>): string[] {
  return Object.entries(files).map(([name, text]) => {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  })
}
write({ 'package.json': '{"type":"module"}' })
mkdirSync(join(folder, 'node_modules'))
for (const name of ['yaml', 'ssh2'])
  symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))

const explained = async (text: string, options: Parameters<typeof explain>[1] = {}, name = 'study.ts') => {
  const [path] = write({ [name]: text })
  return explain(path!, options)
}

test('functions marked by decorator, wrapper, namespace, preset and re-export are found', async () => {
  write({
    'again.ts': `export { cluster as remote } from './own'`,
    'own.ts': `import { cluster } from 'farcall'\nexport { cluster }`,
  })
  const found = await explained(`
    import { cluster as mark } from 'farcall'
    import * as farcall from 'farcall'
    import { remote } from './again'
    const gpu = mark({ gpus: 1 })
    const options = { cores: 2 }
    const preset = mark(options)
    class Study {
      @mark() static async one() {}
      @gpu async two() {}
      @preset async three() {}
      async not() {}
    }
    const four = mark(() => 4)
    const five = farcall.cluster({ cores: 2 }, function five() {})
    const six = remote(options, (x: number) => x)
    const seven = notOurs(() => 7)
    function notOurs(f: Function) { return f }
  `)
  expect(found.map(({ name, form, at }) => [name, form, at.line])).toEqual([
    ['Study.one', 'decorator', 9],
    ['Study.two', 'decorator', 10],
    ['Study.three', 'decorator', 11],
    ['four', 'wrapper', 14],
    ['five', 'wrapper', 15],
    ['six', 'wrapper', 16],
  ])
  expect(found.flatMap(({ refusals }) => refusals)).toEqual([])
})

test('what travels is listed: variables, constants by value or text, sibling files, packages, modules of Node', async () => {
  write({
    'lib.ts': `import { cpus } from 'node:os'
export const scale = 3
export let count = 0
export const bump = () => count++
export const table = Array.from({ length: scale })
export const work = (n: number) => table.length * n * cpus().length + count
export const unused = 1`,
  })
  const [found] = await explained(`import { cluster } from 'farcall'
import { parse } from 'yaml'
import { work } from './lib.ts'
function outer(k: number) {
  const double = (x: number) => x * 2
  return cluster({}, (n: number) => work(double(n)) + k + parse('1'))
}`)
  expect(found!.refusals).toEqual([])
  expect(found!.captured.map(({ name, how, at }) => [name, how, at.line])).toEqual([
    ['double', 'source', 6],
    ['k', 'value', 6],
  ])
  expect(found!.files.flatMap(({ names }) => names.map(({ name, how }) => [name, how]))).toEqual([
    ['scale', 'source'],
    ['count', 'value'],
    ['table', 'value or initialiser'],
    ['work', 'source'],
  ])
  expect(found!.packages).toEqual([
    { name: 'yaml', version: expect.stringMatching(/^2\./), imports: ['parse'] },
  ])
  expect(found!.builtins).toEqual(['node:os'])
})

test.each([
  ['() => { total += 1 }', 26, "assigns to 'total'", 'return the value'],
  ['async () => this.n', 30, "uses 'this'", 'const self = this'],
])('%s is refused with its place and the way out', async (fn, column, why, hint) => {
  const [found] = await explained(`import { cluster } from 'farcall'
class Outer { n = 1; make() {
  let total = 0; void total
  return cluster(${fn}) } }`)
  expect(found!.refusals).toHaveLength(1)
  const [refusal] = found!.refusals
  expect(refusal!.message).toContain(`study.ts:4:${column} `)
  expect(refusal!.message).toContain(why)
  expect(refusal!.hint).toContain(hint)
})

test('an imported function is explained where it stands, and one that nobody can find is refused', async () => {
  write({ 'there.ts': `export function there(n: number) { return n + 1 }` })
  const found = await explained(`import { cluster } from 'farcall'
import { there } from './there.ts'
import { parse } from 'yaml'
export const a = cluster(there)
export const b = cluster({ cores: 1 }, parse)`)
  expect(found.map(({ name, refusals }) => [name, refusals.map(({ code }) => code)])).toEqual([
    ['there', []],
    ['parse', ['CAPTURE_SOURCE_MISSING']],
  ])
  expect(found[0]!.files[0]!.file).toBe(join(folder, 'there.ts'))
})

test('all packages that cannot be bundled are told, not only the first', async () => {
  const [found] = await explained(`import { cluster } from 'farcall'
import ssh2 from 'ssh2'
export const a = cluster(() => ssh2.utils)`)
  expect(found!.refusals).toEqual([])
  expect(found!.externals.map(({ name }) => name)).toContain('ssh2')
})

test('an import that is not there is what bundling says of it', async () => {
  const [found] = await explained(`import { cluster } from 'farcall'
import { x } from 'not-installed'
export const a = cluster(() => x)`)
  expect(found!.refusals.map(({ code }) => code)).toEqual(['BUNDLE_FAILED'])
  expect(found!.refusals[0]!.message).toMatch(/study\.ts: Could not resolve "not-installed"/)
})

test('the content of a bundle adds up to its size', async () => {
  const [found] = await explained(
    `import { cluster } from 'farcall'
import { parse } from 'yaml'
export const a = cluster((text: string) => parse(text + 'ü€'))`,
    { bundle: true },
  )
  const { bytes, content } = found!.bundle!
  expect(content.reduce((sum, one) => sum + one.bytes, 0)).toBe(bytes)
  expect(content[0]!.name).toBe('package:yaml')
  expect(content.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['farcall', join(folder, 'study.ts')]),
  )
})

test('what the Node of the cluster lacks is warned of, by its place; what the user declares or guards is not', async () => {
  const text = `import { cluster } from 'farcall'
export const a = cluster((n: number[]) => {
  const b = structuredClone(n).findLast(Boolean)
  const own = (fetch: number) => fetch
  if (typeof WebSocket === 'undefined') return Object.groupBy(n, String)
  return [b, own, new WebSocket('x'), n.map(String)]
})`
  const at16 = (await explained(text))[0]!.warnings
  expect(at16.map(({ at, message }) => [at.line, at.column, message])).toEqual([
    [3, 13, 'structuredClone needs Node 17 or newer on the cluster'],
    [3, 32, '.findLast() needs Node 18 or newer on the cluster'],
    [5, 48, 'Object.groupBy needs Node 21 or newer on the cluster'],
  ])
  expect((await explained(text, { node: 20 }))[0]!.warnings).toHaveLength(1)
  expect((await explained(text, { node: 22 }))[0]!.warnings).toEqual([])
})
