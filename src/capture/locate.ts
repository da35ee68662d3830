import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  GREATEST_LOWER_BOUND,
  LEAST_UPPER_BOUND,
  originalPositionFor,
  sourceContentFor,
  TraceMap,
} from '@jridgewell/trace-mapping'
import { CaptureError } from '../core/errors.ts'
import type { FunctionNode } from './analysis.ts'
import { analyze } from './analyze/analyze.ts'
import { isCell } from './cells/compiled.ts'
import { placeInCell } from './cells/place.ts'
import { isDeno } from './deno.ts'
import { inspectFunction, scriptOf } from './inspect.ts'
import { callAt, inOrder, methodAt, nearest, type Spot } from './match.ts'
import { isOwnFile } from './own.ts'
import { offsetOf } from './positions.ts'
import { registerBundle } from './renamed.ts'
import { type Position, runnerPosition } from './runner-map.ts'
import { openFile, type UserFile } from './sources.ts'
import type { CallSite } from './types.ts'

/** A function or class in the user's source. */
export interface Place {
  file: UserFile
  fn: number
}

export const nodeOf = (place: Place): FunctionNode => place.file.analysis.functions[place.fn]!

export interface LocateOptions {
  cacheDir?: string | undefined
  cwd?: string | undefined
  method?: { name: string | symbol; isStatic: boolean } | undefined
}

/** The function's source: from the call site if that leaves no doubt, else from where V8 says that it is. */
export function locate(fn: Function, site: CallSite, options: LocateOptions): Place | undefined {
  const spot = spotOf(site, options)
  if (spot) {
    const found = options.method ? methodAt(spot, fn, options.method) : callAt(spot, fn)
    if (found !== undefined) return { file: spot.file, fn: found }
  }
  return locateByInspector(fn, options)
}

const frame = /^\s*at (?:.*? \()?(?:async )?(.+?):(\d+):(\d+)\)?$/

