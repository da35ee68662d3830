import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, realpath, rename, rm, rmdir, unlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { fileFailure } from './failures.ts'
import { filterOf } from './filter.ts'
import { byPath, byText, Listing } from './listing.ts'
import { nativeName } from './names.ts'
import { joinPath, refuseRemoval, requirePath, trimSlashes } from './paths.ts'
import { depthOf, expandBraces, hasMagic, matcher, splitPattern } from './pattern.ts'
import type {
  DiskUsage,
  FileContent,
  FileInfo,
  FileSystem,
  FindOptions,
  ReadRange,
  WriteOptions,
} from './types.ts'
import { infoOf, statOf, type Walk, walk } from './walk.ts'

/** The files of this machine. `base` is where relative paths begin. */
export function localFiles(base: () => string): FileSystem {
  const at = (path: string, verb: string) => {
    requirePath(path, verb)
    const home = /^~(?=\/|$)/.test(path)
    if (home) return trimSlashes(`${homedir()}${path.slice(1)}`)
    // not resolved: what is behind a link and .. is for the system to say
    return path.startsWith('/') ? trimSlashes(path) : joinPath(base(), trimSlashes(path))
  }
  const attempt = async <T>(verb: string, path: string, work: (real: string) => Promise<T>): Promise<T> => {
    const real = at(path, verb)
    try {
      return await work(real)
    } catch (error) {
      throw fileFailure(verb, path, error)
    }
  }
  const statAt = (path: string, link = false): Promise<FileInfo> =>
    attempt('stat', path, async (real) => infoOf(path, await statOf(real, link)))

  const isType = async (path: string, type: FileInfo['type'] | undefined): Promise<boolean> => {
    try {
      const found = await statAt(path)
      return type === undefined || found.type === type
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  async function* find(folder: string, options: FindOptions = {}): AsyncGenerator<FileInfo, void, void> {
    const fits = filterOf(options)
    const denied = deniedLater(options.skipDenied ?? false)
    const depth = options.depth === undefined ? {} : { depth: options.depth }
    for await (const { info } of walk(at(folder, 'find'), folder, { ...depth, denied: denied.note }))
      if (fits(info)) yield info
    denied.tell()
  }

  async function* glob(patterns: string | readonly string[]): AsyncGenerator<string, void, void> {
    const seen = new Set<string>()
    for (const pattern of [patterns].flat().flatMap(expandBraces)) {
      requirePath(pattern, 'glob')
      for await (const path of globOne(pattern))
        if (!seen.has(path)) {
          seen.add(path)
          yield path
        }
    }
  }

  async function* globOne(pattern: string): AsyncGenerator<string, void, void> {
    if (!hasMagic(pattern)) {
      if (await statAt(pattern, true).then(() => true, notMissing)) yield pattern
      return
    }
    const { folder, rest } = splitPattern(pattern)
    if (!(await isType(folder, 'folder'))) return
    const foldersOnly = rest.endsWith('/')
    const fits = matcher(trimSlashes(rest))
    const enter = entering(trimSlashes(rest))
    const depth = depthOf(trimSlashes(rest))
    const options: Walk = { denied: () => {}, enter, ...(depth === undefined ? {} : { depth }) }
    for await (const { relative, info } of walk(at(folder, 'glob'), folder, options))
      if (fits(relative) && (!foldersOnly || info.type === 'folder')) yield joinPath(folder, relative)
  }

  return {
    ls: (folder = '.') =>
      new Listing(async function* () {
        for await (const { info } of walk(at(folder, 'ls'), folder, { depth: 1 })) yield info
      }, byPath),
    find: (folder, options) => new Listing(() => find(folder, options), byPath),
    glob: (pattern) => new Listing(() => glob(pattern), byText),
    stat: (path, { link = false } = {}) => statAt(path, link),
    exists: (path) => isType(path, undefined),
    isdir: (path) => isType(path, 'folder'),
    isfile: (path) => isType(path, 'file'),
    async du(path) {
      const { type, size } = await statAt(path, true)
      if (type !== 'folder') {
        const { blocks } = await attempt('du', path, (real) => statOf(real, true))
        return {
          bytes: type === 'file' ? size : 0,
          allocated: blocks * 512,
          files: type === 'file' ? 1 : 0,
          folders: 0,
        }
      }
      return attempt('du', path, (real) => usage(real, path))
    },
    async countFiles(folder, options = {}) {
      let count = 0
      for await (const _ of find(folder, { ...options, type: 'file' })) count++
      return count
    },
    read: ((path: string, how?: 'utf8' | ReadRange) =>
      attempt('read', path, async (real) => {
        if (how === 'utf8') return readFile(nativeName(real), 'utf8')
        if (how === undefined) return readFile(nativeName(real))
        return readRange(real, how)
      })) as FileSystem['read'],
    async *stream(path, range = {}) {
      if (range.length === 0) return
      try {
        yield* createReadStream(nativeName(at(path, 'read')), bounds(range))
      } catch (error) {
        throw fileFailure('read', path, error)
      }
    },
    write: (path, content, options) => attempt('write', path, (real) => write(real, content, options)),
    mkdir: (path) =>
      attempt('mkdir', path, async (real) => {
        await mkdir(nativeName(real), { recursive: true })
      }),
    remove: (path, options = {}) => attempt('remove', path, (real) => remove(real, path, options)),
    rename: (from, to) =>
      attempt('rename', from, async (real) => {
        const target = at(to, 'rename')
        await mkdir(nativeName(dirname(target)), { recursive: true })
        await rename(nativeName(real), nativeName(target))
      }),
  }
}

/** Folders that a pattern without ** cannot lead into are not looked into. */
function entering(pattern: string): (relative: string) => boolean {
  const parts = pattern.split('/')
  const until = parts.indexOf('**')
  const first = (until < 0 ? parts : parts.slice(0, until)).map((part) => matcher(part))
  return (relative) => {
    const names = relative.split('/')
    if (names.length > first.length) return !names.slice(first.length).some((name) => name.startsWith('.'))
    return names.every((name, i) => first[i]!(name))
  }
}

/** What could not be looked into is told when all else was given. */
export function deniedLater(skip: boolean) {
  let first: unknown
  return {
    note: (error: unknown) => {
      first ??= error
    },
    tell: () => {
      if (first !== undefined && !skip) throw first
    },
  }
}

export function isMissing(error: unknown): boolean {
  const { code, cause } = error as { code?: string; cause?: { code?: string } }
  // below a file there is nothing
  return code === 'FILE_MISSING' || cause?.code === 'ENOTDIR'
}

function notMissing(error: unknown): false {
  if (isMissing(error)) return false
  throw error
}

async function usage(real: string, shown: string): Promise<DiskUsage> {
  const denied = deniedLater(false)
  const total = { bytes: 0, allocated: (await statOf(real, true)).blocks * 512, files: 0, folders: 0 }
  const seen = new Set<string>()
  for await (const { info, stats } of walk(real, shown, { denied: denied.note })) {
    const { type } = info
    if (type !== 'folder' && stats.nlink > 1) {
      const key = `${stats.dev}:${stats.ino}`
      if (seen.has(key)) continue
      seen.add(key)
    }
    if (type === 'file') [total.bytes, total.files] = [total.bytes + info.size, total.files + 1]
    if (type === 'folder') total.folders++
    total.allocated += stats.blocks * 512
  }
  denied.tell()
  return total
}

function bounds({ from = 0, length }: ReadRange): { start: number; end?: number; highWaterMark: number } {
  return {
    start: from,
    highWaterMark: 256 * 1024,
    ...(length === undefined ? {} : { end: from + length - 1 }),
  }
}

async function readRange(path: string, { from = 0, length }: ReadRange): Promise<Uint8Array> {
  const file = await open(nativeName(path), 'r')
  try {
    const { size } = await file.stat()
    const bytes = Buffer.alloc(Math.max(0, Math.min(length ?? Number.POSITIVE_INFINITY, size - from)))
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, from + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  } finally {
    await file.close()
  }
}

export function* wholeOrPieces(content: string | Uint8Array): Iterable<Uint8Array> {
  yield typeof content === 'string' ? Buffer.from(content) : content
}

export async function* piecesOf(content: FileContent): AsyncGenerator<Uint8Array, void, void> {
  if (typeof content === 'string' || content instanceof Uint8Array) yield* wholeOrPieces(content)
  else for await (const piece of content) yield* wholeOrPieces(piece)
}

async function write(path: string, content: FileContent, { mode = 0o644 }: WriteOptions = {}): Promise<void> {
  const temporary = joinPath(dirname(path), `.put-${randomBytes(8).toString('hex')}`)
  await mkdir(nativeName(dirname(path)), { recursive: true })
  try {
    const file = await open(nativeName(temporary), 'wx', 0o600)
    try {
      for await (const piece of piecesOf(content)) await file.writeFile(piece)
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(nativeName(temporary), nativeName(path))
  } catch (error) {
    await rm(nativeName(temporary), { force: true })
    throw error
  }
}

async function remove(
  real: string,
  path: string,
  { recursive = false, force = false }: { recursive?: boolean; force?: boolean },
): Promise<void> {
  let found: FileInfo
  try {
    found = infoOf(path, await statOf(real, true))
  } catch (error) {
    if (force && /^(ENOENT|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? '')) return
    throw error
  }
  if (found.type !== 'folder') return unlink(nativeName(real))
  await requireRemovable(real, path)
  if (recursive) await rm(nativeName(real), { recursive: true, maxRetries: 2 })
  else await rmdir(nativeName(real))
}

async function requireRemovable(real: string, path: string): Promise<void> {
  const folder = String(await realpath(nativeName(real)))
  const home = await realpath(homedir()).catch(() => homedir())
  if (folder === '/') throw refuseRemoval(path, 'the root of all files')
  if (folder === home) throw refuseRemoval(path, 'the home folder')
  if (home.startsWith(`${folder}/`)) throw refuseRemoval(path, 'above the home folder')
}
