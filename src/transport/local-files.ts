import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileFailed } from './failures.ts'
import type { FileStat, FileToPut } from './transport.ts'

/** Under a temporary name, synced, then renamed: a reader sees the whole file or none. */
export async function putFile(file: FileToPut): Promise<void> {
  const temporary = `${dirname(file.path)}/.put-${randomBytes(8).toString('hex')}`
  try {
    await mkdir(dirname(file.path), { recursive: true, mode: 0o700 })
    const handle = await open(temporary, 'wx', 0o600)
    try {
      if (file.content instanceof Uint8Array) await handle.writeFile(file.content)
      else await writeFile(handle, createReadStream(file.content.localPath))
      // after the write, and by chmod, so that the umask does not take a part of it
      await handle.chmod(file.mode ?? 0o600)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file.path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {
      // the error that matters is the one below; a leftover temporary file is harmless
    })
    throw fileFailed('write', file.path, (error as Error).message, error)
  }
}

export async function getFile(
  path: string,
  range?: { from: number; length?: number },
): Promise<Uint8Array | undefined> {
  return missingIsUndefined('read', path, async () => {
    const handle = await open(path, 'r')
    try {
      const { size } = await handle.stat()
      if (!range && size === 0) return await handle.readFile()
      const from = range?.from ?? 0
      const want = Math.max(0, Math.min(range?.length ?? Infinity, size - from))
      const bytes = Buffer.alloc(want)
      let filled = 0
      while (filled < want) {
        const { bytesRead } = await handle.read(bytes, filled, want - filled, from + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.subarray(0, filled)
    } finally {
      await handle.close()
    }
  })
}

export async function listFolder(path: string): Promise<readonly string[]> {
  return (await missingIsUndefined('list', path, () => readdir(path))) ?? []
}

export async function statFile(path: string): Promise<FileStat | undefined> {
  return missingIsUndefined('stat', path, async () => {
    const found = await stat(path)
    return {
      size: found.size,
      uid: found.uid,
      mode: found.mode & 0o7777,
      mtime: found.mtimeMs / 1000,
      type: found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other',
    }
  })
}

export async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 2 })
    } catch (error) {
      // a parent that is a file: the path is not there, which is what was asked
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') continue
      throw fileFailed('remove', path, (error as Error).message, error)
    }
  }
}

async function missingIsUndefined<T>(
  verb: string,
  path: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw fileFailed(verb, path, (error as Error).message, error)
  }
}
