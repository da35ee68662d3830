import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { builtPackage } from './built.ts'

const { folders, write, start, farcall } = builtPackage()

test('a TypeScript program runs with its arguments, stdin and exit code', async () => {
  write({
    'plain.ts': `import { text } from 'node:stream/consumers'
enum Color { Red = 3 }
const said: string = await text(process.stdin)
console.log(JSON.stringify([said, process.argv.slice(2), process.env['FARCALL_PROFILE'], process.argv[1] === import.meta.filename]))
console.error('words')
process.exitCode = Color.Red`,
  })
  expect(
    await farcall(['run', '--profile', 'hpc', 'plain.ts', '--', '--seed', '42', '-x'], { stdin: 'hello' }),
  ).toEqual({
    stdout: `["hello",["--seed","42","-x"],"hpc",${JSON.stringify(folders.user === realpathSync(folders.user))}]\n`,
    stderr: 'words\n',
    code: 3,
    signal: null,
  })
  const { stdout } = await farcall(['run', 'plain.ts', 'a', '--profile', '--', 'b'])
  expect(JSON.parse(stdout)[1]).toEqual(['a', '--profile', '--', 'b'])
})

/** Tells where it was called, from the string of the stack, as a capture does. */
const here = `export function here(): string {
  const line = new Error().stack!.split('\\n')[2]!
  return line.match(/([^/]+:\\d+:\\d+)\\)?$/)![1]!
}
export function mark(options: object) {
  const at = here2()
  return (...of: any[]): any => { console.log(typeof of[1] === 'string' ? 'legacy' : of[1].kind, at) }
}
function here2(): string {
  const line = new Error().stack!.split('\\n')[3]!
  return line.match(/([^/]+:\\d+:\\d+)\\)?$/)![1]!
}
`

const decorated = `import { here, mark } from './here'

interface   Wide { a: number;   b: string }   // types that vanish move what follows

class Study<T extends Wide = Wide> {
  private readonly n: number = 1
      @mark({ cores: 8 })
  static async simulate(seed: number): Promise<number> { return seed }
}
type Gone = { x: 1 }; const x: Gone = { x: 1 }; console.log('call', here())
  console.log('inner', [1].map((n: number): string => { return here() })[0])
void Study; void x
`

test.each([
  ['TC39', {}, 'method'],
  ['legacy', { compilerOptions: { experimentalDecorators: true } }, 'legacy'],
])(
  'the stack gives exact lines and columns of TypeScript, with %s decorators',
  async (dialect, tsconfig, kind) => {
    write({
      [`${dialect}/tsconfig.json`]: tsconfig,
      [`${dialect}/src/study.ts`]: decorated,
      [`${dialect}/src/here.ts`]: here,
      // Of the folder the program is started from; it must not count.
      'elsewhere/tsconfig.json': { compilerOptions: { experimentalDecorators: dialect === 'TC39' } },
    })
    const lines = decorated.split('\n')
    const at = (text: string) => {
      const line = lines.findIndex((candidate) => candidate.includes(text))
      return `study.ts:${line + 1}:${lines[line]!.indexOf(text) + 1}`
    }
    expect(await farcall(['run', `../${dialect}/src/study.ts`], { cwd: 'elsewhere' })).toEqual({
      stdout: `${kind} ${at('mark({')}\ncall ${at('here())')}\ninner ${at('here() }')}\n`,
      stderr: '',
      code: 0,
      signal: null,
    })
  },
)

test('imports are found without an ending, by .js, by folder, as JSON, by paths, and in packages', async () => {
  write({
    'imports/tsconfig.json': { compilerOptions: { paths: { '@lib/*': ['./lib/*'] } } },
    'imports/lib/a.ts': `export const a: string = 'a'`,
    'imports/lib/deep/index.ts': `export const deep: string = 'deep'`,
    'imports/lib/m.mts': `export const m: string = 'm'`,
    'imports/lib/c.cts': `const c: string = 'c'\nmodule.exports = { c }`,
    'imports/data.json': { value: 'json' },
    'imports/node_modules/dep/package.json': { name: 'dep', main: 'x.js' },
    'imports/node_modules/dep/x.js': `exports.dep = 'dep'`,
    'imports/main.ts': `import { a } from './lib/a'
import { a as again } from './lib/a.js'
import { deep } from './lib/deep'
import { m } from './lib/m.mjs'
import c from './lib/c.cjs'
import data from './data.json'
import { a as alias } from '@lib/a'
import { dep } from 'dep'
import { createRequire } from 'node:module'
import { type Config, defineConfig } from 'farcall'
const config: Config = defineConfig({})
const { deep: lazy } = await import('./lib/deep/index.ts')
console.log(a, again, deep, m, c.c, data.value, alias, dep, lazy, typeof createRequire, Object.keys(config).length)`,
  })
  const { stdout, stderr, code } = await farcall(['run', 'imports/main.ts'])
  expect({ stdout, stderr, code }).toEqual({
    stdout: 'a a deep m c json a dep deep function 0\n',
    stderr: '',
    code: 0,
  })
})

