import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { decodedMappings, encodedMappings, TraceMap } from '@jridgewell/trace-mapping'
import type * as Esbuild from 'esbuild'
import { CaptureError } from '../core/errors.ts'
import { type Kept, keepBundle, keptBundle, unchanged } from './cache.ts'
import { isOwnFile, isOwnSpecifier } from './own.ts'
import { refuseExternal, refuseFolderReader } from './packages.ts'
import { headerLines } from './slice.ts'
import { cacheVersion, sha256 } from './sources.ts'
import { stub, support } from './stub.ts'
import type { Bundle } from './types.ts'

/** A module that capture wrote. `file` is where its text comes from. */
export interface Emitted {
  id: string
  text: string
  file?: string
}

export interface Emission {
  /** The first one is the entry. */
  modules: readonly Emitted[]
  root: string
  target: string
  /** Packages that are installed where the bundle runs, and so stay imports. */
  external: readonly string[]
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
      emission.external.join(),
      emission.root,
      stub,
      support,
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
    if (emission.cacheDir) keepBundle(emission.cacheDir, key, bundle, inputs)
    return bundle
  } catch (error) {
    running.delete(key)
    throw error
  }
}

const banner =
  "import{createRequire as $farcallRequire}from'node:module';const require=$farcallRequire(import.meta.url);"

async function build(emission: Emission): Promise<{ bundle: Bundle; inputs: Kept['inputs'] }> {
  const modules = new Map(emission.modules.map((m) => [m.id, m]))
  const tsconfig = nearestTsconfig(emission)
  const esbuild = await import('esbuild')
  const result = await esbuild
    .build({
      entryPoints: [emission.modules[0]!.id],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: emission.target,
      keepNames: true,
      charset: 'utf8',
      sourcemap: 'external',
      sourcesContent: false,
      metafile: true,
      logLevel: 'silent',
      absWorkingDir: emission.root,
      outfile: join(emission.root, 'farcall-bundle.mjs'),
      banner: { js: banner },
      ...(tsconfig ? { tsconfig } : {}),
      plugins: [plugin(modules, emission.external)],
    })
    .catch((error: unknown) => {
      throw bundleFailed(error, modules)
    })
  const code = result.outputFiles.find((f) => f.path.endsWith('.mjs'))!.contents
  const rawMap = result.outputFiles.find((f) => f.path.endsWith('.map'))!.text
  for (const output of Object.values(result.metafile.outputs))
    for (const [name, { bytesInOutput }] of Object.entries(output.inputs))
      if (bytesInOutput > 0 && name.includes('node_modules/'))
        refuseFolderReader(resolve(emission.root, name))
  const inputs = Object.keys(result.metafile.inputs)
    .map((name) => resolve(emission.root, name.replace(/\?.*$/, '')))
    .filter((path) => !/^farcall-[a-z]+:|^<|^\(disabled\)/.test(path.slice(emission.root.length + 1)))
    .flatMap((path) => {
      const stats = statSync(path, { throwIfNoEntry: false })
      return stats?.isFile() ? [{ path, mtime: stats.mtimeMs, size: stats.size }] : []
    })
  return {
    bundle: { hash: sha256(code), code, map: homeMap(rawMap, modules, emission.root) },
    inputs,
  }
}

