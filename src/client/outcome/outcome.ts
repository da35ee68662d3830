import { mapStack } from '../../capture/stack.ts'
import { decode } from '../../codec/codec.ts'
import type { DecodeOptions } from '../../codec/types.ts'
import type { RecordKind } from '../../core/pack.ts'

/** What one item came to. `thrown` is whatever the user's function threw, an Error or not. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly thrown: unknown }

export interface Decoder {
  /** Classes of this program, by their id in the bundle. */
  readonly classes: ReadonlyMap<string, Function>
  /** The bundle's source map, when this machine has it. */
  readonly map: string | undefined
  /** What ran it, as its stack says: 'job f…', 'localMap'. */
  readonly from: string
  /** The stack at the call, to stand below the remote one. */
  readonly callSite: string
}

/** @throws ResultError when the bytes are not what was written */
export function readOutcome(kind: RecordKind, bytes: Uint8Array, decoder: Decoder): Outcome {
  return outcomeOf(kind, decode(bytes, decodeOptions(decoder)), decoder)
}

/** How the values of this program's classes are made again. */
export function decodeOptions(decoder: Pick<Decoder, 'classes'>): DecodeOptions {
  return {
    instantiate: (id) => instanceOf(decoder.classes.get(id), id),
    errorClass: ({ id }) => (id === undefined ? undefined : decoder.classes.get(id)),
  }
}

export function outcomeOf(kind: RecordKind, value: unknown, decoder: Decoder): Outcome {
  if (kind !== 'error') return { ok: true, value }
  bringHome(value, decoder, new Set())
  return { ok: false, thrown: value }
}

function instanceOf(type: Function | undefined, id: string) {
  if (!type) throw new Error(`this program has not captured the class ${id}`)
  return blank(type)
}

/** An instance whose constructor was not run. */
export function blank(type: Function) {
  const object = Object.create(type.prototype as object) as object
  return {
    object,
    fill(fields: Record<PropertyKey, unknown>) {
      for (const key of Reflect.ownKeys(fields)) {
        const descriptor = {
          value: fields[key as string],
          writable: true,
          enumerable: true,
          configurable: true,
        }
        Object.defineProperty(object, key, descriptor)
      }
    },
  }
}

/** Remote frames become lines of the user's TypeScript, with the call site below; causes and members too. */
function bringHome(value: unknown, decoder: Decoder, seen: Set<unknown>): void {
  if (!(value instanceof Error) || seen.has(value)) return
  const outermost = seen.size === 0
  seen.add(value)
  const mapped = decoder.map && value.stack ? mapStack(value.stack, decoder.map) : value.stack
  const below = outermost ? `\n    at <${decoder.from}>\n${decoder.callSite}` : ''
  Object.defineProperty(value, 'stack', { value: mapped + below, writable: true, configurable: true })
  bringHome(value.cause, decoder, seen)
  if (value instanceof AggregateError) for (const member of value.errors) bringHome(member, decoder, seen)
}
