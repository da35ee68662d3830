/** Transfers within this machine, and what both kinds of transfers do at this end. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { FileError } from '../../core/errors.ts'
import { fileFailure } from '../../files/failures.ts'
import { nameFromBytes, nativeName } from '../../files/names.ts'
import { joinPath } from '../../files/paths.ts'
import type { Carrying, End } from './end.ts'
import { nameThere, partialName, type TreeEntry } from './tree.ts'

/** ~ is the home folder here, too. */
export function localPath(path: string): string {
  return /^~(?=\/|$)/.test(path) ? `${homedir()}${path.slice(1)}` : path
}

export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(nativeName(path), { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}

export async function linkTarget(path: string): Promise<string> {
  return nameFromBytes(await readlink(nativeName(path), { encoding: 'buffer' }))
}

/** Makes a file whole, with mode and time; `fill` writes it under another name. */
export async function placeLocally(
  path: string,
  entry: Pick<TreeEntry, 'size' | 'mode' | 'mtime'>,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = joinPath(dirname(path), partialName(path, entry))
  try {
    await mkdir(nativeName(dirname(path)), { recursive: true })
    await fill(temporary)
    await finishLocally(temporary, path, entry)
  } catch (error) {
    await rm(nativeName(temporary), { force: true })
    throw fileFailure('write', path, error)
  }
}

export async function finishLocally(
  temporary: string,
  path: string,
  { mode, mtime }: Pick<TreeEntry, 'mode' | 'mtime'>,
): Promise<void> {
  await chmod(nativeName(temporary), mode)
  await utimes(nativeName(temporary), mtime, mtime)
  await rename(nativeName(temporary), nativeName(path))
}

export async function linkLocally(path: string, target: string): Promise<void> {
  try {
    await mkdir(nativeName(dirname(path)), { recursive: true })
    const temporary = joinPath(dirname(path), partialName(path, { size: target.length, mtime: 0 }))
    await rm(nativeName(temporary), { force: true })
    await symlink(nativeName(target), nativeName(temporary))
    await rename(nativeName(temporary), nativeName(path))
  } catch (error) {
    throw fileFailure('write', path, error)
  }
}

export async function makeFolderLocally(path: string, mode: number): Promise<void> {
  try {
    // Whoever owns it must be able to fill it.
    await mkdir(nativeName(path), { recursive: true, mode: mode | 0o700 })
  } catch (error) {
    throw fileFailure('mkdir', path, error)
  }
}

export const writeSmall = (path: string, entry: TreeEntry, content: Uint8Array): Promise<void> =>
  placeLocally(path, entry, (temporary) => writeFile(nativeName(temporary), content, { mode: 0o600 }))

/** `base` is where relative paths of the far side begin; those of this side begin in the working directory. */
export function nearEnd(base: () => string): End {
  const there = (path: string) => (/^[/~]/.test(path) ? localPath(path) : joinPath(base(), path))
  const copy = async (from: string, to: string, entries: readonly TreeEntry[], carrying: Carrying) => {
    const { onBytes, onFile, signal } = carrying
    for (const entry of entries) {
      signal?.throwIfAborted()
      const source = joinPath(from, entry.relative)
      const target = joinPath(to, nameThere(entry))
      if (entry.type === 'folder') await makeFolderLocally(target, entry.mode)
      else if (entry.type === 'link') await linkLocally(target, await linkTarget(source))
      else
        await placeLocally(target, entry, (temporary) => copyFile(nativeName(source), nativeName(temporary)))
      if (entry.type === 'file') onBytes(entry.size)
      if (entry.type !== 'folder') onFile()
    }
  }
  return {
    receive: (local, folder, ...rest) => copy(localPath(local), there(folder), ...rest),
    send: (folder, local, ...rest) => copy(there(folder), localPath(local), ...rest),
    // a copy within this machine sends nothing
    deltas: async () => undefined,
    hashes: (folder, relatives) => inOrder(relatives, (one) => hashOf(joinPath(there(folder), one))),
    targets: (folder, relatives) => inOrder(relatives, (one) => linkTarget(joinPath(there(folder), one))),
    async removeBelow(folder, relatives) {
      const real = await realpath(nativeName(there(folder)))
      const home = await realpath(homedir())
      if (`${home}/`.startsWith(`${real.replace(/\/$/, '')}/`)) throw refuseSync(folder)
      for (const one of relatives)
        await rm(nativeName(joinPath(there(folder), one)), { recursive: true, force: true })
    },
  }
}

export function refuseSync(folder: string): FileError {
  return new FileError(
    'FILE_REFUSED',
    `sync ${folder}: nothing is removed from the home folder or above it`,
    folder,
    {
      hint: 'sync a folder below it, or without `delete`',
    },
  )
}

async function inOrder(
  relatives: readonly string[],
  work: (relative: string) => Promise<string>,
): Promise<string[]> {
  const all: string[] = []
  for (const one of relatives) all.push(await work(one))
  return all
}