test('a file without "type": "module" may use require, __dirname and __filename', async () => {
  write({
    'loose/esm.ts': `import { basename } from 'node:path'\nconsole.log(basename(__filename), basename(__dirname), require('node:path').sep)`,
    'loose/cjs.ts': `const path: typeof import('node:path') = require('node:path')\nmodule.exports = {}\nconsole.log(path.basename(__filename))`,
  })
  expect((await farcall(['run', 'loose/esm.ts'])).stdout).toBe('esm.ts loose /\n')
  expect((await farcall(['run', 'loose/cjs.ts'])).stdout).toBe('cjs.ts\n')
})

test('worker threads and forked processes run TypeScript too', async () => {
  write({
    'threads/worker.ts': `import { parentPort } from 'node:worker_threads'
const answer: number = 42
if (parentPort) parentPort.postMessage(answer); else process.send!(answer)`,
    'threads/main.ts': `import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
const url = new URL('./worker.ts', import.meta.url)
console.log((await once(new Worker(url), 'message'))[0], (await once(fork(url), 'message'))[0])`,
  })
  expect(await farcall(['run', 'threads/main.ts'])).toMatchObject({ stdout: '42 42\n', stderr: '', code: 0 })
})

test('an error of the program is told once, as Node tells it, at the TypeScript line', async () => {
  write({
    'throws.ts': `type A = 1\n\nfunction fail(): never {\n  throw new RangeError('too far')\n}\nfail()\n`,
  })
  const { stdout, stderr, code } = await farcall(['run', 'throws.ts'])
  expect({ stdout, code }).toEqual({ stdout: '', code: 1 })
  expect(stderr.match(/RangeError: too far/g)).toHaveLength(1)
  expect(stderr).toMatch(/throws\.ts:4:9\)/)
  expect(stderr).toMatch(/throws\.ts:6:1\b/)
  expect(stderr).not.toContain('error CODE')
})

test('a program that does not compile is told with its place', async () => {
  write({ 'broken.ts': 'const a = 1\nconst b = = 2\n' })
  const { stderr, code } = await farcall(['run', 'broken.ts'])
  expect(code).toBe(1)
  expect(stderr).toContain('broken.ts:2:11\nconst b = = 2\n          ^\n')
  expect(stderr.match(/Unexpected "="/g)).toHaveLength(1)
})

test('an import that is not there is told as Node tells it', async () => {
  write({ 'lacks.ts': `import './not-there'\n` })
  const { stderr, code } = await farcall(['run', 'lacks.ts'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/ERR_MODULE_NOT_FOUND/)
  expect(stderr).toContain(join(folders.user, 'lacks.ts'))
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s reaches the program, once', async (signal) => {
  write({
    'signals.ts': `let count: number = 0
process.on('${signal}', () => { count++; setTimeout(() => { console.log('got', count); process.exit(7) }, 100) })
setInterval(() => {}, 1000)
console.log('ready')`,
    'default.ts': `setInterval(() => {}, 1000); console.log('ready')`,
  })
  const handled = start(['run', 'signals.ts'])
  let said = ''
  handled.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await once(handled.stdout, 'data')
  handled.kill(signal)
  expect(await once(handled, 'close')).toEqual([7, null])
  expect(said).toBe('ready\ngot 1\n')

  const unhandled = start(['run', 'default.ts'])
  await once(unhandled.stdout, 'data')
  unhandled.kill(signal)
  expect(await once(unhandled, 'close')).toEqual([null, signal])
})

test('a program that is not there is an error with a hint', async () => {
  const { stderr, code } = await farcall(['run', 'none.ts'])
  expect(code).toBe(2)
  expect(stderr).toBe(
    'error OPTION_INVALID: none.ts: there is no such file\n  hint: give the path of a program: farcall run study.ts\n  see: docs/errors/OPTION_INVALID.md\n',
  )
})
