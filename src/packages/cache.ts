import { mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BlobRef, blobName, type PackagesRef } from '../core/protocol.ts'
import { trimFolder } from '../files/trim-folder.ts'

/** What of the archives on this machine stays: they are large, and made again in seconds. */
const unusedMs = 14 * 24 * 3600 * 1000

const folderOf = (cacheDir: string) => join(cacheDir, 'packages')

/** The folder of archives; made when it is not there. */
export function archiveFolder(cacheDir: string): string {
  const folder = folderOf(cacheDir)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

/** Where the archive lies here, if it does. */
export function archiveFile(cacheDir: string, archive: BlobRef): string | undefined {
  const path = join(folderOf(cacheDir), blobName(archive))
  return statSync(path, { throwIfNoEntry: false })?.size === archive.size ? path : undefined
}

/** What was made before under this key, and is still here. */
export function recall(cacheDir: string, key: string): PackagesRef | undefined {
  const path = join(folderOf(cacheDir), `${key}.json`)
  try {
    const ref = JSON.parse(readFileSync(path, 'utf8')) as PackagesRef
    const archive = archiveFile(cacheDir, ref.archive)
    if (archive === undefined) return undefined
    const now = new Date()
    for (const used of [path, archive]) utimesSync(used, now, now)
    return ref
  } catch {
    return undefined // not made yet, or cut off
  }
}

export function remember(cacheDir: string, key: string, ref: PackagesRef): void {
  const path = join(archiveFolder(cacheDir), `${key}.json`)
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, JSON.stringify(ref), { mode: 0o600 })
  renameSync(temporary, path)
}

/** Removes what was not used for long. */
export function trimArchives(cacheDir: string, now: number): void {
  trimFolder(folderOf(cacheDir), unusedMs, now)
}
