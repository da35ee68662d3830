import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { encodeRecord, type PackRecord, type PiecedRecord } from '../src/core/pack.ts'
import { type MemberEnd, noticeLimit, noticeMagic, paths } from '../src/core/protocol.ts'
import type { Place } from './arguments.ts'

/** Everything that the member leaves behind: records, `end`, the notice. All synchronous, so that exit handlers can use it. */
export interface Output {
  readonly bytes: number
  append(record: PackRecord | PiecedRecord): void
  /** What was appended is on the disk. */
  sync(): void
  /** `end` and the notice. The last word: nothing is appended after it. */
  close(client: string | undefined, end: MemberEnd): void
}

/** The job's own files cannot be written. */
export class OutputError extends Error {}

export function openOutput(place: Place): Output {
  // Its being there is also what tells job.sh that the runtime started.
  const fd = openSync(`${place.run}/out.pack`, 'ax', 0o600)
  let bytes = 0
  /** What the notice would hold; undefined once it is too much. */
  let small: Buffer[] | undefined = []
  return {
    get bytes() {
      return bytes
    },
    append(record) {
      const pieces = encodeRecord(record)
      const size = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
      // A small one is one write. A copy: a later item may change the memory that the pieces show.
      const parts = size <= noticeLimit ? [Buffer.concat(pieces, size)] : pieces
      try {
        for (const part of parts) writeAll(fd, part)
      } catch (error) {
        // A disk that is full then has room for saying so.
        ftruncateSync(fd, bytes)
        throw new OutputError(`the result could not be written: ${(error as Error).message}`)
      }
      bytes += size
      if (bytes > noticeLimit) small = undefined
      else small?.push(...(parts as Buffer[]))
    },
    sync: () => fsyncSync(fd),
    close(client, end) {
      fsyncSync(fd)
      closeSync(fd)
      const line = Buffer.from(`${JSON.stringify(end)}\n`)
      writeWhole(`${place.run}/.end`, `${place.run}/end`, [line])
      if (client === undefined) return
      const records = small ?? []
      const size = records.reduce((sum, part) => sum + part.length, 0)
      const header = Buffer.from(`${noticeMagic} ${line.length} ${size}\n`)
      const inbox = `${place.workdir}/${paths.inbox(client)}`
      const name = paths.notice(place.id, place.attempt, place.member)
      mkdirSync(inbox, { recursive: true, mode: 0o700 })
      writeWhole(`${inbox}/.${name}`, `${inbox}/${name}`, [header, line, ...records])
    },
  }
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  // One write takes less than 2 GB, and may take less than it was given.
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, Math.min(bytes.length - at, 1 << 30))
}

export function writeWhole(temporary: string, path: string, parts: readonly Uint8Array[]): void {
  const fd = openSync(temporary, 'w', 0o600)
  for (const part of parts) writeAll(fd, part)
  fsyncSync(fd)
  closeSync(fd)
  try {
    renameSync(temporary, path)
  } catch (error) {
    // NFS repeats a rename whose answer was lost, and then says ENOENT of one that was done.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !existsSync(path)) throw error
  }
}
