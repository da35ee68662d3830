import { existsSync, statSync } from 'node:fs'
import type { LoadHook, ResolveHook } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { aliasedPath, compile } from './compile.ts'

const missing = new Set(['ERR_MODULE_NOT_FOUND', 'ERR_UNSUPPORTED_DIR_IMPORT'])
const endings = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json']
/** TypeScript's own rule: an import names the file that would be written. */
const written: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
}

/** Node's resolution first; what it does not find is looked for as TypeScript does. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  try {
    return await nextResolve(specifier, context)
  } catch (error) {
    const { parentURL } = context
    if (!missing.has((error as NodeJS.ErrnoException).code ?? '') || !parentURL?.startsWith('file:'))
      throw error
    // A farcall that was installed elsewhere, or globally, runs the program: it is the farcall meant.
    if (/^farcall($|\/)/.test(specifier))
      return nextResolve(specifier, { ...context, parentURL: import.meta.url })
    const file = /^(\.{0,2}\/|file:)/.test(specifier)
      ? besides(fileURLToPath(new URL(specifier, parentURL)))
      : await aliasedPath(specifier, dirname(fileURLToPath(parentURL)))
    if (file === undefined) throw error
    return nextResolve(pathToFileURL(file).href, context)
  }
}

function besides(path: string): string | undefined {
  const ending = path.match(/\.[cm]?jsx?$/)?.[0]
  const candidates = [
    ...(ending ? written[ending]!.map((other) => path.slice(0, -ending.length) + other) : []),
    ...endings.map((other) => path + other),
    ...endings.map((other) => `${path}/index${other}`),
  ]
  return candidates.find((file) => existsSync(file) && statSync(file).isFile())
}

export const load: LoadHook = async (url, context, nextLoad) => {
  if (!/^file:[^?#]*\.[cm]?tsx?([?#]|$)/.test(url)) {
    return nextLoad(
      url,
      url.split(/[?#]/)[0]!.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context,
    )
  }
  const { format, source } = await compile(fileURLToPath(url))
  return { format, source, shortCircuit: true }
}
