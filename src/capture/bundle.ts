import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import type * as Esbuild from 'esbuild'
import { CaptureError } from '../core/errors.ts'
import { type Kept, keepBundle, keptBundle, unchanged } from './cache.ts'
import { isCellPath } from './cells/names.ts'
import { isDeno } from './deno.ts'
import { nodeModulesHint } from './deno-packages.ts'
import { specifierFiles } from './deno-specifiers.ts'
import { homeMap } from './home-map.ts'
import { Packages } from './packages.ts'
import { plugin } from './plugin.ts'
import type { Emitted } from './slice.ts'
import { headerLines } from './slice.ts'
import { cacheVersion, sha256 } from './sources.ts'
import { assets, stub, support } from './stub.ts'
import type { Bundle, PackageChoices } from './types.ts'

export interface Emission {
  /** The first one is the entry. */
  modules: readonly Emitted[]
  root: string
  target: string
  packages: PackageChoices
  cacheDir?: string | undefined
}

/** Loading esbuild takes 25 ms: what the cache has needs only its version. */
let version: string | undefined
function esbuildVersion(): string {
  version ??= (createRequire(import.meta.url)('esbuild/package.json') as { version: string }).version
  return version
}

const running = new Map<string, Promise<{ bundle: Bundle; inputs: Kept['inputs'] }>>()

/** @throws CaptureError CAPTURE_EXTERNAL, BUNDLE_FAILED */
export async function makeBundle(emission: Emission): Promise<Bundle> {
  const key = sha256(
    [
      cacheVersion,
      esbuildVersion(),
      emission.target,
      JSON.stringify(emission.packages),
      emission.root,
      stub,
      support,
      assets,
      ...emission.modules.flatMap((m) => [m.id, m.file ?? '', m.text]),
    ].join('\0'),
  )
  const before = running.get(key)
  if (before) {
    const known = await before
    if (unchanged(known.inputs)) return known.bundle
  }
  const kept = emission.cacheDir && keptBundle(emission.cacheDir, key)
  if (kept) {
    running.set(key, Promise.resolve(kept))
    return kept.bundle
  }
  const made = build(emission)
  running.set(key, made)
  try {
    const { bundle, inputs } = await made
    if (emission.cacheDir) keepBundle(emission.cacheDir, key, emission.root, bundle, inputs)
    return bundle
  } catch (error) {
    running.delete(key)
    throw error
  }
}

const banner =
  "import{createRequire as $farcallRequire}from'node:module';const require=$farcallRequire(import.meta.url);"

/** A package of which files turn out to read their own folder is left out of the next pass. */
async function build(emission: Emission): Promise<{ bundle: Bundle; inputs: Kept['inputs'] }> {
  const packages = new Packages(emission.packages, emission.root)
  for (;;) {
    const made = await buildOnce(emission, packages)
    if (!packages.leavesMore(made.holds)) return made
  }
}

async function buildOnce(emission: Emission, packages: Packages) {
  const modules = new Map(emission.modules.map((m) => [m.id, m]))
  const inCell = emission.modules.some(({ file }) => file !== undefined && isCellPath(file))
  const tsconfig = inCell ? undefined : nearestTsconfig(emission)
  const settings = isDeno ? foldersOf(emission).flatMap(specifierFiles) : []
  const files = new Set<string>(tsconfig ? [...settings, tsconfig] : settings)
  const metafiles: Esbuild.Metafile[] = []
  const options = {
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: emission.target,
    keepNames: true,
    charset: 'utf8',
    sourcesContent: false,
    metafile: true,
    logLevel: 'silent',
    absWorkingDir: emission.root,
    outfile: join(emission.root, 'farcall-bundle.mjs'),
    banner: { js: banner },
    ...(tsconfig ? { tsconfig } : {}),
    ...(inCell ? { tsconfigRaw: tslabOptions } : {}),
  } satisfies Esbuild.BuildOptions
  const pluginFor = (own: typeof modules): Esbuild.Plugin =>
    plugin({
      modules: own,
      root: emission.root,
      packages,
      cacheDir: emission.cacheDir,
      files,
      async bundleWorker(path) {
        const worker = await compile(({ build }) =>
          build({ ...options, entryPoints: [path], plugins: [pluginFor(new Map())] }),
        )
        metafiles.push(worker.metafile)
        return worker.outputFiles[0]!.contents
      },
    })
  const result = await compile(({ build }) =>
    build({
      ...options,
      entryPoints: [emission.modules[0]!.id],
      sourcemap: 'external',
      plugins: [pluginFor(modules)],
    }),
  ).catch((error: unknown) => {
    throw bundleFailed(error, modules)
  })
  metafiles.push(result.metafile)
  const code = result.outputFiles.find((f) => f.path.endsWith('.mjs'))!.contents
  const rawMap = result.outputFiles.find((f) => f.path.endsWith('.map'))!.text
  const outputs = metafiles.flatMap((metafile) => Object.values(metafile.outputs))
  const imported = outputs.flatMap(({ imports }) => imports.flatMap((i) => (i.external ? [i.path] : [])))
  const left = packages.among(imported)
  for (const metafile of metafiles) for (const input of inputPaths(metafile, emission.root)) files.add(input)
  for (const { folder } of left) files.add(join(folder, 'package.json'))
  const inputs = [...files].flatMap((path) => {
    const stats = statSync(path, { throwIfNoEntry: false })
    return stats?.isFile() ? [{ path, mtime: stats.mtimeMs, size: stats.size }] : []
  })
  const map = homeMap(rawMap, modules, emission.root)
  return {
    bundle: { hash: sha256(code), code, map, packages: left },
    inputs,
    /** Files that have something in it. */
    holds: outputs.flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([name, { bytesInOutput }]) =>
        bytesInOutput > 0 ? [resolve(emission.root, name)] : [],
      ),
    ),
  }
}

