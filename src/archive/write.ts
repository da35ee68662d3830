import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { encodeHeader, ending, padding } from './tar.ts'

/** A file or link of an archive. */
export interface ArchiveEntry {
  readonly path: string
  /** A file here whose content it is. */
  readonly source?: string
  readonly executable?: boolean
  /** Of a symbolic link. */
  readonly target?: string
}

/** Writes <file>.tar.gz atomically. The same entries give the same bytes. */
export async function writeArchive(
  path: string,
  entries: readonly ArchiveEntry[],
): Promise<{ sha256: string; size: number }> {
  const temporary = `${path}.${process.pid}.tmp`
  const hash = createHash('sha256')
  let size = 0
  const measured = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  try {
    const out = createWriteStream(temporary, { mode: 0o600 })
    await pipeline(Readable.from(blocks(entries)), createGzip(), measured, out)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return { sha256: hash.digest('hex'), size }
}

async function* blocks(entries: readonly ArchiveEntry[]): AsyncGenerator<Uint8Array> {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))
  for (const { path, source, target, executable } of sorted) {
    const content = source === undefined ? new Uint8Array() : await readFile(source)
    yield encodeHeader({
      path,
      size: content.byteLength,
      ...(target === undefined ? {} : { target }),
      ...(executable ? { executable } : {}),
    })
    if (content.byteLength === 0) continue
    yield content
    yield padding(content.byteLength)
  }
  yield ending
}
