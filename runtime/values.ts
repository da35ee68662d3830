import type { BundleModule } from '../src/capture/types.ts'
import { decode, encode } from '../src/codec/codec.ts'
import type { Reference } from '../src/codec/types.ts'

export function decodeWith(bundle: BundleModule, bytes: Uint8Array): unknown {
  return decode(bytes, { resolve: bundle.resolve, instantiate: bundle.instantiate })
}

/** @throws CaptureError naming the path from `result` to what cannot travel */
export function encodeResult(bundle: BundleModule, value: unknown): Uint8Array {
  return encode(value, { root: 'result', reference: (object) => referTo(bundle, object) })
}

/** What was thrown, as far as it can travel: an error never gets lost because of a socket in its fields. */
export function encodeThrown(bundle: BundleModule | undefined, thrown: unknown): Uint8Array {
  try {
    return encode(thrown, {
      root: 'error',
      reference: (object) => (bundle ? referTo(bundle, object) : undefined),
    })
  } catch (refusal) {
    return encode(reduce(thrown, refusal), { root: 'error' })
  }
}

function referTo(bundle: BundleModule, object: object): Reference | undefined {
  // A function in a result has no way home: undefined makes the codec refuse it, with its path.
  if (typeof object === 'function') return undefined
  const type = Object.getPrototypeOf(object)?.constructor
  const id = typeof type === 'function' ? bundle.identify(type) : undefined
  return id === undefined ? undefined : { kind: 'instance', id, fields: { ...object } }
}

/** The error without the fields that cannot travel; its words, stack and plain fields stay. */
function reduce(thrown: unknown, refusal: unknown): Error {
  const why = refusal instanceof Error ? refusal.message : String(refusal)
  if (!(thrown instanceof Error)) return new Error(`the thrown value cannot travel: ${why}`)
  const error = new Error(thrown.message)
  error.name = thrown.name
  if (thrown.stack !== undefined) error.stack = thrown.stack
  for (const [key, value] of Object.entries(thrown)) if (isPlain(value)) Reflect.set(error, key, value)
  return error
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean', 'bigint', 'undefined'].includes(typeof value)
}
