import { type FileHandle, open } from 'node:fs/promises'
import type { SftpChannels } from './sftp-channel.ts'

const chunkSize = 128 * 1024
const window = 64
/** Read from a local file at once, while the one before is on its way. */
const blockSize = 16 * chunkSize

/** Large files over SFTP, many requests in flight. Counts the answers waited for by `onTrip`. */
export interface BulkSession {
  /** Writes under a name that does not exist yet. */
  write(path: string, content: Uint8Array | { readonly localPath: string }, size: number): Promise<void>
  read(path: string, from: number, length: number): Promise<Buffer>
}

/** Undefined: the server gives no further session, or has no SFTP. */
export async function openBulkSession(
  channels: SftpChannels,
  onTrip: (count: number) => void,
): Promise<BulkSession | undefined> {
  const channel = await channels.current(() => onTrip(3)) // channel, subsystem, version
  if (!channel) return undefined
  const { sftp, call } = channel
  const withHandle = async <T>(
    path: string,
    flags: 'r' | 'wx',
    work: (handle: Buffer) => Promise<T>,
  ): Promise<T> => {
    const handle = await call<Buffer>((done) =>
      flags === 'r' ? sftp.open(path, 'r', done) : sftp.open(path, 'wx', { mode: 0o600 }, done),
    )
    try {
      return await work(handle)
    } finally {
      if (!channel.lost) await call<void>((done) => sftp.close(handle, done))
      onTrip(2)
    }
  }
  const windows = (size: number) => onTrip(Math.max(1, Math.ceil(size / (chunkSize * window))))

  return {
    async write(path, content, size) {
      windows(size)
      if (!(content instanceof Uint8Array)) {
        const file = await open(content.localPath)
        try {
          await withHandle(path, 'wx', (handle) =>
            writeInOrder(file, size, (block, from, length, at) =>
              call<void>((done) => sftp.write(handle, block, from, length, at, done)),
            ),
          )
        } finally {
          await file.close()
        }
        return
      }
      const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
      await withHandle(path, 'wx', (handle) =>
        inWindow(size, (at, length) => call<void>((done) => sftp.write(handle, bytes, at, length, at, done))),
      )
    },
    async read(path, from, length) {
      windows(length)
      const bytes = Buffer.alloc(length)
      const filled = await withHandle(path, 'r', async (handle) => {
        let shortest = length
        await inWindow(length, async (at, size) => {
          let done = 0
          while (done < size) {
            const got = await call<number>((finish) =>
              sftp.read(handle, bytes, at + done, size - done, from + at + done, (error, count) => {
                // code 1: the end, since the file became shorter
                if ((error as { code?: number } | undefined)?.code === 1) finish(undefined, 0)
                else finish(error, count)
              }),
            )
            if (got === 0) {
              shortest = Math.min(shortest, at + done)
              return
            }
            done += got
          }
        })
        return shortest
      })
      return bytes.subarray(0, filled)
    },
  }
}

/** Calls for each chunk, so many at a time. */
async function inWindow(size: number, work: (at: number, length: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < size) {
      const at = next
      next += chunkSize
      await work(at, Math.min(chunkSize, size - at))
    }
  }
  await Promise.all(Array.from({ length: window }, lane))
}

/** Sends a local file from its begin to its end, so many chunks at a time, and reads one block ahead. */
async function writeInOrder(
  file: FileHandle,
  size: number,
  write: (block: Buffer, from: number, length: number, at: number) => Promise<void>,
): Promise<void> {
  const waiting = new Set<Promise<void>>()
  const blocks = [Buffer.allocUnsafe(blockSize), Buffer.allocUnsafe(blockSize)] as const
  const readAt = (at: number) => {
    const read = fill(file, blocks[(at / blockSize) % 2]!, Math.min(blockSize, size - at), at)
    read.catch(() => {}) // told where it is awaited
    return read
  }
  let failure: unknown
  let next = size > 0 ? readAt(0) : undefined
  for (let at = 0; at < size; at += blockSize) {
    const block = await next!
    if (at + blockSize < size) next = readAt(at + blockSize)
    for (let from = 0; from < block.length; from += chunkSize) {
      while (waiting.size >= window) await Promise.race(waiting)
      if (failure !== undefined) throw failure
      // ssh2 copies the bytes before it returns
      const writing: Promise<void> = write(block, from, Math.min(chunkSize, block.length - from), at + from)
        .catch((error) => {
          failure ??= error
        })
        .finally(() => waiting.delete(writing))
      waiting.add(writing)
    }
  }
  await Promise.all(waiting)
  if (failure !== undefined) throw failure
}

/** The bytes of a file from there on, as many as there were. */
async function fill(file: FileHandle, block: Buffer, length: number, at: number): Promise<Buffer> {
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(block, done, length - done, at + done)
    if (bytesRead === 0) throw new Error('the local file became shorter meanwhile')
    done += bytesRead
  }
  return block.subarray(0, length)
}
