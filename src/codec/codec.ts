/**
 * Values and errors <-> bytes, on both ends: JSON with tags of our own, binary data beside it (wire.ts).
 *
 * Why not superjson for the tags: bundled it loads in 1.3 ms (2.2.6, Node 20.20), which would do, but it takes
 * 23 times as long as v8.serialize for 100,000 small objects, where this takes about 4 (5 with a Date each), and it
 * changes sparse arrays, invalid dates and null prototypes. v8.serialize is not readable from one Node to the next.
 */
import { CaptureError } from '../core/errors.ts'
import { decodeTree, named } from './decode.ts'
import { type Encoded, encodeTree } from './encode.ts'
import { standIn } from './error-node.ts'
import { stringifySlots } from './parts.ts'
import type { DecodeOptions, EncodeOptions } from './types.ts'
import { join, type ReadBytes, readWire, readWireFrom, writeWireChunks } from './wire.ts'

/**
 * The bytes of a value. Binary data goes out of band, each buffer once; shared references and cycles stay;
 * getters of plain objects are read; frozen and sealed state is lost.
 * @throws CaptureError VALUE_REFUSED, naming the path from `options.root` to what cannot travel
 * @example decode(encode(new Map([['a', 1n]]), { root: 'result' })) // Map(1) { 'a' => 1n }
 */
export function encode(value: unknown, options: EncodeOptions): Uint8Array {
  return whole(encodeChunks(value, options), options.root)
}

/**
 * The bytes of a value in pieces, as `encode` would give them in one. Binary data is not copied: the pieces show
 * the value's own memory, so write them before anything changes it. For values larger than one Buffer can be.
 * @throws CaptureError VALUE_REFUSED
 */
export function encodeChunks(value: unknown, options: EncodeOptions): Uint8Array[] {
  return write(encodeTree(value, options, false), options.root)
}

/**
 * The bytes of what the user's function threw. It always arrives: properties that cannot travel are left out
 * (undefined stands for them) and listed in the error's property Symbol.for('farcall.omitted').
 */
export function encodeError(error: unknown, options: EncodeOptions): Uint8Array {
  let why: string | undefined
  try {
    const encoded = encodeTree(error, options, true)
    why = encoded.omitted[0]
    const facts = why === undefined ? undefined : rootError(encoded)
    if (facts) Object.assign(facts, { omitted: encoded.omitted })
    if (why === undefined || facts || !isNothing(encoded))
      return whole(write(encoded, options.root), options.root)
  } catch (failure) {
    // Too large, most likely: what it says still arrives.
    why = failure instanceof Error ? failure.message : String(failure)
  }
  const root = { $E: standIn(error, why) }
  return whole(
    write({ root, head: [root], plain: false, parted: false, frames: [], omitted: [] }, options.root),
    options.root,
  )
}

/**
 * The value of these bytes. Executes no code but `options`' own, and takes no more memory than a small multiple
 * of the input.
 * @throws ResultError RESULT_CORRUPT for bytes that encode did not write, PROTOCOL_NEWER for a later wire version
 */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): unknown {
  return named(() => readTree(readWire(bytes), options))
}

/**
 * As `decode`, of bytes that `read` gives by pieces, at most 64 MB of a frame at once: a file, say.
 * @throws ResultError RESULT_CORRUPT, PROTOCOL_NEWER; what `read` throws becomes the cause of the former
 */
export function decodeFrom(read: ReadBytes, size: number, options: DecodeOptions = {}): unknown {
  return named(() => readTree(readWireFrom(read, size), options))
}

function readTree({ head, frames }: ReturnType<typeof readWire>, options: DecodeOptions): unknown {
  return head.plain ? JSON.parse(head.text) : decodeTree(head.text, frames, options)
}

function whole(chunks: readonly Uint8Array[], root: string): Uint8Array {
  try {
    return join(chunks)
  } catch (error) {
    const gigabytes = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0) / 2 ** 30
    throw new CaptureError(
      'VALUE_REFUSED',
      `${root}: its ${gigabytes.toFixed(1)} GB are too much for one message`,
      {
        hint: 'write a file that the function reads, or send it in parts',
        cause: error,
      },
    )
  }
}

function write({ head, plain, parted, frames }: Encoded, root: string): Uint8Array[] {
  return writeWireChunks({ text: stringifySlots(head, root), plain, parted }, frames)
}

function rootError({ root }: Encoded): object | undefined {
  return contentOf(root, '$E')?.[0]
}

/** Whether the root itself was left out. */
function isNothing({ root }: Encoded): boolean {
  return contentOf(root, '$O') === 0 || contentOf(root, '$') === 'undefined'
}

// biome-ignore lint/suspicious/noExplicitAny: what the encoder itself has just written
function contentOf(slot: any, tag: string): any {
  return slot?.[tag]
}
