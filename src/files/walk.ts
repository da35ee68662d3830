import type { Stats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { fileFailure } from './failures.ts'
import { nameFromBytes, nameToBytes, nativeName } from './names.ts'
import { joinPath, nameOf } from './paths.ts'
import type { FileInfo } from './types.ts'

/** Files that are looked at together. */
const atOnce = 32

export function infoOf(path: string, found: Stats): FileInfo {
  return {
    path,
    name: nameOf(path),
    type: found.isFile()
      ? 'file'
      : found.isDirectory()
        ? 'folder'
        : found.isSymbolicLink()
          ? 'link'
          : 'other',
    size: found.size,
    modified: found.mtime,
    mode: found.mode & 0o7777,
    uid: found.uid,
    gid: found.gid,
  }
}

/** Names in a folder; not there any more is empty, when it was seen a moment ago. */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(nameToBytes(folder), { encoding: 'buffer' })
  return names.map(nameFromBytes)
}

export interface Found {
  readonly info: FileInfo
  readonly stats: Stats
  /** From the folder where the walk began. */
  readonly relative: string
  /** 1: in that folder itself. */
  readonly depth: number
}

export interface Walk {
  readonly depth?: number
  /** Whether to look into a folder. */
  readonly enter?: (relative: string) => boolean
  /** Folders that could not be read. */
  readonly denied?: (error: unknown) => void
}

/**
 * All below a folder, links as such. `real` is the folder for node:fs, `shown` what the paths begin with.
 * What goes away meanwhile is passed over.
 */
export async function* walk(
  real: string,
  shown: string,
  options: Walk = {},
): AsyncGenerator<Found, void, void> {
  yield* below(real, shown, '', 1, options)
}

async function* below(
  real: string,
  shown: string,
  relative: string,
  depth: number,
  options: Walk,
): AsyncGenerator<Found, void, void> {
  let names: string[]
  try {
    names = await namesIn(relative === '' ? real : joinPath(real, relative))
  } catch (error) {
    const failure = fileFailure('list', relative === '' ? shown : joinPath(shown, relative), error)
    if (relative === '' || !options.denied) throw failure
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') options.denied(failure)
    return
  }
  for (let at = 0; at < names.length; at += atOnce) {
    const some = names.slice(at, at + atOnce)
    const found = await Promise.all(some.map((name) => look(real, shown, joinPath(relative, name), depth)))
    for (const one of found) {
      if (!one) continue
      yield one
      const deeper = options.depth === undefined || depth < options.depth
      if (one.info.type === 'folder' && deeper && (options.enter?.(one.relative) ?? true))
        yield* below(real, shown, one.relative, depth + 1, options)
    }
  }
}

async function look(
  real: string,
  shown: string,
  relative: string,
  depth: number,
): Promise<Found | undefined> {
  try {
    const stats = await lstat(nativeName(joinPath(real, relative)))
    return { info: infoOf(joinPath(shown, relative), stats), stats, relative, depth }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fileFailure('stat', joinPath(shown, relative), error)
  }
}

export const statOf = (path: string, link: boolean) => (link ? lstat : stat)(nativeName(path))