function plugin(modules: ReadonlyMap<string, Emitted>, external: readonly string[]): Esbuild.Plugin {
  return {
    name: 'farcall',
    setup(build) {
      // one file by two names would be two copies, with classes and state of their own
      const sliced = new Set([...modules.values()].map((m) => m.file))
      build.onResolve({ filter: /^farcall-(slice|closure|entry|support|exports):/ }, ({ path }) => ({
        path: path.slice(path.indexOf(':') + 1),
        namespace: path.slice(0, path.indexOf(':')),
        sideEffects: true,
      }))
      build.onLoad({ filter: /.*/, namespace: 'farcall-support' }, () => ({
        contents: support,
        loader: 'js',
      }))
      build.onLoad({ filter: /.*/, namespace: 'farcall-stub' }, () => ({ contents: stub, loader: 'js' }))
      build.onLoad({ filter: /.*/ }, ({ path, namespace }) => {
        const module = modules.get(`${namespace}:${path}`)
        if (!module) return undefined
        return {
          contents: module.text,
          loader: module.file ? loaderOf(module.file) : 'js',
          ...(module.file ? { resolveDir: dirname(module.file) } : {}),
        }
      })
      build.onResolve({ filter: /.*/ }, async ({ path, resolveDir, importer, kind, pluginData }) => {
        if (pluginData === 'farcall' || kind === 'entry-point') return undefined
        if (isOwnSpecifier(path, resolveDir)) return { path: 'farcall', namespace: 'farcall-stub' }
        if (external.some((name) => path === name || path.startsWith(`${name}/`)))
          return { path, external: true }
        const found = await build.resolve(path, { resolveDir, kind, importer, pluginData: 'farcall' })
        if (found.errors.length > 0) return { errors: found.errors }
        if (found.namespace === 'file' && isOwnFile(found.path))
          return { path: 'farcall', namespace: 'farcall-stub' }
        if (kind === 'import-statement' && sliced.has(found.path))
          return {
            errors: [
              {
                text: `${path} is the file ${found.path}, which is imported by another name too`,
                detail: undefined,
              },
            ],
          }
        if (!found.external && found.namespace === 'file') refuseExternal(found.path, importer)
        return found
      })
    },
  }
}

function loaderOf(file: string): Esbuild.Loader {
  if (/\.[mc]?ts$/.test(file)) return 'ts'
  if (/\.tsx$/.test(file)) return 'tsx'
  return /\.jsx$/.test(file) ? 'jsx' : 'js'
}

/** esbuild asks no tsconfig for modules that a plugin gives: paths and decorator settings would be lost. */
function nearestTsconfig({ modules, root }: Emission): string | undefined {
  const file = modules.find((m) => m.file)?.file
  for (let folder = file ? dirname(file) : root; ; folder = dirname(folder)) {
    const path = join(folder, 'tsconfig.json')
    if (existsSync(path)) return path
    if (dirname(folder) === folder) return undefined
  }
}

/** Sources as absolute paths, lines as in the user's file. */
function homeMap(raw: string, modules: ReadonlyMap<string, Emitted>, root: string): string {
  const parsed = JSON.parse(raw) as { sources: string[]; names: string[]; mappings: string }
  const trace = new TraceMap({ version: 3, ...parsed })
  const shifted = new Set<number>()
  const sources = parsed.sources.map((source, index) => {
    const module = modules.get(source) ?? modules.get(decodeURI(source))
    if (module?.file) {
      shifted.add(index)
      return module.file
    }
    return /^farcall-\w+:/.test(source) ? source : resolve(root, source)
  })
  const mappings = decodedMappings(trace).map((line) =>
    line.flatMap((segment): (typeof segment)[] => {
      if (segment.length === 1 || !shifted.has(segment[1])) return [segment]
      // header and footer are ours: nothing of the user's stands there
      if (segment[2] < headerLines) return [[segment[0]]]
      return segment.length === 5
        ? [[segment[0], segment[1], segment[2] - headerLines, segment[3], segment[4]]]
        : [[segment[0], segment[1], segment[2] - headerLines, segment[3]]]
    }),
  )
  const home = new TraceMap({ version: 3, sources, names: parsed.names, mappings } as never)
  return JSON.stringify({ version: 3, sources, names: parsed.names, mappings: encodedMappings(home) })
}

function bundleFailed(error: unknown, modules: ReadonlyMap<string, Emitted>): unknown {
  const failure = error as Esbuild.BuildFailure
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
      ? 'install the package, or correct the path of the import'
      : 'esbuild must be able to compile the function and what it imports',
  })
}
