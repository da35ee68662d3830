import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type * as Esbuild from 'esbuild'
import { CaptureError } from '../core/errors.ts'
import { isDeno } from './deno.ts'
import { denoPackage, inDenoCache } from './deno-packages.ts'
import { denoSpecifier } from './deno-specifiers.ts'
import { assetLine } from './emit.ts'
import { isOwnFile, isOwnSpecifier } from './own.ts'
import type { Packages } from './packages.ts'
import type { Emitted } from './slice.ts'
import { placeNames } from './slice.ts'
import { openFile } from './sources.ts'
import { assets, stub, support } from './stub.ts'

export interface PluginOptions {
  modules: ReadonlyMap<string, Emitted>
  root: string
  packages: Packages
  cacheDir: string | undefined
  /** Files read beside what esbuild knows of; grows. */
  files: Set<string>
  /** Bundles a worker's program, which begins anew as every worker does. */
  bundleWorker(path: string): Promise<Uint8Array>
}

/** Gives esbuild the modules that capture wrote, the stub for farcall, and files that travel as they are. */
export function plugin(options: PluginOptions): Esbuild.Plugin {
  const { modules, root, packages, files } = options
  return {
    name: 'farcall',
    setup(build) {
      // one file by two names would be two copies, with classes and state of their own
      const sliced = new Set([...modules.values()].flatMap((m) => m.file ?? []))
      const exported = new Map(
        [...modules.values()].flatMap((m) =>
          m.file && m.id.startsWith('farcall-exports:') ? [[m.file, m.id]] : [],
        ),
      )
      build.onResolve(
        { filter: /^farcall-(slice|closure|entry|support|exports|assets|asset|worker):/ },
        ({ path }) => ({
          path: path.slice(path.indexOf(':') + 1),
          namespace: path.slice(0, path.indexOf(':')),
          sideEffects: true,
        }),
      )
      build.onLoad({ filter: /.*/, namespace: 'farcall-support' }, () => ({
        contents: support,
        loader: 'js',
      }))
      build.onLoad({ filter: /.*/, namespace: 'farcall-assets' }, () => ({ contents: assets, loader: 'js' }))
      build.onResolve({ filter: /^farcall-effect:/ }, ({ path }) => ({
        path: resolve(root, path.slice('farcall-effect:'.length)),
        sideEffects: true,
      }))
      build.onLoad({ filter: /.*/, namespace: 'farcall-asset' }, ({ path }) => {
        const [name = '', ...from] = path.split('?')
        const file = resolve(root, name)
        files.add(file)
        return assetModule(from.join('?'), readFileSync(file))
      })
      build.onLoad({ filter: /.*/, namespace: 'farcall-worker' }, async ({ path }) =>
        assetModule('w.mjs', await options.bundleWorker(resolve(root, path))),
      )
      build.onLoad({ filter: /\.[mc]?[jt]sx?$/, namespace: 'file' }, ({ path }) =>
        path.includes('/node_modules/') ? undefined : wholeModule(path, options),
      )
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
      build.onResolve({ filter: /.*/ }, async (asked) => {
        const { path: written, resolveDir, importer, kind, pluginData } = asked
        if (pluginData === 'farcall' || kind === 'entry-point') return undefined
        const path = nameOf(written, resolveDir)
        if (path instanceof CaptureError) return refusal(path)
        if (isOwnSpecifier(path, resolveDir)) return { path: 'farcall', namespace: 'farcall-stub' }
        const place = isDenos(resolveDir) ? await denoPackage(written, resolveDir) : undefined
        const from = typeof place === 'object' ? place.from : resolveDir
        const chosen = packages.chosen(path, from)
        if (chosen !== undefined) return { path: chosen, external: true }
        if (place === 'cached') return refusal(inDenoCache(written))
        const found = await build.resolve(path, { resolveDir: from, kind, importer, pluginData: 'farcall' })
        if (found.errors.length > 0) return { errors: found.errors }
        if (found.namespace === 'file' && isOwnFile(found.path))
          return { path: 'farcall', namespace: 'farcall-stub' }
        if (found.namespace === 'file' && sliced.has(found.path)) {
          const id = exported.get(found.path)
          if (id !== undefined)
            return {
              path: id.slice('farcall-exports:'.length),
              namespace: 'farcall-exports',
              sideEffects: true,
            }
          const text = `${path} is the file ${found.path}, which is taken along in parts already`
          return { errors: [{ text, detail: undefined }] }
        }
        const external =
          !found.external && found.namespace === 'file'
            ? packages.external(found.path, path, importer)
            : undefined
        return external === undefined ? found : { path: external, external: true }
      })
    },
  }
}

const refusal = (error: CaptureError): Esbuild.OnResolveResult => ({
  errors: [{ text: error.message, detail: error }],
})

/** Packages have no part in the user's import map. */
const isDenos = (folder: string): boolean => isDeno && !folder.includes('/node_modules/')

function nameOf(specifier: string, folder: string): string | CaptureError {
  if (!isDenos(folder)) return specifier
  try {
    return denoSpecifier(specifier, folder)
  } catch (error) {
    if (error instanceof CaptureError) return error
    throw error
  }
}

function loaderOf(file: string): Esbuild.Loader {
  if (/\.[mc]?ts$/.test(file)) return 'ts'
  if (/\.tsx$/.test(file)) return 'tsx'
  return /\.jsx$/.test(file) ? 'jsx' : 'js'
}

function assetModule(from: string, data: Uint8Array): Esbuild.OnLoadResult {
  const content = JSON.stringify(Buffer.from(data).toString('base64'))
  const text = `import{asset}from"farcall-assets:assets";export const $asset=asset(${JSON.stringify(from)},${content})`
  return { contents: text, loader: 'js' }
}

/** One of the user's files as it is; what `new URL()` names in it travels too. */
function wholeModule(path: string, { root, cacheDir }: PluginOptions): Esbuild.OnLoadResult | undefined {
  const text = readFileSync(path, 'utf8')
  if (!text.includes('import.meta') || isOwnFile(path)) return undefined
  const file = openFile(path, cacheDir)
  const units = file.text.split('')
  placeNames(units, file)
  const lines = file.analysis.assets.map((_, index) => assetLine(file, index, root))
  return { contents: lines.join('') + units.join(''), loader: loaderOf(path), resolveDir: dirname(path) }
}
