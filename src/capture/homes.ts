import { statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { CaptureError } from '../core/errors.ts'
import type { AssetNode } from './analysis.ts'
import { inspectFunction, scriptOf } from './inspect.ts'
import { placeName, type UserFile } from './sources.ts'

/** What `import.meta` says of the module that this function runs in; undefined: it has no file. */
export function metaOf(fn: Function): { url: string; filename: string; dirname: string } | undefined {
  const { location } = inspectFunction(fn)
  const script = location && scriptOf(location.scriptId)
  if (!script) return undefined
  const url = isAbsolute(script.url) ? pathToFileURL(script.url).href : script.url
  if (!url.startsWith('file:')) return undefined
  const filename = fileURLToPath(url)
  return { url, filename, dirname: dirname(filename) }
}

const largest = 64 * 1024 * 1024

/** @throws CaptureError CAPTURE_REFUSED when `new URL('./x', import.meta.url)` names no file that can travel */
export function assetPath(file: UserFile, { from, literal }: AssetNode): string {
  const path = resolve(dirname(file.path), decodeURIComponent(from.replace(/[?#].*$/, '')))
  const stats = statSync(path, { throwIfNoEntry: false })
  const refuse = (why: string, hint: string): never => {
    throw new CaptureError('CAPTURE_REFUSED', `${placeName(file, literal[0])} the file ${from} ${why}`, {
      hint,
    })
  }
  if (!stats) return refuse('does not exist', 'correct the path; it is looked up from the file that names it')
  if (!stats.isFile()) return refuse('is a folder', 'name the files in it one by one')
  if (stats.size > largest)
    return refuse('is larger than 64 MB', 'put it on the cluster, and give its path there as an argument')
  return path
}
