import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync, transformSync } from 'esbuild'
import { type Answer, folder, runTasks } from './run.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const fixture = join(repository, 'test/fixtures/projects/capture')

/** Inside the repository, so that esbuild and ts-morph are found from it. */
export function buildLibrary(name: string): string {
  const library = join(repository, 'node_modules/.farcall-test', `${name}-${process.pid}.mjs`)
  buildSync({
    entryPoints: [join(repository, 'src/capture/snapshot.ts')],
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    outfile: library,
  })
  return library
}

const driver = `
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
const [library, out, main, cacheDir] = process.argv.slice(2)
const { snapshot } = await import(library)
const results = {}
const cases = await import(main)
for (const [name, remote] of Object.entries(cases)) {
  const marked = remote?.[Symbol.for('farcall.target')]
  if (!marked) continue
  const args = remote.args ?? []
  try {
    const shot = snapshot(marked.fn, marked.site, { cacheDir })
    const call = shot.encode({ args }, 'call')
    const values = shot.values()
    const local = JSON.stringify(await remote(...args))
    const bundle = await shot.bundle()
    const folder = join(out, name)
    mkdirSync(folder, { recursive: true })
    const code = join(folder, bundle.hash + '.mjs')
    writeFileSync(code, bundle.code)
    writeFileSync(join(folder, 'values'), values)
    writeFileSync(join(folder, 'call'), call)
    results[name] = { local, code, map: bundle.map, values: join(folder, 'values'), call: join(folder, 'call') }
  } catch (e) {
    results[name] = { refused: e.name + ': ' + e.message, stack: e.stack }
  }
}
writeFileSync(join(out, 'cases.json'), JSON.stringify(results))
process.exit()
`

interface Outcome {
  local?: string
  refused?: string
  stack?: string
  answer?: Answer
  code?: string
  map?: string
}

let count = 0

/**
 * Files by their path in a new project; `link: target` makes a symbolic link. TypeScript is compiled file by file, as a
 * tsconfig.json among them says.
 */
export function writeProject(files: Record<string, string | { link: string }>): string {
  const root = join(folder, `project-${count++}`)
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  for (const name of ['farcall', 'lodashish', 'cjsish'])
    cpSync(join(fixture, 'packages', name), join(root, 'node_modules', name), { recursive: true })
  const tsconfigRaw = files['tsconfig.json']
  const all: typeof files = { 'package.json': '{"name":"project","type":"module"}', ...files }
  for (const [name, text] of Object.entries(all)) {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof text !== 'string') {
      symlinkSync(relative(dirname(path), join(root, text.link)), path)
      continue
    }
    writeFileSync(path, text)
    if (!/\.ts$/.test(name)) continue
    const { code } = transformSync(text, {
      loader: 'ts',
      target: 'node20.19',
      sourcemap: 'inline',
      sourcefile: path,
      ...(typeof tsconfigRaw === 'string' ? { tsconfigRaw } : {}),
    })
    writeFileSync(path.replace(/\.ts$/, '.js'), code)
  }
  return root
}

/** Runs main.js and, elsewhere, each remote function that it exports. */
export function runProject(
  root: string,
  library: string,
  main = 'main.js',
  cache = join(root, 'out/cache'),
  flags: readonly string[] = ['--enable-source-maps'],
): Record<string, Outcome> {
  const out = join(root, 'out')
  mkdirSync(out, { recursive: true })
  writeFileSync(join(root, 'driver.mjs'), driver)
  const args = [...flags, join(root, 'driver.mjs'), library, out, join(root, main), cache]
  const done = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${done.stdout}\n${done.stderr}`)
  const results = JSON.parse(readFileSync(join(out, 'cases.json'), 'utf8')) as Record<
    string,
    Outcome & { values: string; call: string }
  >
  const ran = Object.values(results).filter((r) => r.code)
  const answers = runTasks(ran.map(({ code, values, call }) => ({ code: code!, values, call })))
  for (const [index, result] of ran.entries()) result.answer = answers[index]!
  return results
}
