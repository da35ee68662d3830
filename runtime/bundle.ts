import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { hostname } from 'node:os'
import { pathToFileURL } from 'node:url'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { readTable } from '../src/core/pack.ts'
import { type BlobRef, blobName } from '../src/core/protocol.ts'
import { LaunchError, type Place } from './arguments.ts'

/** The blob's path, once its content is known to be what the client sent. */
export function verifiedBlob(place: Place, blob: BlobRef): string {
  const path = `${place.workdir}/blobs/${blobName(blob)}`
  let content: Buffer
  try {
    content = readFileSync(path)
  } catch (error) {
    throw new LaunchError(`the bundle ${path} cannot be read: ${(error as Error).message}`)
  }
  const sha256 = createHash('sha256').update(content).digest('hex')
  if (sha256 !== blob.sha256)
    throw new LaunchError(`the bundle ${path} is damaged: ${content.length} bytes with sha256 ${sha256}`)
  return path
}

/** @param compiledFor major version of the Node that the bundle was compiled for */
export async function importBundle(path: string, compiledFor = 0): Promise<BundleModule> {
  try {
    return await import(pathToFileURL(path).href)
  } catch (error) {
    if (!(error instanceof SyntaxError) || Number.parseInt(process.versions.node, 10) >= compiledFor)
      throw error
    throw new LaunchError(
      `Node is ${process.version} on ${hostname()}, and the function was compiled for Node ${compiledFor}, the oldest seen here so far (${error.message}); call it again: the next one is compiled for this Node`,
    )
  }
}

/** The captured values, and the arguments of items [from, to). */
export function readArguments(
  place: Place,
  from: number,
  to: number,
): { values: Uint8Array; items: Uint8Array[] } {
  return fromPack(place, (read) => {
    // Entry 0 is the captured values; a member that begins with item 0 finds it next to its own.
    const entries = readTable(read, from === 0 ? 0 : from + 1, to + 1)
    const values = from === 0 ? entries.shift() : readTable(read, 0, 1)[0]
    return { values: values!, items: entries }
  })
}

/** One entry of args.pack. */
export function readEntry(place: Place, index: number): Uint8Array {
  return fromPack(place, (read) => readTable(read, index, index + 1)[0]!)
}

function fromPack<T>(place: Place, look: (read: (position: number, length: number) => Uint8Array) => T): T {
  const path = `${place.job}/args.pack`
  let fd: number | undefined
  try {
    const file = openSync(path, 'r')
    fd = file
    return look((position, length) => readExactly(file, position, length))
  } catch (error) {
    throw new LaunchError(`the arguments in ${path} cannot be read: ${(error as Error).message}`)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

export function readExactly(fd: number, position: number, length: number): Uint8Array {
  if (length > 2 ** 32) throw new Error(`${length} bytes are asked of it`)
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; ) {
    const count = readSync(fd, bytes, at, Math.min(length - at, 1 << 30), position + at)
    if (count === 0) throw new Error(`it ends ${length - at} bytes early`)
    at += count
  }
  return bytes
}
