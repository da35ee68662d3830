import { FileError } from '../../core/errors.ts'
import { joinPath, nameOf } from '../../files/paths.ts'
import { matcher } from '../../files/pattern.ts'
import type { FileInfo, FileSystem } from '../../files/types.ts'

/** What is transferred: a file, a folder or a link, by its path below the folder that it lies in. */
export interface TreeEntry {
  readonly relative: string
  readonly type: 'file' | 'folder' | 'link'
  readonly size: number
  readonly mode: number
  /** Seconds since the epoch. */
  readonly mtime: number
  /** What it is called at the other end, where that is another name. */
  readonly as?: string
}

export const nameThere = ({ relative, as = relative }: TreeEntry): string => as

/** A folder and what is transferred of it or to it. */
export interface Tree {
  readonly folder: string
  readonly entries: readonly TreeEntry[]
  /** Pipes, sockets and devices: they stay where they are. */
  readonly skipped: readonly string[]
}

export function entryOf(info: FileInfo, relative: string): TreeEntry | undefined {
  const { type, size, mode, modified } = info
  if (type === 'other') return undefined
  return { relative, type, size, mode, mtime: Math.floor(modified.getTime() / 1000) }
}

/** All below a folder, folders before what lies in them; what fits `exclude` is left out, with all below it. */
export async function treeOf(fs: FileSystem, folder: string, exclude: readonly string[] = []): Promise<Tree> {
  const leftOut = exclude.map((pattern) => ({
    fits: matcher(pattern.replace(/\/+$/, ''), { hidden: true }),
    whole: pattern.replace(/\/+$/, '').includes('/'),
  }))
  const isLeftOut = (relative: string) => {
    const parts = relative.split('/')
    return parts.some((part, at) =>
      leftOut.some(({ fits, whole }) => fits(whole ? parts.slice(0, at + 1).join('/') : part)),
    )
  }
  const entries: TreeEntry[] = []
  const skipped: string[] = []
  const start = folder === '.' ? 0 : joinPath(folder, '').length
  for await (const info of fs.find(folder)) {
    const relative = info.path.slice(start)
    if (relative.split('/').some(isPartial) || (leftOut.length > 0 && isLeftOut(relative))) continue
    const entry = entryOf(info, relative)
    if (entry) entries.push(entry)
    else skipped.push(info.path)
  }
  entries.sort((a, b) => (a.relative < b.relative ? -1 : 1))
  return { folder, entries, skipped }
}

/** What a transfer that was cut off has left, for the next one to go on with. */
export function partialName(path: string, { size, mtime }: Pick<TreeEntry, 'size' | 'mtime'>): string {
  const name = nameOf(path)
  // The name as a whole may be as long as a name can be.
  const short = Buffer.byteLength(name) > 180 ? [...name].slice(0, 40).join('') : name
  return `.${short}.farcall-${size.toString(36)}-${mtime.toString(36)}`
}

export const isPartial = (name: string): boolean =>
  /^\..*\.farcall-[0-9a-z]+-[0-9a-z]+(\.pieces)?$|^\.farcall-in\./s.test(name)

export function wrongType(verb: string, path: string, words: string): FileError {
  return new FileError('FILE_WRONG_TYPE', `${verb} ${path}: ${words}`, path, {
    hint: "a name that ends in / is a folder to put it into: put('a.csv', 'data/')",
  })
}
