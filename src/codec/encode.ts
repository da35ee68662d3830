/** One walk over a value: a flat table of its objects for the head, and its binary data as frames. */
import { types } from 'node:util'
import { CaptureError, FarcallError } from '../core/errors.ts'
import { hasExtraProperties } from './array-extras.ts'
import { binaryKind, collectBinary } from './binary.ts'
import { hasReviveHook, isArrayPrototype, isError, isObjectPrototype, prototypeDepth } from './builtin.ts'
import { encodeErrorNode } from './error-node.ts'
import { formatPath, type Step } from './path.ts'
import { cannotEverTravel, explainRefusal } from './refusal.ts'
import type { EncodeOptions } from './types.ts'
import { bigintSlot, special } from './wire.ts'

export type Slot = null | boolean | number | string | readonly [number] | readonly [number, string]
export type Properties = Record<string, unknown>

/** What the walk offers to those who describe one object. */
export interface Walk {
  slot(value: unknown, parent: number, step: Step): Slot
  /** A copy of the own enumerable properties, with slots for values. Getters are read, once. */
  properties(source: object, parent: number): Properties
  refuse(value: unknown, parent: number, kind?: string): never
  reference(value: object, id: number): ReturnType<NonNullable<EncodeOptions['reference']>>
  /** Refusals that were passed over; undefined when each one is thrown. */
  readonly omitted: string[] | undefined
}

/** Stands for an object that could not travel, in an error that had to. */
const omittedNode = ['O']
const hasOwn = Object.prototype.hasOwnProperty