/**
 * esbuild, whose work is done by a process beside this one. A notebook's kernel is interrupted with its children: that
 * process is gone then, and is begun anew.
 */
async function compile<T>(run: (esbuild: typeof Esbuild) => Promise<T>): Promise<T> {
  const esbuild = await import('esbuild')
  try {
    return await run(esbuild)
  } catch (error) {
    if (!/service (is no longer running|was stopped)/.test(String(error))) throw error
    await esbuild.stop()
    return run(esbuild)
  }
}

/** tslab asks no tsconfig, and compiles cells so. */
const tslabOptions = { compilerOptions: { experimentalDecorators: true } }

/** Of the user's files. */
const foldersOf = ({ modules, root }: Emission): string[] => [
  ...new Set([root, ...modules.flatMap(({ file }) => (file === undefined ? [] : [dirname(file)]))]),
]

/** esbuild asks no tsconfig for modules that a plugin gives: paths and decorator settings would be lost. */
function nearestTsconfig({ modules, root }: Emission): string | undefined {
  const file = modules.find((m) => m.file)?.file
  for (let folder = file ? dirname(file) : root; ; folder = dirname(folder)) {
    const path = join(folder, 'tsconfig.json')
    if (existsSync(path)) return path
    if (dirname(folder) === folder) return undefined
  }
}

function inputPaths(metafile: Esbuild.Metafile, root: string): string[] {
  return Object.keys(metafile.inputs)
    .map((name) => resolve(root, name.replace(/\?.*$/, '')))
    .filter((path) => !/^farcall-[a-z]+:|^<|^\(disabled\)/.test(path.slice(root.length + 1)))
}

function bundleFailed(error: unknown, modules: ReadonlyMap<string, Emitted>): unknown {
  const failure = error as Esbuild.BuildFailure
  // esbuild's own words say nothing of it
  if (!Array.isArray(failure.errors) && isDeno)
    return new CaptureError('BUNDLE_FAILED', `esbuild could not be started: ${String(error)}`, {
      cause: error,
      hint: 'run with --allow-run: esbuild is a program of its own',
    })
  if (!Array.isArray(failure.errors)) return error
  const external = failure.errors.map((e) => e.detail).find((d) => d instanceof CaptureError)
  if (external) return external
  const lines = failure.errors.map(({ text, location }) => {
    if (!location) return text
    const module = modules.get(location.file)
    const file = module?.file ?? location.file
    // an import stands in the header that capture wrote
    if (module?.file && location.line <= headerLines) return `${file}: ${text}`
    return `${file}:${location.line - (module?.file ? headerLines : 0)}:${location.column + 1}: ${text}`
  })
  const missing = failure.errors.find((e) => e.text.startsWith('Could not resolve'))
  return new CaptureError('BUNDLE_FAILED', `the function cannot be bundled: ${lines.join('\n')}`, {
    cause: error,
    hint: missing
      ? `${isDeno ? nodeModulesHint : 'install the package'}; or correct the path of the import`
      : 'esbuild must be able to compile the function and what it imports',
  })
}
