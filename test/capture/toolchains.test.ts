import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync, type TransformOptions, transformSync } from 'esbuild'
import { afterAll, describe, expect, it } from 'vitest'
import { mapStack } from '../../src/capture/stack.ts'
import { folder, runTasks } from './run.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const fixture = join(repository, 'test/fixtures/projects/capture')
// inside the repository, so that esbuild and ts-morph are found from it
const library = join(repository, 'node_modules/.farcall-test', `capture-${process.pid}.mjs`)

buildSync({
  entryPoints: [join(repository, 'src/capture/snapshot.ts')],
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  outfile: library,
})

afterAll(() => rmSync(library))

interface Result {
  name: string
  local?: string
  localError?: string
  refused?: string
  folder: string
  hash: string
}

function project(name: string): string {
  const root = join(folder, name)
  cpSync(fixture, root, { recursive: true })
  mkdirSync(join(root, 'node_modules'))
  for (const p of readdirSync(join(root, 'packages')))
    cpSync(join(root, 'packages', p), join(root, 'node_modules', p), { recursive: true })
  return root
}

function drive(root: string, args: string[]): Result[] {
  const out = join(root, 'out')
  mkdirSync(out, { recursive: true })
  const done = spawnSync(process.execPath, [...args, library, out], { cwd: root, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${done.stdout}\n${done.stderr}`)
  return JSON.parse(readFileSync(join(out, 'cases.json'), 'utf8'))
}

function eachFile(root: string, options: TransformOptions, extension: string): void {
  for (const file of readdirSync(join(root, 'src')).filter((f) => f.endsWith('.ts'))) {
    const path = join(root, 'src', file)
    const { code } = transformSync(readFileSync(path, 'utf8'), {
      loader: 'ts',
      target: 'node20.19',
      sourcefile: path,
      ...options,
    })
    const out = join(root, 'src', file.replace(/\.ts$/, extension))
    writeFileSync(out, code)
  }
}

const legacy = { tsconfigRaw: { compilerOptions: { experimentalDecorators: true } } }

/** Each one compiles the same project its own way and gives the command line that runs it. */
const toolchains: Record<string, (root: string) => string[]> = {
  'one file at a time, inline maps, --enable-source-maps': (root) => {
    eachFile(root, { sourcemap: 'inline' }, '.js')
    return ['--enable-source-maps', join(root, 'src/driver.js')]
  },
  'one file at a time, inline maps, stacks not mapped, legacy decorators': (root) => {
    eachFile(root, { sourcemap: 'inline', ...legacy }, '.js')
    return [join(root, 'src/driver.js')]
  },
  'a bundle with an external map': (root) => {
    buildSync({
      entryPoints: [join(root, 'src/driver.ts')],
      bundle: true,
      packages: 'external',
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      sourcemap: true,
      outfile: join(root, 'dist/driver.js'),
    })
    return [join(root, 'dist/driver.js')]
  },
  'a minified bundle with a map, --enable-source-maps': (root) => {
    buildSync({
      entryPoints: [join(root, 'src/driver.ts')],
      bundle: true,
      packages: 'external',
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      minify: true,
      sourcemap: true,
      outfile: join(root, 'dist/driver.js'),
    })
    return ['--enable-source-maps', join(root, 'dist/driver.js')]
  },
  'plain JavaScript without a map': (root) => {
    eachFile(root, legacy, '.js')
    for (const f of readdirSync(join(root, 'src')).filter((f) => f.endsWith('.ts'))) {
      // the TypeScript must not be what is found
      writeFileSync(join(root, 'src', f), 'throw new Error("not this one")')
    }
    return [join(root, 'src/driver.js')]
  },
}

describe('the disk cache', () => {
  const root = project('cache')
  const command = toolchains['one file at a time, inline maps, --enable-source-maps']!(root)
  const hashes = () => drive(root, command).map((r) => r.hash ?? r.refused)
  const cache = join(root, 'out/cache')
  const all = () =>
    readdirSync(cache).flatMap((kind) => readdirSync(join(cache, kind)).map((f) => join(cache, kind, f)))

  it('gives another process the same bundles', () => {
    const first = hashes()
    const entries = all().sort()
    expect(hashes()).toEqual(first)
    expect(all().sort()).toEqual(entries)
    expect(entries.filter((f) => f.endsWith('.tmp'))).toEqual([])
  })

  it('has damaged entries written anew', () => {
    const first = hashes()
    for (const file of all()) writeFileSync(file, readFileSync(file, 'utf8').slice(0, 20))
    expect(hashes()).toEqual(first)
    for (const file of all().filter((f) => f.endsWith('.json'))) JSON.parse(readFileSync(file, 'utf8'))
  })

  it('sees that a package changed', () => {
    const first = hashes()
    const file = join(root, 'node_modules/lodashish/index.js')
    writeFileSync(file, readFileSync(file, 'utf8').replace('a + b', 'b + a + 0'))
    expect(hashes()).not.toEqual(first)
  })
})

describe.each(Object.entries(toolchains))('compiled as %s', (name, compile) => {
  const root = project(name.replace(/\W+/g, '-'))
  const results = drive(root, compile(root))
  const ran = results.filter((r) => r.hash)
  const answers = runTasks(
    ran.map((r) => ({
      code: join(r.folder, `${r.hash}.mjs`),
      values: join(r.folder, 'values'),
      call: join(r.folder, 'call'),
    })),
  )

  it.each(results.map((r) => r.name))('%s: the same elsewhere as here', (title) => {
    const result = results.find((r) => r.name === title)!
    // minifiers rename #private fields and drop variables: refused then, never wrong
    if (name.startsWith('a minified') && result.refused) {
      expect(result.refused).toMatch(/^CaptureError: .* (cannot be read|cannot travel)/)
      return
    }
    expect(result.refused).toBeUndefined()
    const answer = answers[ran.indexOf(result)]!
    if (result.localError) {
      expect(answer.error?.message).toBe(/\w+: (.*)/.exec(result.localError)![1])
      return
    }
    expect(answer.error?.stack).toBeUndefined()
    expect(answer.json).toBe(result.local)
  })

  it('maps a stack to the lines of the source', () => {
    const result = results.find((r) => r.name === 'throws')!
    const { error } = answers[ran.indexOf(result)]!
    const stack = mapStack(error!.stack, readFileSync(join(result.folder, 'map'), 'utf8'), {
      hash: result.hash,
    })
    const frames = stack
      .split('\n')
      .filter((l) => l.includes(`${root}/src/`))
      .map((l) => /throws\.[jt]s:\d+/.exec(l)?.[0].replace('.js', '.ts'))
    if (!name.startsWith('plain')) expect(frames).toEqual(['throws.ts:8', 'throws.ts:13', 'throws.ts:17'])
    else expect(frames).toHaveLength(3)
    if (name.startsWith('one file at a time, inline maps, --enable')) {
      // Node mapped the stack of the same throw here: line and column must be its
      const places = (text: string) => text.match(/throws\.ts:\d+:\d+/g)
      expect(places(stack)).toEqual(places(result.localError!)!.slice(0, 3))
    }
    const inPackage = results.find((r) => r.name === 'throws in a package')!
    const other = mapStack(
      answers[ran.indexOf(inPackage)]!.error!.stack,
      readFileSync(join(inPackage.folder, 'map'), 'utf8'),
    )
    expect(other.split('\n')[1]).toContain('node_modules/lodashish/index.js:8')
  })
})
