import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { CaptureError } from '../core/errors.ts'
import type { FileAnalysis } from './analysis.ts'
import { analyze } from './analyze/analyze.ts'
import { cellPlace } from './cells/names.ts'
import { changedSinceStart, runningText } from './edited.ts'
import { isOwnFile, isOwnSpecifier, ownRoot } from './own.ts'
import { positionOf } from './positions.ts'

/** Changes when what lies in the cache changes its shape or meaning. */
export const cacheVersion = '10'

export interface UserFile {
  /** Absolute; what was typed into a REPL has a name like /folder/REPL3.ts that does not exist. */
  path: string
  text: string
  analysis: FileAnalysis
  /** Path from the project's root, with '/': the same in every checkout. */
  id: string
  root: string
}

const files = new Map<string, { stamp: string; file: UserFile }>()

/** The file with what is known about it; read again when it changed. `text` when it is not what lies on disk. */
export function openFile(path: string, cacheDir: string | undefined, text?: string): UserFile {
  const stamp = text === undefined ? stampOf(path) : sha256(text)
  const known = files.get(path)
  if (
    known &&
    (known.stamp === stamp || (text === undefined && known.file.text === readFileSync(path, 'utf8')))
  )
    return known.file
  const onDisk = text ?? readFileSync(path, 'utf8')
  const running = text === undefined && changedSinceStart(path) ? runningText(path, onDisk) : undefined
  if (running !== undefined && known?.file.text === running) return known.file
  const content = running ?? onDisk
  const root = projectRoot(dirname(path))
  const file: UserFile = {
    path,
    text: content,
    analysis: analysisOf(path, content, cacheDir),
    root,
    id: idOf(path, root),
  }
  files.set(path, { stamp, file })
  return file
}

const owners = new Map<string, string>()

/** Packages of one repository may all have a src/index.ts. */
function idOf(path: string, root: string): string {
  const within = path.startsWith(root) ? path.slice(root.length + 1) : basename(path)
  const name = readJson<{ name?: unknown }>(join(root, 'package.json'))?.name
  const id = typeof name === 'string' ? `${name}/${within}` : within
  for (let n = 1; ; n++) {
    const free = n === 1 ? id : `${id}~${n}`
    const owner = owners.get(free) ?? path
    owners.set(free, owner)
    if (owner === path) return free
  }
}

function stampOf(path: string): string {
  const { mtimeMs, size } = statSync(path)
  return `${mtimeMs}:${size}`
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

const roots = new Map<string, string>()

export function projectRoot(folder: string): string {
  let root = roots.get(folder)
  if (root === undefined) {
    const parent = dirname(folder)
    root = existsSync(join(folder, 'package.json')) || parent === folder ? folder : projectRoot(parent)
    // no package.json anywhere: the file's own folder says more than '/'
    if (root === '/' || root === parent) root = existsSync(join(root, 'package.json')) ? root : folder
    roots.set(folder, root)
  }
  return root
}

function analysisOf(path: string, text: string, cacheDir: string | undefined): FileAnalysis {
  const folder = dirname(path)
  const near = path.startsWith(ownRoot) ? folder.slice(ownRoot.length) : ''
  const key = sha256(`${cacheVersion}\0${extname(path)}\0${near}\0${text}`)
  const kept = cacheDir && join(cacheDir, 'analysis', `${key}.json`)
  const cached = kept && readJson<FileAnalysis>(kept)
  if (cached && Array.isArray(cached.functions)) return cached
  const analysis = analyze(path, text, (specifier) => isOwnSpecifier(specifier, folder))
  if (kept) writeAtomic(kept, JSON.stringify(analysis))
  return analysis
}

export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    // not there, or cut off: a cache entry like that is written anew
    return undefined
  }
}

let writes = 0

/** The cache is a convenience: a folder that cannot be written costs time, not the call. */
export function writeAtomic(path: string, data: string | Uint8Array): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}.${writes++}.tmp`
    writeFileSync(temporary, data, { mode: 0o600 })
    renameSync(temporary, path)
  } catch {
    // see above
  }
}

const extensions = ['', '.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.jsx', '.cjs']

/** The file that a path without (or with another) ending means. */
export function resolveFile(base: string): string | undefined {
  const candidates = extensions.map((e) => base + e)
  const compiled = /^(.*)\.([mc]?)js(x?)$/.exec(base)
  if (compiled) candidates.push(`${compiled[1]}.${compiled[2]}ts${compiled[3]}`, `${compiled[1]}.tsx`)
  candidates.push(...extensions.slice(1).map((e) => join(base, `index${e}`)))
  const found = candidates.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
  if (found === undefined || !/\.[mc]?[jt]sx?$/.test(found)) return undefined
  return found.includes('/node_modules/') || isOwnFile(found) ? undefined : found
}

/** `study.ts:26:17`, as refusals begin; `cell 3, line 2` in a notebook. */
export function placeName(file: UserFile, offset: number): string {
  const { line, column } = positionOf(file.text, offset)
  return cellPlace(file.path, line) ?? `${basename(file.path)}:${line}:${column}`
}

export function sourceMissing(name: string, cause?: unknown): CaptureError {
  return new CaptureError(
    'CAPTURE_SOURCE_MISSING',
    `the source of ${name ? `'${name}'` : 'the function'} was not found`,
    {
      ...(cause === undefined ? {} : { cause }),
      hint: 'run the TypeScript with `farcall run` or tsx, or build with source maps (sourcemap: true); a minified build without a map cannot be captured',
    },
  )
}
