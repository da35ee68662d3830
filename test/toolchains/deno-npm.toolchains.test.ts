import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pack, root } from '../package/packed.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './project.ts'
import { type Registry, startRegistry } from './registry.ts'
import { tool } from './tools.ts'

const least = ['read', 'write', 'env', 'sys', 'run', 'ffi'].map((name) => `--allow-${name}`)
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const parent = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER'] ?? tmpdir(), 'deno-npm-'))
let registry: Registry

beforeAll(async () => {
  registry = await startRegistry(await pack())
}, 300_000)

afterAll(async () => {
  await registry?.close()
  removeFolder(parent)
})

/** A folder without packages, below none that has any. */
function makeFolder(name: string, files: Readonly<Record<string, string | object>>): string {
  const folder = join(parent, name)
  mkdirSync(folder)
  write(folder, files)
  return folder
}

function write(folder: string, files: Readonly<Record<string, string | object>>): void {
  for (const [path, content] of Object.entries(files))
    writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content))
}

/** Deno with a cache of these tests' own, and no settings but the folder's. */
const deno = (folder: string, args: readonly string[], stdin = '') =>
  runProgram(tool('.bin/deno'), args, {
    cwd: folder,
    stdin,
    env: {
      HOME: folder,
      DENO_DIR: join(parent, 'deno'),
      NPM_CONFIG_REGISTRY: registry.url,
      NO_COLOR: '1',
    },
  })

const program = (folder: string, ...flags: string[]) =>
  deno(folder, ['run', '--quiet', '--no-prompt', ...least, ...flags, 'program.ts'])

const study = `import { cluster, close } from 'npm:farcall'

class Study {
  @cluster({ time: '1m' })
  static async double(n: number): Promise<number> {
    if (n < 0) throw new RangeError('negative')
    return n * 2
  }
}
const k: number = 5
const scaled = cluster((n: number) => n * k)
const error = await Study.double(-1).catch((thrown) => thrown)
console.log(JSON.stringify([await Study.double(4), await scaled(1), await scaled.map([2, 3]), error.stack]))
await close()
`

/** `fn`, and its answer or refusal as JSON. */
const calling = (imports: string, body: string) => `
import { cluster, close } from 'npm:farcall'
${imports}
const fn = cluster(async (n: number) => ${body})
console.log(JSON.stringify(await fn(1).catch(({ code, message, hint }) => ({ code, message, hint }))))
await close()
`

describe("npm:farcall, of Deno's own cache", () => {
  it('runs without node_modules and without settings', async () => {
    const folder = makeFolder('bare', { 'program.ts': study })
    const { code, stdout, stderr } = await program(folder)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [double, one, map, stack] = JSON.parse(stdout)
    expect([double, one, map]).toEqual([8, 5, [10, 15]])
    expect(stack.split('\n').slice(0, 2)).toEqual([
      'RangeError: negative',
      expect.stringContaining(`${folder}/program.ts:6:22`),
    ])
    expect(registry.asked).toContain(`farcall/-/farcall-${version}.tgz`)
    expect(existsSync(join(folder, 'node_modules'))).toBe(false)
  }, 300_000) // it fetches all that farcall needs

  it('runs in the REPL', async () => {
    const lines = [
      'import { cluster, close } from "npm:farcall"',
      'const k = 5, fn = cluster((x) => x * k)',
      'JSON.stringify([await fn(2), await fn.map([1, 2])])',
      'await close()',
    ]
    const { stdout } = await deno(makeFolder('repl', {}), ['repl', '--allow-all'], `${lines.join('\n')}\n`)
    expect(stdout).toContain('"[10,[5,10]]"')
  })

  it('has the command', async () => {
    const folder = makeFolder('command', { 'program.ts': study })
    const command = ['run', '--quiet', '--no-prompt', ...least, 'npm:farcall']
    expect(await deno(folder, [...command, '--version'])).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    })
    const { code, stdout } = await deno(folder, [...command, 'run', 'program.ts'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout).slice(0, 3)).toEqual([8, 5, [10, 15]])
  })

  it('refuses packages that lie there, and says what to do', async () => {
    const folder = makeFolder('cached', {
      'program.ts': calling("import { chunk } from 'npm:lodash-es@4'", 'chunk([n, 2, 3], 2)'),
    })
    const { stdout } = await program(folder)
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'CAPTURE_EXTERNAL',
      message: expect.stringContaining("the import 'npm:lodash-es@4' cannot be bundled"),
      hint: expect.stringContaining('"nodeModulesDir": "auto"'),
    })
    const heeded = await program(folder, '--node-modules-dir=auto')
    expect(heeded).toEqual({ code: 0, stdout: '[[1,2],[3]]\n', stderr: '' })
  })

  it('says so of what package.json lists, too', async () => {
    const folder = makeFolder('listed', {
      'program.ts': calling("import { chunk } from 'lodash-es'", 'chunk([n, 2, 3], 2)'),
      'deno.json': { nodeModulesDir: 'none' },
      'package.json': { name: 'study', dependencies: { 'lodash-es': '4' } },
    })
    const { stdout } = await program(folder)
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'BUNDLE_FAILED',
      message: expect.stringContaining('Could not resolve "lodash-es"'),
      hint: expect.stringContaining('"nodeModulesDir": "auto"'),
    })
  })
})

describe('"nodeModulesDir": "auto"', () => {
  const settings = (imports: object = {}) => ({
    nodeModulesDir: 'auto',
    imports: { farcall: 'npm:farcall', ...imports },
  })

  it('gives packages of the import map and of npm: to the job', async () => {
    const imports = `import { chunk } from 'lodash-es'
import add from 'adding'
import camelCase from 'npm:camelcase@8'
import { join } from 'node:path'`
    const folder = makeFolder('auto', {
      'program.ts': calling(imports, "[chunk([n, 2, 3], 2), add(n, 1), camelCase('a-b'), join('a', 'b')]"),
      'deno.json': settings({ 'lodash-es': 'npm:lodash-es@4', adding: 'npm:lodash-es@4/add.js' }),
    })
    const outcome = await program(folder)
    expect(outcome).toEqual({ code: 0, stdout: '[[[1,2],[3]],2,"aB","a/b"]\n', stderr: '' })
    expect(existsSync(join(folder, 'node_modules/farcall'))).toBe(true)
  })

  it('gives each version to whoever imports it, and another when another is asked for', async () => {
    const imports = `import older from 'older'
import newer from 'npm:lodash-es@4.17.21'`
    const of = (version: string) => settings({ older: `npm:lodash-es@${version}` })
    const folder = makeFolder('versions', {
      'program.ts': calling(imports, '[older.VERSION, newer.VERSION]'),
      'deno.json': of('4.17.20'),
    })
    expect(JSON.parse((await program(folder)).stdout)).toEqual(['4.17.20', '4.17.21'])
    write(folder, { 'deno.json': of('4.17.15') })
    expect(JSON.parse((await program(folder)).stdout)).toEqual(['4.17.15', '4.17.21'])
  })

  it('gives the job packages with native add-ons, and what they need', async () => {
    const folder = makeFolder('native', {
      'program.ts': calling(
        "import Database from 'npm:libsql'",
        "new Database(':memory:').prepare('select ? as n').get(n).n",
      ),
      'deno.json': settings(),
    })
    expect(await program(folder)).toEqual({ code: 0, stdout: '1\n', stderr: '' })
    expect(readFileSync(join(folder, 'deno.lock'), 'utf8')).toContain('npm:libsql')
  })
})
