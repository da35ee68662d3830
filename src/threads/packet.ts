import { CaptureError } from '../core/errors.ts'

/** Values on their way to another thread: plain ones as they are, the others written into memory that moves along. */
export interface Packet {
  /** A primitive, or where in `bytes` the value is written, and which are its shared ones: [start, end, first, last]. */
  readonly values: readonly unknown[]
  readonly bytes: ArrayBuffer
  readonly shared: readonly SharedArrayBuffer[]
}

/** The pieces of a value's bytes; puts the SharedArrayBuffers that it meets into `shared`. */
export type Write = (value: unknown, index: number, shared: SharedArrayBuffer[]) => readonly Uint8Array[]
export type Read = (bytes: Uint8Array, shared: readonly SharedArrayBuffer[]) => unknown

/** @throws CaptureError VALUE_REFUSED, what `write` throws */
export function pack(values: readonly unknown[], write: Write): Packet {
  const shared: SharedArrayBuffer[] = []
  const pieces: Uint8Array[] = []
  let size = 0
  const slots = values.map((value, index) => {
    if (travelsAsItIs(value)) return value
    const start = size
    const its: SharedArrayBuffer[] = []
    for (const piece of write(value, index, its)) {
      pieces.push(piece)
      size += piece.byteLength
    }
    return [start, size, shared.length, shared.push(...its)]
  })
  return { values: slots, bytes: gather(pieces, size), shared }
}

/** What goes with a packet by being moved, not copied. */
export function moved({ bytes }: Packet): ArrayBuffer[] {
  return bytes.byteLength > 0 ? [bytes] : []
}

export function unpack({ values, bytes, shared }: Packet, read: Read): unknown[] {
  return values.map((slot) => {
    if (!Array.isArray(slot)) return slot
    const [start, end, first, last] = slot as [number, number, number, number]
    return read(new Uint8Array(bytes, start, end - start), shared.slice(first, last))
  })
}

/** Without being written. */
export function travelsAsItIs(value: unknown): boolean {
  return (
    value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
  )
}

function gather(pieces: readonly Uint8Array[], size: number): ArrayBuffer {
  let bytes: ArrayBuffer
  try {
    bytes = new ArrayBuffer(size)
  } catch (cause) {
    throw new CaptureError(
      'VALUE_REFUSED',
      `${(size / 2 ** 30).toFixed(1)} GB are too much for one message`,
      {
        cause,
        hint: 'keep it in a SharedArrayBuffer, which is not copied, or give smaller items',
      },
    )
  }
  const all = new Uint8Array(bytes)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.byteLength
  }
  return bytes
}
