import { fileURLToPath } from 'node:url'
import { CaptureError } from '../core/errors.ts'
import { npmImport } from './deno-specifiers.ts'

export const nodeModulesHint: string =
  'let Deno put packages into node_modules: "nodeModulesDir": "auto" in deno.json, or run with --node-modules-dir=auto'

/** The folder whose node_modules has a package; or Deno's own cache, where its dependencies do not lie beside it. */
export type DenoPackage = { readonly from: string } | 'cached'

/**
 * The package that Deno took for an 'npm:' import, which is not always the one that has the plain name in node_modules:
 * one program may have several versions. Undefined: it is no such import, or Deno did not load it.
 */
export async function denoPackage(specifier: string, folder: string): Promise<DenoPackage | undefined> {
  const npm = npmImport(specifier, folder)
  if (!npm) return undefined
  const place = await askDeno(npm.url)
  if (!place?.startsWith('file:')) return undefined
  const path = fileURLToPath(place)
  const installed = path.lastIndexOf(`/node_modules/${npm.name}/`)
  if (installed >= 0) return { from: path.slice(0, installed) }
  // DENO_DIR/npm/REGISTRY/NAME/VERSION; elsewhere is a package that was linked
  const [before, ...after] = path.split(`/${npm.name}/`)
  const isCached = before!.includes('/npm/') && after.some((rest) => /^\d+\.\d+\.\d+[^/]*\//.test(rest))
  return isCached ? 'cached' : undefined
}

export function inDenoCache(specifier: string): CaptureError {
  return new CaptureError(
    'CAPTURE_EXTERNAL',
    `the import '${specifier}' cannot be bundled: the package lies in Deno's own cache, where esbuild does not find it`,
    { hint: nodeModulesHint },
  )
}

/** Deno refuses 'npm:' to code of a package, as farcall is, and allows it to a module without a place. */
const resolver = 'data:text/javascript,export const resolve = (url) => import.meta.resolve(url)'

let resolving: Promise<{ resolve(url: string): string }> | undefined

async function askDeno(url: string): Promise<string | undefined> {
  resolving ??= import(resolver)
  const { resolve } = await resolving
  try {
    return resolve(url)
  } catch {
    // a package without a main file, say: esbuild looks for it by its name and says what it does not find
    return undefined
  }
}
