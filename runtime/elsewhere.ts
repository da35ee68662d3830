/** Values whose bytes are not where they are named. */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { decodeFrom } from '../src/codec/codec.ts'
import type { BundleModule } from '../src/core/bundle-module.ts'
import type { Elsewhere } from '../src/core/elsewhere.ts'
import { deepFreeze } from '../src/core/freeze.ts'
import { type BlobRef, blobName, type JobSpec } from '../src/core/protocol.ts'
import { SharedValue } from '../src/core/shared.ts'
import { LaunchError, type Place } from './arguments.ts'
import { readEntry, readExactly } from './bundle.ts'
import { decodeWith } from './values.ts'

/** Gives the value that lies there. @throws LaunchError */
export type ReadElsewhere = (bundle: BundleModule, at: unknown) => unknown

const pieceSize = 64 * 2 ** 20
/** Bytes that repeat are held so that not every item reads them again. */
const mostHeld = 64 * 2 ** 20

/** What the arguments of a job's items name. */
export function elsewhereOf(place: Place, spec: JobSpec): ReadElsewhere {
  const fromBlobs = elsewhereIn(`${place.workdir}/blobs`)
  const held = new Map<number, Uint8Array>()
  const bytesOf = (entry: number): Uint8Array => {
    const known = held.get(entry)
    if (known) return known
    const bytes = readEntry(place, 1 + spec.items + entry)
    if (bytes.byteLength > mostHeld) return bytes
    const total = [...held.values()].reduce((sum, { byteLength }) => sum + byteLength, bytes.byteLength)
    if (total > mostHeld) held.clear()
    held.set(entry, bytes)
    return bytes
  }
  const read: ReadElsewhere = (bundle, at) => {
    const { entry } = at as { entry?: unknown }
    if (typeof entry !== 'number') return fromBlobs(bundle, at)
    // Anew for each item: what one does to it is not seen by the next.
    return decodeWith(bundle, bytesOf(entry), read)
  }
  return read
}

/** What lies in a folder of blobs: one handle for each, whose value is read when it is first asked for. */
export function elsewhereIn(folder: string): ReadElsewhere {
  const handles = new Map<string, SharedValue<unknown>>()
  return (_bundle, at) => {
    const { blob } = at as Elsewhere & { blob?: BlobRef }
    if (!blob) throw new LaunchError(`a value lies where this runtime cannot look: ${JSON.stringify(at)}`)
    const name = blobName(blob)
    const known = handles.get(name)
    if (known) return known
    let held: { value: unknown } | undefined
    const handle = new SharedValue(blob, () => {
      held ??= { value: deepFreeze(readShared(`${folder}/${name}`, blob)) }
      return held.value
    })
    handles.set(name, handle)
    return handle
  }
}

/** By pieces, so that the value is the only copy. */
function readShared(path: string, blob: BlobRef): unknown {
  let file: number | undefined
  try {
    const fd = openSync(path, 'r')
    file = fd
    const { size } = fstatSync(fd)
    if (size !== blob.size) throw new Error(`it has ${size} bytes instead of ${blob.size}`)
    const hash = createHash('sha256')
    for (let at = 0; at < size; at += pieceSize)
      hash.update(readExactly(fd, at, Math.min(pieceSize, size - at)))
    if (hash.digest('hex') !== blob.sha256) throw new Error('its content is not what was sent')
    return decodeFrom((at, length) => readExactly(fd, at, length), size)
  } catch (error) {
    throw new LaunchError(`the shared value ${path} cannot be read: ${(error as Error).message}`)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
