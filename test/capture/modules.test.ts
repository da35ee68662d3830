import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { afterAll, describe, expect, it } from 'vitest'
import { readMap } from '../../src/capture/cache.ts'
import { survey } from '../../src/capture/survey/survey.ts'
import { buildLibrary, runProject, writeProject } from './project.ts'
import { folder } from './run.ts'

const library = buildLibrary('modules')
afterAll(() => rmSync(library))

/** What a program gives here and elsewhere must be one. */
function same(files: Parameters<typeof writeProject>[0], name: string) {
  const outcome = runProject(writeProject(files), library)[name]!
  expect(outcome.stack).toBeUndefined()
  expect(outcome.answer?.error?.stack).toBeUndefined()
  expect(outcome.answer!.json).toBe(outcome.local)
  return { result: JSON.parse(outcome.local!), code: readFileSync(outcome.code!, 'utf8') }
}

function refused(files: Parameters<typeof writeProject>[0], name: string): string {
  return runProject(writeProject(files), library)[name]!.refused ?? 'it was not refused'
}

const head = "import { cluster } from 'farcall'\n"

describe('import.meta', () => {
  it('is that of the file at home', () => {
    const { result, code } = same(
      {
        'src/where.ts': 'export const here = () => import.meta.url\n',
        'main.ts': `${head}import { here } from './src/where.js'
const make = (file: string) => () => file
const named = make(import.meta.filename)
export const f = cluster(() => [import.meta.url, import.meta.dirname, here(), named()])`,
      },
      'f',
    )
    expect(result[2]).toMatch(/^file:.*\/src\/where\.js$/)
    expect(code).not.toContain('/capture-')
  })

  it('takes files along that new URL() names', () => {
    const files = {
      'data/a b.csv': '1,2',
      'src/read.ts': `import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
const top = fileURLToPath(new URL('../data/a%20b.csv', import.meta.url))
export const read = () => [readFileSync(new URL('../data/a%20b.csv', import.meta.url), 'utf8'), readFileSync(top, 'utf8')]\n`,
      'main.ts': `${head}import { read } from './src/read.js'\nexport const f = cluster(() => read())`,
    }
    const root = writeProject(files)
    const outcome = runProject(root, library)['f']!
    expect(outcome.stack).toBeUndefined()
    expect(outcome.answer?.error?.stack).toBeUndefined()
    expect(outcome.answer?.json).toBe('["1,2","1,2"]')
  })

  it('takes workers along', () => {
    same(
      {
        'src/twice.ts': 'export const twice = (x: number): number => x * 2\n',
        'src/w.ts': `import { parentPort, workerData } from 'node:worker_threads'
import { twice } from './twice.js'
parentPort!.postMessage(twice(workerData))\n`,
        'main.ts': `${head}import { Worker } from 'node:worker_threads'
export const f = cluster(() => new Promise((resolve, reject) => {
  const worker = new Worker(new URL('./src/w.js', import.meta.url), { workerData: 21 })
  worker.once('message', resolve)
  worker.once('error', reject)
}))`,
      },
      'f',
    )
  })

  it('takes workers along whose URL is kept in a variable first', () => {
    same(
      {
        'w.ts': `import { parentPort, workerData } from 'node:worker_threads'
const half: number = 2
parentPort!.postMessage(workerData * half)\n`,
        'main.ts': `${head}import { Worker } from 'node:worker_threads'
export const f = cluster(() => new Promise((resolve, reject) => {
  const url = new URL('./w.js', import.meta.url)
  const worker = new Worker(url, { workerData: 21 })
  worker.once('message', resolve)
  worker.once('error', reject)
}))`,
      },
      'f',
    )
  })

  it('compiles a TypeScript worker that a variable names, and leaves TypeScript that is read as it is', async () => {
    const root = writeProject({
      'w.ts': 'const n: number = 1\nexport default n\n',
      'main.ts': `${head}export const f = cluster(() => { const url = new URL('./w.ts', import.meta.url); return new Worker(url) })
export const g = cluster(() => { const url = new URL('./w.ts', import.meta.url); return String(url) })`,
    })
    const explained = await Promise.all(survey(join(root, 'main.ts')).map((s) => s.bundle!({ node: 20 })))
    const shipped = explained.map(({ code }) => {
      const [, data] = /asset\("[^"]*",\s*"([^"]*)"\)/.exec(Buffer.from(code).toString())!
      return Buffer.from(data!, 'base64').toString()
    })
    expect(shipped[0]).not.toContain(': number')
    expect(shipped[1]).toContain('const n: number = 1')
  })

  it('is refused where it says what no bundle has, with the way to it', () => {
    const text = refused(
      {
        'main.ts': `${head}const find = (x: string) => import.meta.resolve(x)\nexport const f = cluster(() => find('x'))`,
      },
      'f',
    )
    expect(text).toMatch(
      /main\.ts:2:29 uses import\.meta\.resolve, which cannot travel \(f → find\)\n {2}hint:/,
    )
    expect(
      refused(
        { 'main.ts': `${head}export const f = cluster(() => new URL('./no.csv', import.meta.url).href)` },
        'f',
      ),
    ).toContain('the file ./no.csv does not exist')
  })
})

describe('modules that run for their effects', () => {
  const main = `${head}import './setup.js'\nimport { add } from './add.js'\nexport const f = cluster(() => [add(1), (globalThis as any).ready])`

  it('come along with what is declared beside them', () => {
    same(
      {
        'setup.ts': ';(globalThis as any).ready = true\n',
        'add.ts': 'export const add = (x: number) => x + 1\n',
        'main.ts': main,
      },
      'f',
    )
  })

  it('run after the values that they need are there, and share them', () => {
    same(
      {
        'state.ts': 'export const state = { n: 1, ready: false }\nexport const bump = () => ++state.n\n',
        'setup.ts':
          "import { state } from './state.js'\n;(globalThis as any).ready = state.n > 0\nstate.ready = true\n",
        'add.ts':
          "import { state, bump } from './state.js'\nexport const add = (x: number) => [x + state.n, state.ready, bump()]\n",
        'main.ts': `${main.replace('[add(1)', '[(add(1), 0)')}\nimport { bump } from './state.js'\nbump()`,
      },
      'f',
    )
  })

  it('are refused when they are also taken in parts', () => {
    expect(
      refused(
        {
          'setup.ts': ';(globalThis as any).ready = true\nexport const add = (x: number) => x + 1\n',
          'main.ts': `${head}import './setup.js'\nimport { add } from './setup.js'\nexport const f = cluster(() => add(1))`,
        },
        'f',
      ),
    ).toMatch(/setup\.[jt]s:1:1 is imported for its effects, and for what it exports/)
  })
})

describe('state of modules', () => {
  it('travels whatever way it is imported', () => {
    const { result } = same(
      {
        'a.ts':
          'export let n = 1\nexport const list: number[] = []\nexport const grow = () => { n++; list.push(n) }\n',
        'b.ts': 'export default { rate: 1 }\n',
        'c.ts': 'export default (x: number) => x + 1\n',
        'd.ts': 'export default class { x = 1 }\n',
        'e.ts': 'export default function () { return 7 }\n',
        'all.ts':
          "export * from './a.js'\nexport { default as conf } from './b.js'\nexport * as inner from './a.js'\n",
        'data.json': '{"k":1}',
        'main.ts': `${head}import * as a from './a.js'
import { n, list } from './all.js'
import * as all from './all.js'
import conf from './b.js'
import inc from './c.js'
import D from './d.js'
import seven from './e.js'
import data from './data.json' with { type: 'json' }
a.grow()
conf.rate = 5
data.k = 9
export const f = cluster(() => [a.n, a.list, n, list, a.list === list, all.n, conf, inc(1), inc.name, new D().x, seven(), seven.name, data])`,
      },
      'f',
    )
    expect(result.slice(0, 4)).toEqual([2, [2], 2, [2]])
  })

  it('of text is its text: as a bundler made it, and with ?raw', () => {
    const root = writeProject({
      'query.txt': 'select 1',
      'query.sql': 'select 2',
      'main.ts': `${head}import text from './query.txt'
import sql from './query.sql'
import raw from './query.sql?raw'
export const f = cluster(() => [text, sql, raw])`,
    })
    buildSync({
      entryPoints: [join(root, 'main.ts')],
      bundle: true,
      sourcemap: true,
      format: 'esm',
      packages: 'external',
      loader: { '.sql': 'text' },
      outfile: join(root, 'built.js'),
    })
    // the stack must say that it is a bundle, since the program is the driver
    const { f } = runProject(root, library, 'built.js', undefined, [])
    expect(f?.refused).toBeUndefined()
    expect(f?.answer?.json).toBe('["select 1","select 2","select 2"]')
  })

  it('of text is its text by `with`, where the program cannot be asked', async () => {
    const root = writeProject({
      'query.txt': 'select 1',
      'query.sql': 'select 2',
      'data.json': '{"k":1}',
      'main.ts': `${head}import text from './query.txt'
import sql from './query.sql' with { type: 'text' }
import data from './data.json' with { type: 'json' }
export const f = cluster(() => [text, sql, data.k])`,
    })
    const [found] = survey(join(root, 'main.ts'))
    const { code } = await found!.bundle!({ node: 20 })
    const built = Buffer.from(code).toString()
    expect(built).toContain('"select 1"')
    expect(built).toContain('"select 2"')
  })

  it('of CommonJS files that change is refused, of others it is theirs', () => {
    const main = `${head}import legacy from './legacy.cjs'\nexport const f = cluster(() => legacy.next(1))`
    expect(
      refused(
        { 'legacy.cjs': 'let n = 0\nmodule.exports = { next: (x) => (n += x) }\n', 'main.ts': main },
        'f',
      ),
    ).toContain("legacy.cjs:1:5 'n' changes while the program runs, and a CommonJS file begins anew")
    same({ 'legacy.cjs': 'const n = 4\nmodule.exports = { next: (x) => n + x }\n', 'main.ts': main }, 'f')
    expect(
      refused({ 'legacy.cjs': 'module.exports = { next: () => __dirname }\n', 'main.ts': main }, 'f'),
    ).toContain('legacy.cjs:1:32 uses __dirname')
  })
})

describe('modules reached while the function runs', () => {
  it('by import() begin there, and share what came in parts', () => {
    same(
      {
        'late.ts':
          "import { unit } from './unit.js'\nlet calls = 0\nexport const call = () => [++calls, unit]\n",
        'unit.ts': 'export const unit = { name: "m" }\nexport const named = () => unit.name\n',
        'main.ts': `${head}import { named, unit } from './unit.js'
unit.name = 'km'
export const f = cluster(async () => { const late = await import('./late.js'); return [late.call()[1], late.call()[1] === unit, named()] })`,
      },
      'f',
    )
  })

  it('by import() of a package, of Node and of JSON', () => {
    same(
      {
        'data.json': '{"k":1}',
        'main.ts': `${head}export const f = cluster(async () => [(await import('lodashish')).sum([1, 2]), (await import('node:path')).join('a', 'b'), (await import('./data.json', { with: { type: 'json' } })).default.k])`,
      },
      'f',
    )
  })

  it('with an await at their top level', () => {
    same(
      {
        'wait.ts':
          'const delay = await new Promise<{ n: number }>((r) => setTimeout(() => r({ n: 3 }), 1))\nconst made = await Promise.resolve((x: number) => x * 2)\nexport const get = () => made(delay.n)\n',
        'main.ts': `${head}import { get } from './wait.js'\nexport const f = cluster(() => get())`,
      },
      'f',
    )
  })
})

describe('modules of Node', () => {
  it('in every spelling', () => {
    same(
      {
        'main.ts': `${head}import fs from 'fs'
import * as path from 'node:path'
import { readFile } from 'fs/promises'
import { promises } from 'node:fs'
import { createRequire } from 'node:module'
export const f = cluster(async () => [fs.existsSync('/'), path.basename('/a/b'), typeof readFile, typeof promises.stat, (await readFile('/dev/null')).length])`,
      },
      'f',
    )
  })

  it('by require() in a CommonJS program, with files of its own', () => {
    const root = writeProject({
      'package.json': '{"name":"project"}',
      'helper.js': 'const state = { n: 1 }\nexports.bump = () => ++state.n\nexports.get = () => state.n\n',
      'main.js': `const { cluster } = require('./marked.js')
const fs = require('fs')
const { sep } = require('node:path')
const cjs = require('cjsish')
const { bump, get } = require('./helper.js')
bump()
exports.f = cluster(() => [fs.existsSync('/'), sep, cjs.base('/x/y'), get(), __filename.endsWith('main.js')])
`,
      'marked.js': `exports.cluster = (fn) => {
  const call = (...args) => fn(...args)
  const holder = {}
  Error.captureStackTrace(holder, exports.cluster)
  call[Symbol.for('farcall.target')] = { fn, site: holder.stack }
  return call
}
`,
    })
    const outcome = runProject(root, library)['f']!
    expect(outcome.stack).toBeUndefined()
    expect(outcome.answer?.error?.stack).toBeUndefined()
    expect(outcome.answer?.json).toBe(outcome.local)
  })
})

describe('packages', () => {
  it('by the conditions of their exports, as Node has them', () => {
    same(
      {
        'node_modules/cond/package.json':
          '{"name":"cond","version":"1.0.0","exports":{"node":{"import":"./node.mjs","require":"./node.cjs"},"browser":"./browser.js","default":"./default.js"}}',
        'node_modules/cond/node.mjs': "export const which = 'node-import'\n",
        'node_modules/cond/node.cjs': "exports.which = 'node-require'\n",
        'node_modules/cond/default.js': "export const which = 'default'\n",
        'node_modules/cond/browser.js': "export const which = 'browser'\n",
        'main.ts': `${head}import { which } from 'cond'\nexport const f = cluster(() => which)`,
      },
      'f',
    )
  })

  it('laid out as pnpm does', () => {
    same(
      {
        'node_modules/.pnpm/one@1.0.0/node_modules/one/package.json':
          '{"name":"one","version":"1.0.0","type":"module","exports":"./index.js"}',
        'node_modules/.pnpm/one@1.0.0/node_modules/one/index.js':
          "import { two } from 'two'\nexport const one = () => 1 + two\n",
        'node_modules/.pnpm/two@1.0.0/node_modules/two/package.json':
          '{"name":"two","version":"1.0.0","type":"module","exports":"./index.js"}',
        'node_modules/.pnpm/two@1.0.0/node_modules/two/index.js': 'export const two = 2\n',
        'node_modules/.pnpm/one@1.0.0/node_modules/two': {
          link: 'node_modules/.pnpm/two@1.0.0/node_modules/two',
        },
        'node_modules/one': { link: 'node_modules/.pnpm/one@1.0.0/node_modules/one' },
        'main.ts': `${head}import { one } from 'one'\nexport const f = cluster(() => one())`,
      },
      'f',
    )
  })

  it('of the same repository are the files of the user', () => {
    const workspace = (name: string) => ({
      [`packages/${name}/package.json`]: `{"name":"@mono/${name}","type":"module","exports":{"types":"./src/index.ts","default":"./src/index.js"}}`,
      [`packages/${name}/src/index.ts`]: `export const state = { name: '${name}', n: 0 }\nexport const bump = (): number => ++state.n\n`,
      [`node_modules/@mono/${name}`]: { link: `packages/${name}` },
    })
    same(
      {
        ...workspace('a'),
        ...workspace('b'),
        'main.ts': `${head}import { bump, state } from '@mono/a'
import { bump as other, state as second } from '@mono/b'
bump()
export const f = cluster(() => [state, second])
void other`,
      },
      'f',
    )
  })
})

describe('two checkouts of one project, with one cache', () => {
  const cache = join(folder, 'two-checkouts')
  const files = { 'main.ts': `${head}export const f = cluster(() => 1)` }
  const roots = [writeProject(files), writeProject(files)] as const
  const take = (root: string) => runProject(root, library, 'main.js', cache)['f']!
  const sources = (map: string) => JSON.parse(map).sources as string[]

  it('have one code, and each its own source map', () => {
    const [first, second, again] = [take(roots[0]), take(roots[1]), take(roots[0])]
    expect(readFileSync(second.code!)).toEqual(readFileSync(first.code!))
    expect(sources(first.map!)).toContain(join(roots[0], 'main.ts'))
    expect(sources(second.map!)).toContain(join(roots[1], 'main.ts'))
    expect(again.map).toBe(first.map)
  })

  it('are told apart by where the one who asks stands, else the last one is taken', () => {
    const hash = /([0-9a-f]{64})\.mjs$/.exec(take(roots[0]).code!)![1]!
    for (const root of roots)
      expect(sources(readMap(hash, cache, join(root, 'src'))!)).toContain(join(root, 'main.ts'))
    expect(sources(readMap(hash, cache, `${roots[0]}0`)!)).toContain(join(roots[1], 'main.ts'))
  })
})

describe('a script in the loose mode of CommonJS', () => {
  const script = (body: string) => {
    const root = writeProject({
      'package.json': '{"name":"project"}',
      'main.cjs': `const { cluster } = require('farcall')\n${body}`,
    })
    return runProject(root, library, 'main.cjs')['f']!
  }

  it('is refused inside `with`, whose names are known only when it runs', () => {
    const { refused } = script(
      'const x = 1\nfunction make(o) {\n  with (o) {\n    return cluster(() => x)\n  }\n}\nexports.f = make({ x: 2 })\n',
    )
    expect(refused).toContain('main.cjs:4:3 uses with, which cannot travel')
    expect(refused).toContain('hint: take what it needs out of the object')
  })

  it('is refused with a `with` of its own', () => {
    const { refused } = script('exports.f = cluster((o) => {\n  with (o) {\n    return x\n  }\n})\n')
    expect(refused).toContain('main.cjs:3:3 uses with, which cannot travel')
  })

  it('is refused beside an eval, which may have declared what it uses', () => {
    const { refused } = script(
      "const x = 1\nfunction make() {\n  eval('var x = 2')\n  return cluster(() => x)\n}\nexports.f = make()\n",
    )
    expect(refused).toContain('main.cjs:4:3 uses eval, which cannot travel')
  })

  it('that eval does not touch runs there as here', () => {
    const { refused, answer, local } = script(
      'const x = 1\nfunction other(t) {\n  return eval(t)\n}\nexports.f = cluster(() => x)\nexports.other = other\n',
    )
    expect([refused, answer?.json]).toEqual([undefined, local])
  })
})
