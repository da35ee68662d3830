import { ConfigError, FileError } from '../../core/errors.ts'
import { localFiles } from '../../files/local.ts'
import { folderOf, joinPath, nameOf, requirePath, trimSlashes } from '../../files/paths.ts'
import type { FileSystem, TransferOptions, Transferred } from '../../files/types.ts'
import type { Carrying, End } from './end.ts'
import { entryOf, type TreeEntry, treeOf, wrongType } from './tree.ts'

/** Both ends of a transfer, and how entries get from one to the other. */
export interface Way {
  readonly from: FileSystem
  readonly to: FileSystem
  readonly verb: 'put' | 'get'
  carry(
    fromFolder: string,
    toFolder: string,
    entries: readonly TreeEntry[],
    carrying: Carrying,
  ): Promise<void>
}

export const here: FileSystem = localFiles(() => process.cwd())

export function up(there: FileSystem, end: End): Way {
  return { from: here, to: there, verb: 'put', carry: (...args) => end.receive(...args) }
}

export function down(there: FileSystem, end: End): Way {
  return { from: there, to: here, verb: 'get', carry: (...args) => end.send(...args) }
}

/** A file or a folder under the name `target`; into it, when that ends in a slash or there is a list of sources. */
export async function transfer(
  way: Way,
  source: string | readonly string[],
  target: string,
  options: TransferOptions = {},
): Promise<Transferred> {
  requirePath(target, way.verb)
  const sources = [source].flat()
  for (const path of sources) requirePath(path, way.verb)
  const into = Array.isArray(source) || /\/$/.test(target)
  const names = sources.map((path) => (into ? nameOf(path) : nameOf(target)))
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined)
    throw new ConfigError(
      'OPTION_INVALID',
      `${way.verb}: two of the sources are called ${JSON.stringify(twice)}`,
      {
        hint: 'transfer them to different folders',
      },
    )
  const folder = into ? trimSlashes(target) : folderOf(trimSlashes(target))
  const files = new Map<string, TreeEntry[]>()
  const parts: Part[] = []
  for (const [at, path] of sources.entries()) {
    const info = await way.from.stat(path)
    const [from, name] = [trimSlashes(path), names[at]!]
    if (info.type === 'folder') {
      const to = into ? joinPath(folder, name) : trimSlashes(target)
      await way.to.mkdir(to)
      parts.push({ from, to, entries: (await treeOf(way.from, from)).entries })
      continue
    }
    const entry = entryOf(info, nameOf(from))
    if (!entry) throw wrongType(way.verb, path, 'it is neither a file nor a folder')
    const named = entry.relative === name ? entry : { ...entry, as: name }
    files.set(folderOf(from), [...(files.get(folderOf(from)) ?? []), named])
  }
  for (const [from, entries] of files) parts.push({ from, to: folder, entries })
  return carryAll(way, parts, options)
}

export interface Part {
  readonly from: string
  readonly to: string
  readonly entries: readonly TreeEntry[]
  /** Instead of the way's own. */
  readonly carry?: Way['carry']
}

export async function carryAll(
  way: Way,
  parts: readonly Part[],
  { onProgress, signal }: TransferOptions,
): Promise<Transferred> {
  signal?.throwIfAborted()
  const all = parts.flatMap(({ entries }) => entries).filter(({ type }) => type !== 'folder')
  const totalBytes = all.reduce((sum, { type, size }) => sum + (type === 'file' ? size : 0), 0)
  const total = { totalFiles: all.length, totalBytes }
  let [files, bytes] = [0, 0]
  const carrying: Carrying = {
    onBytes: (more) => {
      bytes += more
      onProgress?.({ files, bytes, ...total })
    },
    onFile: () => {
      files++
      onProgress?.({ files, bytes, ...total })
    },
    signal,
  }
  for (const { from, to, entries, carry = way.carry } of parts) await carry(from, to, entries, carrying)
  return { files: all.length, bytes: totalBytes }
}

/** For what may not be there yet. */
export async function treeOrNothing(fs: FileSystem, folder: string, exclude: readonly string[]) {
  try {
    return await treeOf(fs, folder, exclude)
  } catch (error) {
    if (error instanceof FileError && error.code === 'FILE_MISSING') return undefined
    throw error
  }
}
