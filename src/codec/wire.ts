/**
 * The bytes of one value:
 *
 *   'FCV' | version u8 | head length u32 | frames u32 | length of each frame u64 … | head (JSON) | frames …
 *
 * Little endian. The head is a flat table, so that neither depth nor cycles matter: entry 0 is the root's slot,
 * the others are objects in breadth-first order. A slot is a JSON primitive, `[n]` for object n, or one of `special`.
 */
import { ResultError } from '../core/errors.ts'

export const wireVersion = 1
const fixedHeader = 12

/** Slots of primitives that JSON has no word for. Bigints are [bigintSlot, hex]: decimal takes quadratic time. */
export const special = {
  undefined: [-1],
  nan: [-2],
  negativeZero: [-3],
  infinity: [-4],
  negativeInfinity: [-5],
} as const
export const bigintSlot = -6

export function corrupt(what: string, cause?: unknown): ResultError {
  return new ResultError('RESULT_CORRUPT', `the encoded value is damaged: ${what}`, {
    hint: 'it was cut off or changed on its way; run the job again',
    cause,
  })
}

export function writeWire(head: string, frames: readonly Uint8Array[]): Uint8Array {
  const headLength = Buffer.byteLength(head)
  const headStart = fixedHeader + 8 * frames.length
  let total = headStart + headLength
  for (const frame of frames) total += frame.byteLength
  const out = Buffer.allocUnsafeSlow(total)
  out.write('FCV', 0, 'latin1')
  out[3] = wireVersion
  out.writeUInt32LE(headLength, 4)
  out.writeUInt32LE(frames.length, 8)
  out.write(head, headStart, 'utf8')
  let at = headStart + headLength
  frames.forEach((frame, index) => {
    out.writeBigUInt64LE(BigInt(frame.byteLength), fixedHeader + 8 * index)
    out.set(frame, at)
    at += frame.byteLength
  })
  return out
}

/** The head, and views of the frames. Every length is checked against what is there before it is used. */
export function readWire(bytes: Uint8Array): { head: string; frames: Uint8Array[] } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (all.length < 4 || all.toString('latin1', 0, 3) !== 'FCV') throw corrupt('it does not start as one')
  const version = all[3]!
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
  return { head: all.toString('utf8', headStart, headStart + headLength), frames }
}
