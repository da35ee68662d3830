import { decode, encode } from '../../src/codec/codec.ts'
import type { DecodeOptions, EncodeOptions } from '../../src/codec/types.ts'

/** The value after a way through bytes that lie at an odd offset of a larger buffer, as read from a file. */
export function roundTrip<T>(value: T, options: Partial<EncodeOptions> & DecodeOptions = {}): T {
  const bytes = encode(value, { root: 'value', ...options })
  const around = new Uint8Array(bytes.length + 6)
  around.set(bytes, 3)
  return decode(around.subarray(3, 3 + bytes.length), options) as T
}

/** What went wrong, as a user reads it. */
export function failure(run: () => unknown): { name: string; code: unknown; message: string } {
  try {
    run()
  } catch (error) {
    const { name, code, message } = error as Error & { code: unknown }
    return { name, code, message }
  }
  throw new Error('nothing was thrown')
}