/** The first frame of the stack that is not the library's own. */
export function userFrame(stack: string): { url: string; line: number; column: number } | undefined {
  for (const text of stack.split('\n')) {
    const match = frame.exec(text)
    if (!match) continue
    const url = match[1]!
    const path = url.startsWith('file:') ? fileURLToPath(url.replace(/[?#].*$/, '')) : url
    if (isOwnFile(path) || url.startsWith('node:')) continue
    return { url, line: Number(match[2]), column: Number(match[3]) }
  }
  return undefined
}

function spotOf(site: CallSite, options: LocateOptions): Spot | undefined {
  const at = userFrame(site)
  if (!at) return undefined
  const path = pathOf(at.url)
  if (path === undefined || !statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined
  if (/\.[mc]?js$/.test(path)) {
    const text = readFileSync(path, 'utf8')
    const url = mapUrl(text)
    if (url !== undefined) return throughMap(path, url, at.line, at.column - 1, options)
  }
  noteProgram()
  const file = openFile(path, options.cacheDir)
  return { file, offset: offsetOf(file.text, at.line, at.column) }
}

function pathOf(url: string): string | undefined {
  if (url.startsWith('file:')) return fileURLToPath(url.replace(/[?#].*$/, ''))
  return isAbsolute(url) ? url.replace(/\?.*$/, '') : undefined
}

/** What the last `//# sourceMappingURL=` says. */
function mapUrl(text: string): string | undefined {
  const at = text.lastIndexOf('//# sourceMappingURL=')
  if (at < 0) return undefined
  const line = text.slice(at + 21).trim()
  return line.includes('\n') ? undefined : line
}

const maps = new Map<string, { stamp: string; map: TraceMap }>()

function readMapAt(path: string, url: string): TraceMap | undefined {
  const inline = /^data:application\/json;(?:charset=[^;,]+;)?base64,(.*)$/.exec(url)
  const mapPath = inline ? path : resolve(dirname(path), decodeURIComponent(url))
  const stats = statSync(mapPath, { throwIfNoEntry: false })
  const stamp = inline ? url.slice(-200) + url.length : `${stats?.mtimeMs}`
  const known = maps.get(mapPath)
  if (known?.stamp === stamp) return known.map
  if (!inline && !stats) return undefined
  const text = inline ? Buffer.from(inline[1]!, 'base64').toString() : readFileSync(mapPath, 'utf8')
  const map = new TraceMap(text, mapPath)
  maps.set(mapPath, { stamp, map })
  return map
}

const noted = new WeakSet<TraceMap>()

function noteBundle(map: TraceMap, path: string): void {
  if (noted.has(map)) return
  noted.add(map)
  const text = fileText(path)
  if (text !== undefined)
    registerBundle(map, text, (source) => pathOf(source) ?? resolve(dirname(path), source))
}

let lookedAtProgram = false

/** With --enable-source-maps the stack hides that the program is a bundle. */
function noteProgram(): void {
  if (lookedAtProgram) return
  lookedAtProgram = true
  const path = process.argv[1]
  if (!path || !/\.[mc]?js$/.test(path) || path.includes('/node_modules/')) return
  const url = mapUrl(fileText(path) ?? '')
  const map = url === undefined ? undefined : readMapAt(path, url)
  if (map) noteBundle(map, path)
}

/** `column` is 0-based, as maps have it. */
function throughMap(
  path: string,
  url: string,
  line: number,
  column: number,
  options: LocateOptions,
): Spot | undefined {
  const map = readMapAt(path, url)
  if (!map) return undefined
  noteBundle(map, path)
  let found = originalPositionFor(map, { line, column, bias: GREATEST_LOWER_BOUND })
  if (found.source === null) found = originalPositionFor(map, { line, column, bias: LEAST_UPPER_BOUND })
  if (found.source === null) return undefined
  const source = pathOf(found.source) ?? resolve(dirname(path), found.source)
  const content = sourceContentFor(map, found.source)
  const onDisk = statSync(source, { throwIfNoEntry: false })?.isFile() ?? false
  if (content === null && !onDisk) return undefined
  if (content === null) refuseStale(source, path)
  // what runs is what was built: a file edited since then would give other code
  const edited = content !== null && (!onDisk || readFileSync(source, 'utf8') !== content)
  const file = openFile(source, options.cacheDir, edited ? content : undefined)
  return { file, offset: offsetOf(file.text, found.line, found.column + 1) }
}

/** Copying a folder gives its files times that are a little apart. */
const copying = 5000

/** Without its text in the map, a file that is younger than what was made of it cannot be what runs. */
function refuseStale(source: string, path: string): void {
  const built = statSync(path, { throwIfNoEntry: false })
  const { mtimeMs } = statSync(source)
  if (!built || source === path || mtimeMs <= built.mtimeMs + copying) return
  throw new CaptureError('CAPTURE_REFUSED', `${source} changed after ${path} was built from it`, {
    hint: 'build again, and start the program again',
  })
}

export function locateByInspector(fn: Function, options: LocateOptions): Place | undefined {
  const { location } = inspectFunction(fn)
  if (!location) return undefined
  const script = scriptOf(location.scriptId)
  if (!script) return undefined
  if (isCell(script.source))
    return placeInCell(fn, location, script.source, options.cwd ?? process.cwd(), options.cacheDir)
  // what was typed or evaluated has no file, and often no name of its own
  const path =
    pathOf(script.url) ??
    resolve(options.cwd ?? process.cwd(), `${script.url || 'evaluated'}-${location.scriptId}.js`)
  if (script.url.startsWith('node:')) return undefined
  const url = script.sourceMapURL || mapUrl(script.source)
  const at = { path, line: location.line + 1, column: location.column + 1 }
  const offset = offsetOf(script.source, at.line, at.column)
  const asCompiled = (functions: readonly FunctionNode[]) =>
    inOrder(compiled(location.scriptId, path, script.source), offset, functions)
  const typed = isDeno && /\.[mc]?tsx?$/.test(path) && fileText(path) !== undefined
  if (typed) {
    // Deno keeps the map of what it compiled to itself, but leaves functions in their order
    const file = openFile(path, options.cacheDir)
    const fn = asCompiled(file.analysis.functions)
    if (fn !== undefined) return { file, fn }
  }
  const spot = url
    ? throughMap(path, url, at.line, location.column, options)
    : asItRuns(at, script.source, options)
  if (!spot) return undefined
  const found = nearest(spot, fn, (functions) =>
    script.source === spot.file.text
      ? functions.findIndex((f) => f.at === offset || f.start === offset)
      : asCompiled(functions),
  )
  return found === undefined ? undefined : { file: spot.file, fn: found }
}

const scripts = new Map<string, readonly FunctionNode[]>()

function compiled(id: string, path: string, source: string): readonly FunctionNode[] {
  const known = scripts.get(id) ?? analyze(path, source, () => false).functions
  scripts.set(id, known)
  return known
}

/** A script that names no map: the file itself, or what some runner made of it. */
function asItRuns(at: Position, source: string, options: LocateOptions): Spot {
  const onDisk = fileText(at.path)
  const before = onDisk === undefined || onDisk === source ? undefined : runnerPosition(at)
  const path = before && pathOf(before.path)
  if (path !== undefined && fileText(path) !== undefined) {
    const file = openFile(path, options.cacheDir)
    return { file, offset: offsetOf(file.text, before!.line, before!.column) }
  }
  const file = openFile(at.path, options.cacheDir, onDisk === source ? undefined : source)
  return { file, offset: offsetOf(file.text, at.line, at.column) }
}

function fileText(path: string): string | undefined {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, 'utf8') : undefined
}
