/** What `share` was given, as files of this machine: from here it goes to each place that has not got it. */
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type BlobRef, blobName, type JobSpec } from '../../core/protocol.ts'
import { fileFailure } from '../../files/failures.ts'
import { trimFolder } from '../../files/trim-folder.ts'

/** What stays that no program has used: as long as archives of packages do. */
const unusedMs = 14 * 24 * 3600 * 1000
const pieceSize = 2 ** 30

export const sharedFolder = (cacheDir: string): string => join(cacheDir, 'shared')

/** Writes pieces that are not there yet; nothing is copied in memory. @throws FileError DISK_FULL, FILE_DENIED */
export function keepShared(cacheDir: string, pieces: readonly Uint8Array[]): BlobRef {
  const hash = createHash('sha256')
  eachPart(pieces, (part) => hash.update(part))
  const size = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const blob: BlobRef = { sha256: hash.digest('hex'), size, ext: 'val' }
  const folder = sharedFolder(cacheDir)
  const path = join(folder, blobName(blob))
  try {
    if (statSync(path, { throwIfNoEntry: false })?.size === size) touch(path)
    else {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      write(path, pieces)
    }
  } catch (error) {
    throw fileFailure('share: write', path, error)
  }
  return blob
}

function write(path: string, pieces: readonly Uint8Array[]): void {
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, 'w', 0o600)
  try {
    eachPart(pieces, (part) => {
      for (let at = 0; at < part.byteLength; ) at += writeSync(file, part, at)
    })
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

/** One call takes less than 2 GB. */
function eachPart(pieces: readonly Uint8Array[], work: (part: Uint8Array) => void): void {
  for (const piece of pieces)
    for (let at = 0; at < piece.byteLength; at += pieceSize) work(piece.subarray(at, at + pieceSize))
}

function touch(path: string): void {
  const now = new Date()
  utimesSync(path, now, now)
}

/** The files of what a job names, by the names of its blobs: needed where the place has not got them, or has lost them. */
export function sharedOf({ shared = [] }: JobSpec, cacheDir: string): { shared?: Record<string, string> } {
  const files: Record<string, string> = {}
  for (const blob of shared) {
    const path = join(sharedFolder(cacheDir), blobName(blob))
    if (statSync(path, { throwIfNoEntry: false })?.size === blob.size) files[blobName(blob)] = path
  }
  return shared.length > 0 ? { shared: files } : {}
}

/** Removes what was not used for long. */
export function trimShared(cacheDir: string, now: number): void {
  trimFolder(sharedFolder(cacheDir), unusedMs, now)
}
