import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { CaptureError } from '../core/errors.ts'
import { readJsonc } from './jsonc.ts'

/** An import map: `imports` of a deno.json, or of the file that its `importMap` names. */
interface ImportMap {
  readonly base: string
  readonly imports: Readonly<Record<string, string>>
  /** All that decides what a specifier means. */
  readonly files: readonly string[]
}

const maps = new Map<string, ImportMap | undefined>()

/**
 * What Deno's specifier is called in a bundle that esbuild makes: 'npm:lodash-es@4/map' is 'lodash-es/map' in
 * node_modules, and names of the import map are what they stand for.
 *
 * @throws CaptureError CAPTURE_EXTERNAL for code that only Deno's own cache has
 */
export function denoSpecifier(specifier: string, folder: string): string {
  const mapped = fromMap(specifier, folder) ?? specifier
  const npm = npmParts(mapped)
  if (npm) return npm.name + npm.subpath
  if (/^(https?|jsr):/.test(mapped))
    throw new CaptureError(
      'CAPTURE_EXTERNAL',
      `the import '${specifier}' cannot be bundled: ${specifier === mapped ? 'it' : `'${mapped}'`} lies in Deno's own cache`,
      {
        hint: mapped.startsWith('jsr:')
          ? 'import it from npm: (npx jsr add gives it as @jsr/scope__name), or from a file of yours'
          : 'import the package from npm:, or a copy of the file from yours',
      },
    )
  return mapped
}

/** The package that a specifier means by 'npm:', itself or in the import map. */
export function npmImport(specifier: string, folder: string): { url: string; name: string } | undefined {
  const url = fromMap(specifier, folder) ?? specifier
  const npm = npmParts(url)
  return npm && { url, name: npm.name }
}

/** The files that decide what a specifier means in files of `folder`: a bundle is as old as they are. */
export const specifierFiles = (folder: string): readonly string[] => mapOf(folder)?.files ?? []

function npmParts(url: string): { name: string; subpath: string } | undefined {
  const [, name, subpath = ''] = /^npm:\/?((?:@[^/@]+\/)?[^/@]+)(?:@[^/]*)?(\/.*)?$/.exec(url) ?? []
  return name === undefined ? undefined : { name, subpath }
}

/** Of an import map, the longest key that fits, as the standard has it. */
function fromMap(specifier: string, folder: string): string | undefined {
  const map = mapOf(folder)
  if (!map) return undefined
  const key = Object.keys(map.imports)
    .filter((one) => one === specifier || (one.endsWith('/') && specifier.startsWith(one)))
    .sort((a, b) => b.length - a.length)[0]
  if (key === undefined) return undefined
  const target = map.imports[key]! + specifier.slice(key.length)
  return /^\.{1,2}\//.test(target) ? resolve(map.base, target) : target
}

function mapOf(folder: string): ImportMap | undefined {
  if (!maps.has(folder)) maps.set(folder, readMap(folder))
  return maps.get(folder)
}

function readMap(folder: string): ImportMap | undefined {
  const file = ['deno.json', 'deno.jsonc'].map((name) => join(folder, name)).find(existsSync)
  if (file === undefined) return dirname(folder) === folder ? undefined : mapOf(dirname(folder))
  const config = readJsonc<{ imports?: Record<string, string>; importMap?: string }>(file)
  // which versions it took
  const files = [file, join(folder, 'deno.lock')]
  if (config?.importMap === undefined) return { base: folder, imports: config?.imports ?? {}, files }
  const path = resolve(folder, config.importMap)
  return {
    base: dirname(path),
    imports: readJsonc<{ imports?: Record<string, string> }>(path)?.imports ?? {},
    files: [...files, path],
  }
}
