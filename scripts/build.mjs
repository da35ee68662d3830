// npm run build: the runtime that goes to the cluster, then src -> dist. `--runtime` builds only the first;
// `--if-stale` both, when something they are made of is newer, and without checking types: tests begin with it.
import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Where the built runtime lies: one file, no dependency. */
export const runtimeFile = join(root, 'dist/runtime/farcall-runtime.cjs')

/** Bundles runtime/main.ts, unless the file is there and newer than all that it is made of. */
export async function buildRuntime({ force = false } = {}) {
  if (!force && isFresh()) return runtimeFile
  const { build } = await import('esbuild')
  const result = await build({
    entryPoints: [join(root, 'runtime/main.ts')],
    absWorkingDir: root,
    tsconfigRaw: {},
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node16',
    // The bundle of the user's function is an ES module, and is loaded with a real import().
    supported: { 'dynamic-import': true },
    minifySyntax: true,
    // So that it travels along with the first submission to a place, and costs no transfer of its own.
    minifyWhitespace: true,
    logLevel: 'error',
  })
  mkdirSync(dirname(runtimeFile), { recursive: true })
  // Renamed into place: two test runs may build at the same time.
  const temporary = `${runtimeFile}.${process.pid}`
  writeFileSync(temporary, result.outputFiles[0].contents)
  renameSync(temporary, runtimeFile)
  return runtimeFile
}

function isFresh() {
  return isNewer(runtimeFile, [
    'runtime',
    'src/core',
    'src/codec',
    'src/files',
    'src/archive',
    'src/threads',
    'scripts/build.mjs',
    'package-lock.json',
  ])
}

function isNewer(file, sources) {
  const built = statSync(file, { throwIfNoEntry: false })?.mtimeMs
  return built !== undefined && sources.every((path) => newest(join(root, path)) < built)
}

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  // A folder's own time tells of files that were removed.
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

/** Its time is that of the sources which all of dist was made of; it is put in place last. */
const stamp = 'index.js'

function isCompiled() {
  return isNewer(join(root, 'dist', stamp), [
    'src',
    'scripts/build.mjs',
    'tsconfig.json',
    'tsconfig.build.json',
    'package-lock.json',
  ])
}

async function compile(flags = []) {
  const begun = Date.now() / 1000
  const dist = join(root, 'dist')
  mkdirSync(dist, { recursive: true })
  // Beside its place and then renamed, file by file: programs and other builds may be at it meanwhile.
  // At the depth of dist, since source maps name the sources relative to it.
  const folder = mkdtempSync(join(root, '.dist-'))
  try {
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    const { status } = spawnSync(
      process.execPath,
      [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', folder, ...flags],
      { stdio: 'inherit', cwd: root },
    )
    nameDeclarations(folder)
    if (status === 0) await writeSchema(folder)
    const time = status === 0 ? begun : 0
    utimesSync(join(folder, stamp), time, time)
    const made = filesIn(folder).sort((a, b) => Number(a === stamp) - Number(b === stamp))
    const old = filesIn(dist).filter((path) => !path.startsWith('runtime/') && !made.includes(path))
    for (const path of made) {
      mkdirSync(dirname(join(dist, path)), { recursive: true })
      renameSync(join(folder, path), join(dist, path))
    }
    for (const path of old) rmSync(join(dist, path), { force: true })
    return status ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true }).filter(
    (path) => !statSync(join(folder, path), { throwIfNoEntry: false })?.isDirectory(),
  )

/** tsc rewrites './x.ts' to './x.js' in code only; declarations are to name a file that is there as well. */
function nameDeclarations(folder) {
  for (const path of readdirSync(folder, { recursive: true }))
    if (path.endsWith('.d.ts')) {
      const file = join(folder, path)
      const text = readFileSync(file, 'utf8')
      writeFileSync(
        file,
        text.replaceAll(/(\bfrom |\bimport\()(['"]\.{1,2}\/[^'"]+)\.ts(?=['"])/g, '$1$2.js'),
      )
    }
}

/** The JSON Schema of configuration files, for editors. */
async function writeSchema(folder) {
  const { configJsonSchema } = await import(pathToFileURL(join(folder, 'config/json-schema.js')).href)
  writeFileSync(join(folder, 'farcall.schema.json'), `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [runtimeOnly, ifStale] = ['--runtime', '--if-stale'].map((flag) => process.argv.includes(flag))
  await buildRuntime({ force: !runtimeOnly && !ifStale })
  if (!runtimeOnly && !(ifStale && isCompiled()))
    process.exitCode = await compile(ifStale ? ['--noCheck'] : [])
}
