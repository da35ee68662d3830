/**
 * The bytes of one value:
 *
 *   'FC' | version u8 | flags u8 | head length u32 | frames u32 | length of each frame u64 … | head (JSON) | frames …
 *
 * Little endian. With the flag `plain` the head is the value. Otherwise it is [value, ...deferred], where an object
 * with one key that starts with $ is a tag: {"$":3} the fourth object met so far, {"$d":1} the first deferred one,
 * {"$":"nan"}, {"$D":0} a Date … Objects more than `maxDepth` deep are deferred, so that depth never matters.
 * In version 2 the last frames hold text that would be too much for one head (parts.ts); what has none is version 1.
 */
import { ResultError } from '../core/errors.ts'

export const wireVersion = 2
const fixedHeader = 12
const plainFlag = 1

/** How far objects nest in the head before they are deferred. */
export const maxDepth = 64

/** What {"$": word} stands for: primitives that JSON has no word for. */
export const specialWords: ReadonlyMap<unknown, unknown> = new Map<unknown, unknown>([
  ['undefined', undefined],
  ['nan', Number.NaN],
  ['-0', -0],
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
])

export interface Head {
  readonly text: string
  readonly plain: boolean
  /** Whether frames hold parts of the text. */
  readonly parted?: boolean
}

export function corrupt(what: string, cause?: unknown): ResultError {
  return new ResultError('RESULT_CORRUPT', `the encoded value is damaged: ${what}`, {
    hint: 'it was cut off or changed on its way; run the job again',
    cause,
  })
}

/** The bytes in pieces, the frames as they are: what is written to a file needs no copy of them. */
export function writeWireChunks(head: Head, frames: readonly Uint8Array[]): Uint8Array[] {
  const headLength = Buffer.byteLength(head.text)
  const headStart = fixedHeader + 8 * frames.length
  const out = Buffer.allocUnsafeSlow(headStart + headLength)
  out.write('FC', 0, 'latin1')
  out[2] = head.parted ? wireVersion : 1
  out[3] = head.plain ? plainFlag : 0
  out.writeUInt32LE(headLength, 4)
  out.writeUInt32LE(frames.length, 8)
  frames.forEach((frame, index) => {
    out.writeBigUInt64LE(BigInt(frame.byteLength), fixedHeader + 8 * index)
  })
  out.write(head.text, headStart, 'utf8')
  return [out, ...frames]
}

export function writeWire(head: Head, frames: readonly Uint8Array[]): Uint8Array {
  return join(writeWireChunks(head, frames))
}

/** One array of bytes that is nobody else's. */
export function join(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!
  let total = 0
  for (const chunk of chunks) total += chunk.byteLength
  const out = Buffer.allocUnsafeSlow(total)
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.byteLength
  }
  return out
}

/** Gives exactly these bytes; they may be a view of what others hold too. */
export type ReadBytes = (position: number, length: number) => Uint8Array

export interface Frames {
  readonly count: number
  /** A frame's bytes in a buffer of their own, aligned, and nothing around them. */
  take(index: number): ArrayBuffer
}

export function readWire(bytes: Uint8Array): { head: Head; frames: Frames } {
  return readWireFrom((at, length) => bytes.subarray(at, at + length), bytes.byteLength)
}

/** A frame is read by pieces of this size where the bytes lie in a file. */
const pieceSize = 64 * 2 ** 20

/** The head, and the frames to come. Every length is checked against what is there before it is used. */
export function readWireFrom(source: ReadBytes, size: number): { head: Head; frames: Frames } {
  const read: ReadBytes = (at, length) => {
    const bytes = source(at, length)
    if (bytes.byteLength !== length) throw corrupt('it is cut off')
    return bytes
  }
  const fixed = toBuffer(read(0, Math.min(size, fixedHeader)))
  if (fixed.length < 4 || fixed.toString('latin1', 0, 2) !== 'FC') throw corrupt('it does not start as one')
  const version = fixed[2]!
  if (version > wireVersion)
    throw new ResultError(
      'PROTOCOL_NEWER',
      `the encoded value has wire version ${version}, this farcall reads up to ${wireVersion}`,
      { hint: 'use the farcall that wrote it, or a newer one' },
    )
  if (version === 0) throw corrupt(`wire version ${version}`)
  if (fixed.length < fixedHeader) throw corrupt('its header is cut off')
  const flags = fixed[3]!
  const headLength = fixed.readUInt32LE(4)
  const count = fixed.readUInt32LE(8)
  const headStart = fixedHeader + 8 * count
  let at = headStart + headLength
  if (at > size) throw corrupt('its head is cut off')
  const lengths = toBuffer(read(fixedHeader, 8 * count))
  const places: [start: number, length: number][] = []
  for (let index = 0; index < count; index++) {
    const length = Number(lengths.readBigUInt64LE(8 * index))
    if (length > size - at) throw corrupt(`frame ${index} is cut off`)
    places.push([at, length])
    at += length
  }
  if (at !== size) throw corrupt(`${size - at} bytes too many`)
  if (flags > plainFlag) throw corrupt('unknown flags')
  const text = toBuffer(read(headStart, headLength)).toString('utf8')
  const frames: Frames = {
    count,
    take(index) {
      const [start, length] = places[index]!
      const copy = new Uint8Array(length)
      for (let done = 0; done < length; done += pieceSize)
        copy.set(read(start + done, Math.min(pieceSize, length - done)), done)
      return copy.buffer
    },
  }
  return { head: { text, plain: flags === plainFlag }, frames }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
