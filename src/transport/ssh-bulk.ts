import type { SFTPWrapper } from 'ssh2'
import type { Lifeline } from './connection.ts'
import { isRefusal, type SftpSession } from './ssh-connection.ts'

const chunkSize = 128 * 1024
const window = 64

/** Large files over SFTP, many requests in flight. Counts the answers waited for by `onTrip`. */
export interface BulkSession {
  /** Writes under a name that does not exist yet. */
  write(path: string, content: Uint8Array | { readonly localPath: string }, size: number): Promise<void>
  read(path: string, from: number, length: number): Promise<Buffer>
}

/** Undefined: the server gives no further session, or has no SFTP. */
export async function openBulkSession(
  { sftpClient, lifeline }: { sftpClient: SftpSession; lifeline: Lifeline },
  onTrip: (count: number) => void,
): Promise<BulkSession | undefined> {
  if (!sftpClient.sftp) {
    onTrip(3) // channel, subsystem, version
    try {
      sftpClient.sftp = await lifeline.guard<SFTPWrapper>((resolve, reject) =>
        sftpClient.client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))),
      )
    } catch (error) {
      if (!lifeline.lost && isRefusal(error as Error)) return undefined
      throw error
    }
    sftpClient.sftp.setMaxListeners(0)
    sftpClient.sftp.on('close', () => {
      delete sftpClient.sftp
    })
    sftpClient.sftp.on('error', () => {
      // the call that failed has told its own; 'close' follows when all is over
    })
  }
  const sftp = sftpClient.sftp
  const call = <T>(start: (done: (error: Error | null | undefined, value?: T) => void) => void) =>
    lifeline.guard<T>((resolve, reject) =>
      start((error, value) => (error ? reject(error) : resolve(value as T))),
    )
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
      if (!lifeline.lost) await call<void>((done) => sftp.close(handle, done))
      onTrip(2)
    }
  }
  const windows = (size: number) => onTrip(Math.max(1, Math.ceil(size / (chunkSize * window))))

  return {
    async write(path, content, size) {
      windows(size)
      if (!(content instanceof Uint8Array)) {
        onTrip(3) // open, chmod, close
        const options = { concurrency: window, chunkSize, mode: 0o600 }
        await lifeline.guard<void>((resolve, reject) => {
          sftpClient.fastPut(content.localPath, path, options).then(() => resolve(), reject)
        })
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
