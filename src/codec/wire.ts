/**
 * The bytes of one value:
 *
 *   'FC' | version u8 | flags u8 | head length u32 | frames u32 | length of each frame u64 … | head (JSON) | frames …
 *
 * Little endian. With the flag `plain` the head is the value. Otherwise it is [value, ...deferred], where an object
 * with one key that starts with $ is a tag: {"$":3} the fourth object met so far, {"$d":1} the first deferred one,
 * {"$":"nan"}, {"$D":0} a Date … Objects more than `maxDepth` deep are deferred, so that depth never matters.
 */
import { ResultError } from '../core/errors.ts'

export const wireVersion = 1
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
}

export function corrupt(what: string, cause?: unknown): ResultError {
  return new ResultError('RESULT_CORRUPT', `the encoded value is damaged: ${what}`, {
    hint: 'it was cut off or changed on its way; run the job again',
    cause,
  })
}

export function writeWire(head: Head, frames: readonly Uint8Array[]): Uint8Array {
  const headLength = Buffer.byteLength(head.text)
  const headStart = fixedHeader + 8 * frames.length
  let total = headStart + headLength
  for (const frame of frames) total += frame.byteLength
  const out = Buffer.allocUnsafeSlow(total)
  out.write('FC', 0, 'latin1')
  out[2] = wireVersion
  out[3] = head.plain ? plainFlag : 0
  out.writeUInt32LE(headLength, 4)
  out.writeUInt32LE(frames.length, 8)
  out.write(head.text, headStart, 'utf8')
  let at = headStart + headLength
  frames.forEach((frame, index) => {
    out.writeBigUInt64LE(BigInt(frame.byteLength), fixedHeader + 8 * index)
    out.set(frame, at)
    at += frame.byteLength
  })
  return out
}

/** The head, and views of the frames. Every length is checked against what is there before it is used. */
export function readWire(bytes: Uint8Array): { head: Head; frames: Uint8Array[] } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (all.length < 4 || all.toString('latin1', 0, 2) !== 'FC') throw corrupt('it does not start as one')
  const version = all[2]!
  if (version > wireVersion)
    throw new ResultError(
      'PROTOCOL_NEWER',
      `the encoded value has wire version ${version}, this farcall reads up to ${wireVersion}`,
      { hint: 'use the farcall that wrote it, or a newer one' },
    )
  if (version !== wireVersion) throw corrupt(`wire version ${version}`)
  if (all.length < fixedHeader) throw corrupt('its header is cut off')
  const headLength = all.readUInt32LE(4)
  const count = all.readUInt32LE(8)
  const headStart = fixedHeader + 8 * count
  let at = headStart + headLength
  if (at > all.length) throw corrupt('its head is cut off')
  const frames: Uint8Array[] = []
  for (let index = 0; index < count; index++) {
    const length = Number(all.readBigUInt64LE(fixedHeader + 8 * index))
    if (length > all.length - at) throw corrupt(`frame ${index} is cut off`)
    frames.push(all.subarray(at, at + length))
    at += length
  }
  if (at !== all.length) throw corrupt(`${all.length - at} bytes too many`)
  const flags = all[3]!
  if (flags > plainFlag) throw corrupt('unknown flags')
  const text = all.toString('utf8', headStart, headStart + headLength)
  return { head: { text, plain: flags === plainFlag }, frames }
}
