// npm run build: the runtime that goes to the cluster, then src -> dist. `--runtime` builds only the first.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

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
  const built = statSync(runtimeFile, { throwIfNoEntry: false })?.mtimeMs
  if (built === undefined) return false
  return ['runtime', 'src/core', 'src/codec', 'scripts/build.mjs', 'package-lock.json'].every(
    (path) => newest(join(root, path)) < built,
  )
}

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  // A folder's own time tells of files that were removed.
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

function compile() {
  for (const name of readdirSync(join(root, 'dist'), { withFileTypes: true }))
    if (name.name !== 'runtime') rmSync(join(root, 'dist', name.name), { recursive: true })
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], {
    stdio: 'inherit',
    cwd: root,
  })
  return status ?? 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const runtimeOnly = process.argv.includes('--runtime')
  await buildRuntime({ force: !runtimeOnly })
  if (!runtimeOnly) process.exitCode = compile()
}
