/** One walk over a value: what JSON can write, with tags (see wire.ts), and its binary data as frames. */
import { types } from 'node:util'
import { CaptureError, FarcallError } from '../core/errors.ts'
import { hasExtraProperties } from './array-extras.ts'
import { binaryKind, collectBinary } from './binary.ts'
import { hasReviveHook, isArrayPrototype, isError, isObjectPrototype, prototypeDepth } from './builtin.ts'
import { encodeErrorNode } from './error-node.ts'
import { formatPath, type Step } from './path.ts'
import { cannotEverTravel, explainRefusal } from './refusal.ts'
import type { EncodeOptions } from './types.ts'
import { maxDepth } from './wire.ts'

/** What stands for a value in the head. */
export type Slot = unknown
export type Properties = Record<string, unknown>

/** What the walk offers to those who describe one object. */
export interface Walk {
  slot(value: unknown, step: Step): Slot
  refuse(value: unknown, kind?: string): never
  reference(value: object): ReturnType<NonNullable<EncodeOptions['reference']>>
  /** Refusals that were passed over; undefined when each one is thrown. */
  readonly omitted: string[] | undefined
}

interface Deferred {
  readonly value: object
  readonly from: Deferred | undefined
  readonly steps: readonly Step[]
}

export interface Encoded {
  /** The value when `plain`, otherwise [value, ...deferred]. */
  readonly head: unknown
  readonly plain: boolean
  readonly frames: Uint8Array[]
  readonly omitted: string[]
}

const hasOwn = Object.prototype.hasOwnProperty