export function flatten(
  root: unknown,
  options: EncodeOptions,
  lenient: boolean,
): { nodes: unknown[]; frames: Uint8Array[]; omitted: string[] } {
  const nodes: unknown[] = [null]
  const objects: object[] = [{}]
  const parents: number[] = [0]
  const steps: Step[] = ['']
  const ids = new Map<object, number>()
  const binary = collectBinary()
  const omitted: string[] = []
  const plainPrototypes = new Map<object | null, boolean>()

  const pathOf = (parent: number, last?: Step): string => {
    const trail: Step[] = last === undefined ? [] : [last]
    // Object 1 is the root when it is an object; its step is the root's name.
    for (let id = parent; id > 1; id = parents[id]!) trail.push(steps[id]!)
    return formatPath(options.root, trail.reverse())
  }

  const refusal = (value: unknown, path: string, kind?: string): CaptureError => {
    const { why, hint } = options.explain?.(value, path) ?? explainRefusal(value, kind)
    return new CaptureError('VALUE_REFUSED', `${path}: ${why}`, { hint })
  }

  const refuseText = (id: number, why: string, hint: string, cause?: unknown): never => {
    throw new CaptureError('VALUE_REFUSED', `${pathOf(id)}: ${why}`, { hint, cause })
  }

  const slot = (value: unknown, parent: number, step: Step): Slot => {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value
      case 'number':
        if (value === 0) return 1 / value < 0 ? special.negativeZero : 0
        if (value - value === 0) return value
        if (value > 0) return special.infinity
        return value < 0 ? special.negativeInfinity : special.nan
      case 'undefined':
        return special.undefined
      case 'bigint':
        return [bigintSlot, value.toString(16)]
      case 'symbol': {
        const error = refusal(value, parent === 0 ? options.root : pathOf(parent, step))
        if (!lenient) throw error
        omitted.push(shortMessage(error))
        return special.undefined
      }
    }
    if (value === null) return null
    const object = value as object
    let id = ids.get(object)
    if (id === undefined) {
      id = objects.length
      ids.set(object, id)
      objects.push(object)
      parents.push(parent)
      steps.push(step)
    }
    return [id]
  }

  const properties = (source: object, parent: number): Properties => {
    // Spread reads each getter once and keeps an own `__proto__` as a property.
    const copy: Properties = { ...source }
    for (const name of Object.keys(copy)) {
      const value = copy[name]
      const written = slot(value, parent, name)
      if (written !== value) copy[name] = written
    }
    return copy
  }

  const walk: Walk = {
    slot,
    properties,
    refuse(value, parent, kind) {
      throw refusal(value, pathOf(parent), kind)
    },
    reference: (value, id) => options.reference?.(value, pathOf(id)),
    omitted: lenient ? omitted : undefined,
  }

  const requireNoSymbols = (value: object, id: number): void => {
    const symbol = Object.getOwnPropertySymbols(value)[0]
    if (symbol !== undefined)
      refuseText(
        id,
        `its property ${String(symbol)} cannot travel, its key being a symbol`,
        'use a string as the key, or send a copy without it',
      )
  }

  const plainObject = (value: object, id: number, proto: object | null): unknown => {
    requireNoSymbols(value, id)
    const copy = properties(value, id)
    if (Object.getOwnPropertyNames(value).length !== Object.keys(copy).length) {
      const hidden = Object.getOwnPropertyNames(value).find((name) => !hasOwn.call(copy, name))
      refuseText(
        id,
        `its property ${JSON.stringify(hidden)} cannot travel, being not enumerable`,
        'make it enumerable, or send a copy without it: { ...value }',
      )
    }
    return proto === null ? ['N', copy] : copy
  }

  const array = (value: unknown[], id: number): unknown => {
    if (!isArrayPrototype(Object.getPrototypeOf(value))) return instance(value, id)
    requireNoSymbols(value, id)
    const slots: Slot[] = []
    for (let index = 0; index < value.length; index++) {
      const element = value[index]
      if (element === undefined && !hasOwn.call(value, index)) return sparseArray(value, id)
      slots.push(slot(element, id, index))
    }
    return hasExtraProperties(value) ? sparseArray(value, id) : ['A', slots]
  }

  const sparseArray = (value: unknown[], id: number): unknown => {
    const entries: Slot[] = []
    const extras: Properties = {}
    for (const name of Object.getOwnPropertyNames(value)) {
      if (name === 'length') continue
      if (!Object.prototype.propertyIsEnumerable.call(value, name))
        refuseText(
          id,
          `its property ${JSON.stringify(name)} cannot travel, being not enumerable`,
          'send a copy without it: [...array]',
        )
      const index = Number(name)
      if (String(index) === name && Number.isInteger(index) && index >= 0 && index < 2 ** 32 - 1)
        entries.push(index, slot(value[index], id, index))
      else
        Object.defineProperty(extras, name, {
          value: slot(Reflect.get(value, name), id, name),
          enumerable: true,
        })
    }
    return ['S', value.length, entries, extras]
  }

  /** What `reference` says of an object of a user's class, or a refusal. */
  const instance = (value: object, id: number): unknown => {
    const never = cannotEverTravel(value)
    if (never) walk.refuse(value, id, never)
    if (hidesData(value) && !hasReviveHook(value)) {
      const { why } = explainRefusal(value)
      refuseText(
        id,
        why,
        'it extends a built-in class: send a plain Array, Map, Set, Date … of what it holds',
      )
    }
    const reference = walk.reference(value, id)
    if (!reference) return walk.refuse(value, id)
    if (reference.kind === 'function') return ['F', reference.id]
    requireNoSymbols(reference.fields, id)
    return [
      'I',
      reference.id,
      properties(reference.fields, id),
      reference.privates ? properties(reference.privates, id) : {},
    ]
  }

  const requireNoExtras = (value: object, id: number, own = 0): void => {
    requireNoSymbols(value, id)
    if (Object.getOwnPropertyNames(value).length !== own)
      refuseText(id, `a ${kindName(value)} with properties of its own cannot travel`, 'send them apart')
  }

  const binaryNode = (value: ArrayBuffer | ArrayBufferView, kind: string, id: number): unknown => {
    const isView = ArrayBuffer.isView(value)
    const buffer = isView ? value.buffer : value
    if (types.isSharedArrayBuffer(buffer)) walk.refuse(value, id, 'SharedArrayBuffer')
    if (prototypeDepth(value) !== (kind === 'Buffer' ? 3 : isView && kind !== 'DataView' ? 2 : 1))
      return instance(value, id)
    if (Reflect.get(buffer, 'resizable') === true)
      refuseText(id, 'a resizable ArrayBuffer cannot travel', 'send a copy of it: buffer.slice(0)')
    if (buffer.byteLength === 0 && isDetached(buffer as ArrayBuffer))
      refuseText(id, 'a detached ArrayBuffer has no content', 'send it before you transfer it')
    requireNoSymbols(value, id)
    const extras =
      isView && kind !== 'DataView'
        ? hasExtraProperties(value as Uint8Array)
        : Object.getOwnPropertyNames(value).length > 0
    if (extras) refuseText(id, `a ${kind} with properties of its own cannot travel`, 'send them apart')
    return binary.add(kind, value)
  }

  const builtin = (value: object, id: number): unknown => {
    if (isError(value)) return encodeErrorNode(value, id, walk)
    const kind = binaryKind(value)
    if (kind) return binaryNode(value as ArrayBuffer, kind, id)
    // One prototype below Object.prototype: a subclass of a built-in is not the built-in.
    if (prototypeDepth(value) !== 1) return instance(value, id)
    if (types.isDate(value)) {
      requireNoExtras(value, id)
      const time = Date.prototype.getTime.call(value)
      return ['D', Number.isNaN(time) ? null : time]
    }
    if (types.isMap(value)) {
      requireNoExtras(value, id)
      const slots: Slot[] = []
      let index = 0
      Map.prototype.forEach.call(value, (item, key) => {
        slots.push(slot(key, id, { call: 'keys', index }))
        const isObject = typeof key === 'object' || typeof key === 'function'
        slots.push(slot(item, id, isObject ? { call: 'values', index } : { call: 'get', key }))
        index++
      })
      return ['M', slots]
    }
    if (types.isSet(value)) {
      requireNoExtras(value, id)
      const slots: Slot[] = []
      Set.prototype.forEach.call(value, (item) => {
        slots.push(slot(item, id, { call: 'values', index: slots.length }))
      })
      return ['T', slots]
    }
    if (types.isRegExp(value)) {
      requireNoExtras(value, id, 1)
      return ['R', value.source, value.flags, slot(value.lastIndex, id, 'lastIndex')]
    }
    if (types.isBoxedPrimitive(value)) {
      const primitive: unknown = (value as Number).valueOf()
      if (typeof primitive === 'object') return walk.refuse(value, id)
      if (types.isSymbolObject(value)) walk.refuse(primitive, id)
      requireNoExtras(value, id, typeof primitive === 'string' ? primitive.length + 1 : 0)
      return ['P', slot(primitive, id, 'valueOf()')]
    }
    if (value instanceof URL) return ['U', value.href]
    if (value instanceof URLSearchParams) return ['Q', value.toString()]
    return instance(value, id)
  }

  const visit = (value: object, id: number): unknown => {
    if (typeof value === 'function') return instance(value, id)
    if (types.isProxy(value)) walk.refuse(value, id, 'Proxy')
    if (Array.isArray(value)) return array(value, id)
    const proto = Object.getPrototypeOf(value)
    let isPlain = plainPrototypes.get(proto)
    if (isPlain === undefined) {
      isPlain = proto === null || isObjectPrototype(proto)
      plainPrototypes.set(proto, isPlain)
    }
    if (!isPlain) return builtin(value, id)
    // Math, arguments, module namespaces and native handles have a plain prototype and are not plain.
    const tag = Object.prototype.toString.call(value)
    if (tag === '[object Error]') return encodeErrorNode(value as Error, id, walk)
    if (tag !== '[object Object]' || (proto === null && types.isExternal(value))) {
      const never = cannotEverTravel(value)
      if (never) walk.refuse(value, id, never)
    }
    return plainObject(value, id, proto)
  }

  nodes[0] = slot(root, 0, '')
  for (let id = 1; id < objects.length; id++) {
    try {
      nodes[id] = visit(objects[id]!, id)
    } catch (error) {
      const refused =
        error instanceof FarcallError
          ? error
          : new CaptureError('VALUE_REFUSED', `${pathOf(id)}: reading it failed: ${messageOf(error)}`, {
              hint: 'a getter or a hook of it threw; send a plain copy',
              cause: error,
            })
      if (!lenient) throw refused
      omitted.push(shortMessage(refused))
      nodes[id] = omittedNode
    }
  }
  return { nodes, frames: binary.frames(), omitted }
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
