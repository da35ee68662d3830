import { decode, encode, encodeChunks, encodeError } from '../src/codec/codec.ts'
import type { DecodeOptions, Reference } from '../src/codec/types.ts'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { sharedElsewhere } from '../src/core/shared.ts'
import { LaunchError } from './arguments.ts'
import type { ReadElsewhere } from './elsewhere.ts'
import { privatesOf } from './privates.ts'

export function decodeWith(
  bundle: BundleModule,
  bytes: Uint8Array,
  elsewhere: ReadElsewhere,
  shared: readonly SharedArrayBuffer[] = [],
): unknown {
  try {
    return decode(bytes, { ...decodeOptions(bundle), elsewhere: (at) => elsewhere(bundle, at), shared })
  } catch (error) {
    // What lies elsewhere could not be read: these bytes are whole.
    if (error instanceof Error && error.cause instanceof LaunchError) throw error.cause
    throw error
  }
}

export function decodeOptions(bundle: BundleModule): DecodeOptions {
  return {
    resolve: bundle.resolve,
    instantiate: bundle.instantiate,
    errorClass: ({ id }) => (id === undefined ? undefined : bundle.resolve(id)),
  }
}

/**
 * In pieces that show the value's own memory, so that a large one is written without a copy of it.
 * @throws CaptureError naming the path from `result` to what cannot travel
 */
export function encodeResult(bundle: BundleModule, value: unknown): Uint8Array[] {
  return encodeChunks(value, { root: 'result', reference: (object) => referTo(bundle, object) })
}

/** Like a result. @throws CaptureError naming the path from the value, by its number from 0, to what cannot travel */
export function encodeYield(bundle: BundleModule, value: unknown, count: number): Uint8Array[] {
  const root = `yielded[${count}]`
  return encodeChunks(value, { root, reference: (object) => referTo(bundle, object) })
}

/** Like a result. @throws CaptureError naming the path from `state` to what cannot travel */
export function encodeCheckpoint(bundle: BundleModule, state: unknown): Uint8Array[] {
  return encodeChunks(state, {
    root: 'state',
    reference: (object) => referTo(bundle, object),
    elsewhere: sharedElsewhere,
  })
}

/** Between pieces of a function, which all have the bundle. @throws CaptureError naming the path from `root` to what cannot travel */
export function encodePiece(bundle: BundleModule, value: unknown, root: string): Uint8Array {
  return encode(value, {
    root,
    reference: (object) => referTo(bundle, object, true),
    elsewhere: sharedElsewhere,
  })
}

/** Of an item that localMap ran. `within`: for a thread of the same job. @throws CaptureError naming the path from `results` to what cannot travel */
export function encodeItemResult(
  bundle: BundleModule,
  value: unknown,
  index: number,
  shared: SharedArrayBuffer[],
  within: boolean,
): Uint8Array[] {
  return encodeChunks(value, {
    root: `results[${index}]`,
    reference: (object) => referTo(bundle, object, within),
    ...(within ? { elsewhere: sharedElsewhere } : {}),
    shared,
  })
}

/** To another thread of this process: functions travel as `functionOf` says. */
export function encodeForThread(
  bundle: BundleModule,
  value: unknown,
  root: string,
  shared: SharedArrayBuffer[],
  functionOf: (fn: Function) => Reference | undefined,
): Uint8Array[] {
  const reference = (object: object) =>
    typeof object === 'function' ? functionOf(object) : referTo(bundle, object, true)
  const explain = (object: unknown) => (typeof object === 'function' ? explainFunction(object) : undefined)
  return encodeChunks(value, { root, reference, explain, elsewhere: sharedElsewhere, shared })
}

function explainFunction(fn: Function): { why: string; hint: string } {
  return {
    why: `the function ${fn.name || '(anonymous)'} cannot go to another thread: it was made while the job ran`,
    hint: 'write it as the argument of localMap, or declare it at the top level of a file',
  }
}

/** What was thrown, as far as it can travel: an error never gets lost because of a socket in its fields. */
export function encodeThrown(bundle: BundleModule | undefined, thrown: unknown): Uint8Array {
  return encodeError(thrown, {
    root: 'error',
    reference: (object) => (bundle ? referTo(bundle, object) : undefined),
  })
}

function referTo(bundle: BundleModule, object: object, within = false): Reference | undefined {
  // A function in a result has no way home: undefined makes the codec refuse it, with its path.
  if (typeof object === 'function') return undefined
  const type = Object.getPrototypeOf(object)?.constructor
  const id = typeof type === 'function' ? bundle.identify(type, within) : undefined
  if (id === undefined) return undefined
  const fields: Record<PropertyKey, unknown> = {}
  for (const key of Reflect.ownKeys(object)) fields[key] = Reflect.get(object, key)
  const privates = privatesOf(object)
  return { kind: 'instance', id, name: type.name, fields, ...(privates ? { privates } : {}) }
}
