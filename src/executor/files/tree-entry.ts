import { fileFailure } from '../../files/failures.ts'
import { statOf } from '../../files/walk.ts'
import type { TreeEntry } from './tree.ts'

/** A file here, as it is transferred. */
export async function fileEntry(path: string): Promise<TreeEntry> {
  try {
    const { size, mode, mtimeMs } = await statOf(path, false)
    return { relative: path, type: 'file', size, mode: mode & 0o7777, mtime: Math.floor(mtimeMs / 1000) }
  } catch (error) {
    throw fileFailure('read', path, error)
  }
}