export function encodeTree(root: unknown, options: EncodeOptions, lenient: boolean): Encoded {
  /** The objects met: their number in order, or -k for the k-th deferred. */
  const met = new Map<object, number>()
  const order: object[] = []
  const deferred: Deferred[] = []
  const binary = collectBinary()
  const omitted: string[] = []
  const plainPrototypes = new Map<object | null, boolean>()
  const trail: Step[] = []
  let from: Deferred | undefined
  let depth = 0
  let count = 0
  let plain = true

  const tag = (name: string, content: unknown): Slot => {
    plain = false
    return { [name]: content }
  }

  const path = (last?: Step): string => {
    const parts: (readonly Step[])[] = [trail.slice(0, depth)]
    for (let at = from; at; at = at.from) parts.push(at.steps)
    const steps = parts.reverse().flat()
    if (last !== undefined) steps.push(last)
    // The first step is the root's own.
    return formatPath(options.root, steps.slice(1))
  }

  const refusal = (value: unknown, where: string, kind?: string): CaptureError => {
    const { why, hint } = options.explain?.(value, where) ?? explainRefusal(value, kind)
    return new CaptureError('VALUE_REFUSED', `${where}: ${why}`, { hint })
  }

  const refuseText = (why: string, hint: string): never => {
    throw new CaptureError('VALUE_REFUSED', `${path()}: ${why}`, { hint })
  }

  const slot = (value: unknown, step: Step): Slot => {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value
      case 'number':
        if (value === 0) return 1 / value < 0 ? tag('$', '-0') : 0
        if (value - value === 0) return value
        if (value > 0) return tag('$', 'inf')
        return tag('$', value < 0 ? '-inf' : 'nan')
      case 'undefined':
        return tag('$', 'undefined')
      case 'bigint':
        // Hex, because decimal takes quadratic time.
        return tag('$n', value.toString(16))
      case 'symbol': {
        const error = refusal(value, path(step))
        if (!lenient) throw error
        omitted.push(shortMessage(error))
        return tag('$', 'undefined')
      }
    }
    if (value === null) return null
    const object = value as object
    const known = met.get(object)
    if (known !== undefined) return known < 0 ? tag('$d', -known) : tag('$', known)
    if (lenient) order.push(object)
    if (depth === maxDepth) {
      deferred.push({ value: object, from, steps: [...trail.slice(0, depth), step] })
      met.set(object, -deferred.length)
      return tag('$d', deferred.length)
    }
    met.set(object, count++)
    trail[depth++] = step
    const written = lenient ? visitLeniently(object) : visit(object)
    depth--
    return written
  }

  /** A copy of the own enumerable properties, with slots for values. Getters are read, once. */
  const properties = (source: object): Properties => {
    // Spread keeps an own `__proto__` as a property.
    const copy: Properties = { ...source }
    for (const name of Object.keys(copy)) {
      const value = copy[name]
      const written = slot(value, name)
      if (written !== value) copy[name] = written
    }
    return copy
  }

  const walk: Walk = {
    slot,
    refuse(value, kind) {
      throw refusal(value, path(), kind)
    },
    reference: (value) => options.reference?.(value, path()),
    omitted: lenient ? omitted : undefined,
  }

  const requireNoSymbols = (value: object): void => {
    const symbol = Object.getOwnPropertySymbols(value)[0]
    if (symbol !== undefined)
      refuseText(
        `its property ${String(symbol)} cannot travel, its key being a symbol`,
        'use a string as the key, or send a copy without it',
      )
  }

  const plainObject = (value: object, proto: object | null): Slot => {
    requireNoSymbols(value)
    const copy = properties(value)
    if (Object.getOwnPropertyNames(value).length !== Object.keys(copy).length) {
      const hidden = Object.getOwnPropertyNames(value).find((name) => !hasOwn.call(copy, name))
      refuseText(
        `its property ${JSON.stringify(hidden)} cannot travel, being not enumerable`,
        'make it enumerable, or send a copy without it: { ...value }',
      )
    }
    if (proto === null) return tag('$N', copy)
    const first = Object.keys(copy)[0]
    return first?.startsWith('$') ? tag('$o', copy) : copy
  }

  const array = (value: unknown[]): Slot => {
    if (!isArrayPrototype(Object.getPrototypeOf(value))) return instance(value)
    for (let index = 0; index < value.length; index++)
      if (value[index] === undefined && !hasOwn.call(value, index)) return sparseArray(value)
    if (hasExtraProperties(value)) return sparseArray(value)
    const slots: Slot[] = []
    for (let index = 0; index < value.length; index++) slots.push(slot(value[index], index))
    return slots
  }

  const sparseArray = (value: unknown[]): Slot => {
    requireNoSymbols(value)
    const entries: Slot[] = []
    const extras: Properties = {}
    for (const name of Object.getOwnPropertyNames(value)) {
      if (name === 'length') continue
      if (!Object.prototype.propertyIsEnumerable.call(value, name))
        refuseText(
          `its property ${JSON.stringify(name)} cannot travel, being not enumerable`,
          'send a copy without it: [...array]',
        )
      const index = Number(name)
      if (String(index) === name && Number.isInteger(index) && index >= 0 && index < 2 ** 32 - 1)
        entries.push(index, slot(value[index], index))
      else
        Object.defineProperty(extras, name, {
          value: slot(Reflect.get(value, name), name),
          enumerable: true,
        })
    }
    return tag('$S', [value.length, entries, extras])
  }

  /** What `reference` says of an object of a user's class, or a refusal. */
  const instance = (value: object): Slot => {
    const never = cannotEverTravel(value)
    if (never) walk.refuse(value, never)
    if (hidesData(value) && !hasReviveHook(value)) {
      const { why } = explainRefusal(value)
      refuseText(why, 'it extends a built-in class: send a plain Array, Map, Set, Date … of what it holds')
    }
    const reference = walk.reference(value)
    if (!reference) return walk.refuse(value)
    if (reference.kind === 'function') return tag('$F', reference.id)
    requireNoSymbols(reference.fields)
    const fields = properties(reference.fields)
    return tag('$I', [reference.id, fields, reference.privates ? properties(reference.privates) : {}])
  }

  const requireNoExtras = (value: object, own = 0): void => {
    requireNoSymbols(value)
    if (Object.getOwnPropertyNames(value).length !== own)
      refuseText(`a ${kindName(value)} with properties of its own cannot travel`, 'send them apart')
  }

  const binaryNode = (value: ArrayBuffer | ArrayBufferView, kind: string): Slot => {
    const isView = ArrayBuffer.isView(value)
    const buffer = isView ? value.buffer : value
    if (types.isSharedArrayBuffer(buffer)) walk.refuse(value, 'SharedArrayBuffer')
    if (prototypeDepth(value) !== (kind === 'Buffer' ? 3 : isView && kind !== 'DataView' ? 2 : 1))
      return instance(value)
    if (Reflect.get(buffer, 'resizable') === true)
      refuseText('a resizable ArrayBuffer cannot travel', 'send a copy of it: buffer.slice(0)')
    if (buffer.byteLength === 0 && isDetached(buffer as ArrayBuffer))
      refuseText('a detached ArrayBuffer has no content', 'send it before you transfer it')
    const extras =
      isView && kind !== 'DataView'
        ? hasExtraProperties(value as Uint8Array)
        : Reflect.ownKeys(value).length > 0
    if (extras) refuseText(`a ${kind} with properties of its own cannot travel`, 'send them apart')
    return tag('$B', binary.add(kind, value))
  }

  const builtin = (value: object): Slot => {
    if (isError(value)) return tag('$E', encodeErrorNode(value, walk))
    const kind = binaryKind(value)
    if (kind) return binaryNode(value as ArrayBuffer, kind)
    // One prototype below Object.prototype: a subclass of a built-in is not the built-in.
    if (prototypeDepth(value) !== 1) return instance(value)
    if (types.isDate(value)) {
      requireNoExtras(value)
      const time = Date.prototype.getTime.call(value)
      return tag('$D', Number.isNaN(time) ? null : time)
    }
    if (types.isMap(value)) {
      requireNoExtras(value)
      const slots: Slot[] = []
      let index = 0
      Map.prototype.forEach.call(value, (item, key) => {
        slots.push(slot(key, { call: 'keys', index }))
        const isObject = typeof key === 'object' || typeof key === 'function'
        slots.push(slot(item, isObject ? { call: 'values', index } : { call: 'get', key }))
        index++
      })
      return tag('$M', slots)
    }
    if (types.isSet(value)) {
      requireNoExtras(value)
      const slots: Slot[] = []
      Set.prototype.forEach.call(value, (item) => {
        slots.push(slot(item, { call: 'values', index: slots.length }))
      })
      return tag('$T', slots)
    }
    if (types.isRegExp(value)) {
      requireNoExtras(value, 1)
      return tag('$R', [value.source, value.flags, slot(value.lastIndex, 'lastIndex')])
    }
    if (types.isBoxedPrimitive(value)) {
      const primitive: unknown = (value as Number).valueOf()
      if (typeof primitive === 'object') return walk.refuse(value)
      if (types.isSymbolObject(value)) walk.refuse(primitive)
      requireNoExtras(value, typeof primitive === 'string' ? primitive.length + 1 : 0)
      return tag('$P', slot(primitive, 'valueOf()'))
    }
    if (value instanceof URL) return tag('$U', value.href)
    if (value instanceof URLSearchParams) return tag('$Q', value.toString())
    return instance(value)
  }

  const visit = (value: object): Slot => {
    if (typeof value === 'function') return instance(value)
    if (types.isProxy(value)) walk.refuse(value, 'Proxy')
    if (Array.isArray(value)) return array(value)
    const proto = Object.getPrototypeOf(value)
    let isPlain = plainPrototypes.get(proto)
    if (isPlain === undefined) {
      isPlain = proto === null || isObjectPrototype(proto)
      plainPrototypes.set(proto, isPlain)
    }
    if (!isPlain) return builtin(value)
    // Math, arguments, module namespaces and native handles have a plain prototype and are not plain.
    const kind = Object.prototype.toString.call(value)
    if (kind === '[object Error]') return tag('$E', encodeErrorNode(value as Error, walk))
    if (kind !== '[object Object]' || (proto === null && types.isExternal(value))) {
      const never = cannotEverTravel(value)
      if (never) walk.refuse(value, never)
    }
    return plainObject(value, proto)
  }

  /** A refusal whose path is where the walk stands. */
  const asRefusal = (error: unknown): FarcallError =>
    error instanceof FarcallError
      ? error
      : new CaptureError('VALUE_REFUSED', `${path()}: reading it failed: ${messageOf(error)}`, {
          hint: 'a getter or a hook of it threw; send a plain copy',
          cause: error,
        })

  const visitLeniently = (value: object): Slot => {
    const before = { depth, count, met: order.length, deferred: deferred.length }
    try {
      return visit(value)
    } catch (error) {
      omitted.push(shortMessage(asRefusal(error)))
      // What was met inside goes with it.
      for (const inner of order.splice(before.met)) met.delete(inner)
      deferred.length = before.deferred
      depth = before.depth
      count = before.count
      return tag('$O', 0)
    }
  }

  try {
    const value = slot(root, '')
    if (deferred.length === 0)
      return { head: plain ? value : [value], plain, frames: binary.frames(), omitted }
    const head = [value]
    for (let index = 0; index < deferred.length; index++) {
      from = deferred[index]!
      depth = 0
      head.push(lenient ? visitLeniently(from.value) : visit(from.value))
    }
    return { head, plain, frames: binary.frames(), omitted }
  } catch (error) {
    throw asRefusal(error)
  }
}

/** Instances of subclasses of these hold more than their properties. */
function hidesData(value: object): boolean {
  return (
    Array.isArray(value) ||
    binaryKind(value) !== undefined ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isBoxedPrimitive(value) ||
    value instanceof URL ||
    value instanceof URLSearchParams
  )
}

function isDetached(buffer: ArrayBuffer): boolean {
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    // The constructor's refusal is the only sign of it before Node 21.
    return true
  }
}

function kindName(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function shortMessage(error: Error): string {
  return error.message.split('\n', 1)[0]!
}
