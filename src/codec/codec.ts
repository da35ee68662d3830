/**
 * Values and errors <-> bytes, on both ends.
 */
import { CaptureError } from '../core/errors.ts'
import { named, unflatten } from './decode.ts'
import { flatten } from './encode.ts'
import { safeStringify } from './stringify.ts'
import type { DecodeOptions, EncodeOptions } from './types.ts'
import { readWire, writeWire } from './wire.ts'

/**
 * The bytes of a value. Binary data goes out of band, each buffer once; shared references and cycles stay;
 * getters of plain objects are read; frozen and sealed state is lost.
 * @throws CaptureError VALUE_REFUSED, naming the path from `options.root` to what cannot travel
 * @example decode(encode(new Map([['a', 1n]]), { root: 'result' })) // Map(1) { 'a' => 1n }
 */
export function encode(value: unknown, options: EncodeOptions): Uint8Array {
  const { nodes, frames } = flatten(value, options, false)
  return writeWire(stringify(nodes, options.root), frames)
}

/**
 * The bytes of what the user's function threw. It always arrives: properties that cannot travel are left out
 * and listed in its property Symbol.for('farcall.omitted').
 */
export function encodeError(error: unknown, options: EncodeOptions): Uint8Array {
  try {
    const { nodes, frames, omitted } = flatten(error, options, true)
    const first = nodes[1]
    if (omitted.length > 0 && Array.isArray(first) && first[0] === 'E') first[1].omitted = omitted
    return writeWire(stringify(nodes, options.root), frames)
  } catch (failure) {
    // Too large, most likely: what it says still arrives.
    const thrown = error instanceof Error ? error : new Error(String(error))
    const facts = {
      names: ['Error'],
      name: cut(thrown.name),
      message: cut(thrown.message),
      stack: cut(thrown.stack),
    }
    const omitted = [`${options.root}: ${failure instanceof Error ? failure.message : String(failure)}`]
    return writeWire(JSON.stringify([[1], ['E', { ...facts, omitted }, {}, {}]]), [])
  }
}

/**
 * The value of these bytes. Executes no code but `options`' own, and takes no more memory than a small multiple
 * of the input.
 * @throws ResultError RESULT_CORRUPT for bytes that encode did not write, PROTOCOL_NEWER for a later wire version
 */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): unknown {
  return named(() => {
    const { head, frames } = readWire(bytes)
    return unflatten(head, frames, options)
  })
}

function stringify(nodes: unknown[], root: string): string {
  try {
    return safeStringify(nodes)
  } catch (error) {
    throw new CaptureError('VALUE_REFUSED', `${root}: it is over 512 MB of text`, {
      hint: 'send numbers as typed arrays, or write a file',
      cause: error,
    })
  }
}

function cut(text: unknown): string {
  return typeof text === 'string' ? text.slice(0, 100_000) : ''
}
