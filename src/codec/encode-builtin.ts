/** How errors, binary data, dates, maps and the other built-ins are written. */
import { types } from 'node:util'
import { hasExtraProperties } from './array-extras.ts'
import { type BinaryCollector, binaryKind } from './binary.ts'
import { isError, prototypeDepth } from './builtin.ts'
import { encodeErrorNode } from './error-node.ts'
import type { Slot, Walk } from './walk.ts'

function requireNoExtras(value: object, walk: Walk, own = 0): void {
  walk.requireNoSymbols(value)
  if (Object.getOwnPropertyNames(value).length !== own)
    walk.refuseText(`a ${kindName(value)} with properties of its own cannot travel`, 'send them apart')
}

function encodeBinary(
  value: ArrayBuffer | ArrayBufferView,
  kind: string,
  walk: Walk,
  binary: BinaryCollector,
): Slot {
  const isView = ArrayBuffer.isView(value)
  const buffer = isView ? value.buffer : value
  if (types.isSharedArrayBuffer(buffer)) return encodeShared(value, kind, buffer, walk)
  if (prototypeDepth(value) !== (kind === 'Buffer' ? 3 : isView && kind !== 'DataView' ? 2 : 1))
    return walk.instance(value)
  if (Reflect.get(buffer, 'resizable') === true)
    walk.refuseText('a resizable ArrayBuffer cannot travel', 'send a copy of it: buffer.slice(0)')
  if (buffer.byteLength === 0 && isDetached(buffer as ArrayBuffer))
    walk.refuseText('a detached ArrayBuffer has no content', 'send it before you transfer it')
  const extras =
    isView && kind !== 'DataView'
      ? hasExtraProperties(value as Uint8Array)
      : Reflect.ownKeys(value).length > 0
  if (extras) walk.refuseText(`a ${kind} with properties of its own cannot travel`, 'send them apart')
  return walk.tag('$B', binary.add(kind, value))
}

/** To another thread of this process: the memory itself, by its number among those met. */
function encodeShared(value: object, kind: string, buffer: SharedArrayBuffer, walk: Walk): Slot {
  if (!walk.shared) return walk.refuse(value, 'SharedArrayBuffer')
  const known = walk.shared.indexOf(buffer)
  const index = known < 0 ? walk.shared.push(buffer) - 1 : known
  const { byteOffset = 0, byteLength } = value as { byteOffset?: number; byteLength: number }
  return walk.tag('$H', [kind, index, byteOffset, byteLength])
}

function encodeDate(value: Date, walk: Walk): Slot {
  if (Reflect.ownKeys(value).length > 0) requireNoExtras(value, walk)
  const time = Date.prototype.getTime.call(value)
  return walk.tag('$D', Number.isNaN(time) ? null : time)
}

/** Everything whose prototype is not plain. */
export function encodeBuiltin(value: object, walk: Walk, binary: BinaryCollector): Slot {
  // Lists of records with a date are common, and what follows asks much first.
  if (Object.getPrototypeOf(value) === Date.prototype && types.isDate(value)) return encodeDate(value, walk)
  if (isError(value)) return walk.tag('$E', encodeErrorNode(value, walk))
  const kind = binaryKind(value)
  if (kind) return encodeBinary(value as ArrayBuffer, kind, walk, binary)
  if (walk.shared && types.isSharedArrayBuffer(value))
    return encodeShared(value, 'SharedArrayBuffer', value, walk)
  // One prototype below Object.prototype: a subclass of a built-in is not the built-in.
  if (prototypeDepth(value) !== 1) return walk.instance(value)
  if (types.isDate(value)) return encodeDate(value, walk)
  if (types.isMap(value)) {
    requireNoExtras(value, walk)
    const slots = walk.list()
    let index = 0
    Map.prototype.forEach.call(value, (item, key) => {
      slots.push(walk.slot(key, { call: 'keys', index }))
      const isObject = typeof key === 'object' || typeof key === 'function'
      slots.push(walk.slot(item, isObject ? { call: 'values', index } : { call: 'get', key }))
      index++
    })
    return walk.tag('$M', slots.end())
  }
  if (types.isSet(value)) {
    requireNoExtras(value, walk)
    const slots = walk.list()
    let index = 0
    Set.prototype.forEach.call(value, (item) => {
      slots.push(walk.slot(item, { call: 'values', index: index++ }))
    })
    return walk.tag('$T', slots.end())
  }
  if (types.isRegExp(value)) {
    requireNoExtras(value, walk, 1)
    walk.weigh(value.source.length)
    return walk.tag('$R', [value.source, value.flags, walk.slot(value.lastIndex, 'lastIndex')])
  }
  if (types.isBoxedPrimitive(value)) {
    const primitive: unknown = (value as Number).valueOf()
    if (typeof primitive === 'object') return walk.refuse(value)
    if (types.isSymbolObject(value)) walk.refuse(primitive)
    requireNoExtras(value, walk, typeof primitive === 'string' ? primitive.length + 1 : 0)
    return walk.tag('$P', walk.slot(primitive, 'valueOf()'))
  }
  if (value instanceof URL) return walk.tag('$U', value.href)
  if (value instanceof URLSearchParams) return walk.tag('$Q', value.toString())
  return walk.instance(value)
}

/** Instances of subclasses of these hold more than their properties. */
export function hidesData(value: object): boolean {
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
