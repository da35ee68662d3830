import { createHash } from 'node:crypto'
import { closeSync, createReadStream, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs'
import { dirname, posix } from 'node:path'
import { createGunzip } from 'node:zlib'
import { blockSize, decodeHeader, decodePax } from './tar.ts'

/** Names longer than any path. */
const paxLimit = 1 << 20

/** What was unpacked. */
export interface Extracted {
  /** Of the archive as it lies there, hexadecimal. */
  readonly sha256: string
  readonly files: number
}

/**
 * Unpacks an archive into a folder that is there and empty, as a stream: memory stays small whatever its size.
 * @throws Error for one that is damaged, or that names what lies outside the folder
 */
export async function extractArchive(archive: string, folder: string): Promise<Extracted> {
  const hash = createHash('sha256')
  const file = createReadStream(archive, { highWaterMark: 1 << 18 })
  const gunzip = createGunzip()
  file.on('data', (chunk) => hash.update(chunk))
  file.once('error', (error) => gunzip.destroy(error))
  const sink = new Sink(folder)
  try {
    for await (const chunk of file.pipe(gunzip)) sink.take(chunk as Buffer)
    return { sha256: hash.digest('hex'), files: sink.end() }
  } finally {
    sink.close()
    file.destroy()
  }
}

/** Takes the bytes of a tar archive as they come. */
class Sink {
  readonly #folder: string
  readonly #made = new Set<string>()
  #files = 0
  #block = Buffer.alloc(0)
  /** Of the current entry: what is still to come, with its padding. */
  #content = 0
  #padding = 0
  #fd: number | undefined
  #pax: Buffer[] | undefined
  #names = new Map<string, string>()
  #ended = false

  constructor(folder: string) {
    this.#folder = folder
  }

  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#ended; ) {
      if (this.#content > 0) {
        const piece = chunk.subarray(at, at + this.#content)
        if (this.#pax) this.#pax.push(piece)
        else writeAll(this.#fd!, piece)
        this.#content -= piece.length
        at += piece.length
        if (this.#content === 0) this.#finish()
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at)
        this.#padding -= skipped
        at += skipped
      } else {
        const piece = chunk.subarray(at, at + blockSize - this.#block.length)
        this.#block = Buffer.concat([this.#block, piece])
        at += piece.length
        if (this.#block.length === blockSize) this.#begin()
      }
    }
  }

  #begin(): void {
    const header = decodeHeader(this.#block)
    this.#block = Buffer.alloc(0)
    if (!header) {
      this.#ended = true
      return
    }
    const { type, size } = header
    this.#content = size
    this.#padding = (blockSize - (size % blockSize)) % blockSize
    if (type === 'x') {
      if (size > paxLimit) throw new Error(`a pax header of ${size} bytes`)
      this.#pax = []
    } else {
      const path = this.#names.get('path') ?? header.path
      const target = this.#names.get('linkpath') ?? header.target
      this.#names = new Map()
      const place = `${this.#folder}/${inside(path, path)}`
      this.#makeFolder(dirname(place))
      if (type === '2') {
        inside(posix.isAbsolute(target!) ? target! : `${posix.dirname(path)}/${target}`, path)
        symlinkSync(target!, place)
      } else if (type === '0') this.#fd = openSync(place, 'wx', header.executable ? 0o700 : 0o600)
      else throw new Error(`${path} is of type ${JSON.stringify(type)}`)
      this.#files++
    }
    if (size === 0) this.#finish()
  }

  #finish(): void {
    if (this.#pax) {
      this.#names = decodePax(Buffer.concat(this.#pax))
      this.#pax = undefined
    }
    this.close()
  }

  #makeFolder(folder: string): void {
    if (this.#made.has(folder)) return
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#made.add(folder)
  }

  /** @throws Error when bytes are missing */
  end(): number {
    if (!this.#ended) throw new Error('it ends early')
    return this.#files
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
}

/** @throws Error when a path leads out of the folder */
function inside(path: string, name: string): string {
  const normal = posix.normalize(path)
  if (posix.isAbsolute(path) || normal === '..' || normal.startsWith('../') || path.includes('\0'))
    throw new Error(`${JSON.stringify(name)} leads out of its folder`)
  return path
}
