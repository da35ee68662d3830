/** One walk over a value: what JSON can write, with tags (see wire.ts), and its binary data as frames. */
import { types } from 'node:util'
import { CaptureError, FarcallError } from '../core/errors.ts'
import { hasExtraProperties } from './array-extras.ts'
import { collectBinary } from './binary.ts'
import { hasOwn, hasReviveHook, isArrayPrototype, isObjectPrototype } from './builtin.ts'
import { encodeBuiltin, hidesData } from './encode-builtin.ts'
import { encodeErrorNode } from './error-node.ts'
import { ObjectNumbers } from './object-numbers.ts'
import { headOf, type LongRecord, limits, pick, TextParts } from './parts.ts'
import { formatPath, type Step } from './path.ts'
import { cannotEverTravel, explainRefusal } from './refusal.ts'
import type { EncodeOptions } from './types.ts'
import type { Properties, Slot, Walk } from './walk.ts'
import { maxDepth } from './wire.ts'

interface Deferred {
  readonly value: object
  readonly from: Deferred | undefined
  readonly steps: readonly Step[]
}

export interface Encoded {
  /** The slot of the value itself. */
  readonly root: Slot
  /** The value when `plain`, otherwise [value, ...deferred]. */
  readonly head: unknown
  readonly plain: boolean
  /** Whether frames hold text, as no version before the second has it. */
  readonly parted: boolean
  readonly frames: Uint8Array[]
  readonly omitted: string[]
}

export function encodeTree(root: unknown, options: EncodeOptions, lenient: boolean): Encoded {
  /** The objects met: their number in order, or -k for the k-th deferred. */
  const met = new ObjectNumbers()
  const order: object[] = []
  const deferred: Deferred[] = []
  const binary = collectBinary()
  const texts = new TextParts(options.root, binary)
  const omitted: string[] = []
  const plainPrototypes = new Map<object | null, boolean>()
  const trail: Step[] = []
  let from: Deferred | undefined
  let depth = 0
  let count = 0
  let plain = true

  const tag = (name: string, content: unknown): Slot => {
    plain = false
    if (typeof content === 'string') texts.pending += content.length
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
    texts.pending += 24
    switch (typeof value) {
      case 'string':
        if (value.length > limits.text) return tag('$L', texts.text(value))
        texts.pending += value.length
        return value
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
    const place = options.elsewhere?.(object, depth)
    if (place !== undefined) {
      met.set(object, count++)
      return tag('$X', place)
    }
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
  const properties = (source: object): Properties | LongRecord => {
    // Spread keeps an own `__proto__` as a property.
    const copy: Properties = { ...source }
    return fill(copy, Object.keys(copy))
  }

  /** Puts slots in the place of values. */
  const fill = (copy: Properties, names: readonly string[]): Properties | LongRecord => {
    let start = texts.start()
    let parts: number[] | undefined
    let from = 0
    for (let index = 0; index < names.length; index++) {
      const name = names[index]!
      const value = copy[name]
      texts.pending += name.length
      // Most values are texts and numbers that stay as they are.
      if (typeof value === 'string' && value.length <= limits.text) texts.pending += value.length + 8
      else if (typeof value === 'number' && value - value === 0 && value !== 0) texts.pending += 24
      else {
        const written = slot(value, name)
        if (written !== value) copy[name] = written
      }
      if (!texts.isFull(start)) continue
      parts ??= []
      parts.push(texts.spill(pick(copy, names, from, index + 1), start))
      from = index + 1
      start = texts.start()
    }
    return parts ? [parts, pick(copy, names, from, names.length)] : copy
  }

  const requireNoSymbols = (value: object): void => {
    const symbol = Object.getOwnPropertySymbols(value)[0]
    if (symbol !== undefined)
      refuseText(
        `its property ${String(symbol)} cannot travel, its key being a symbol`,
        'use a string as the key, or send a copy without it',
      )
  }

  const walk: Walk = {
    slot,
    tag,
    list: () => texts.list(),
    weigh(characters) {
      texts.pending += characters
    },
    instance: (value) => instance(value),
    refuseText,
    requireNoSymbols,
    refuse(value, kind) {
      throw refusal(value, path(), kind)
    },
    reference: (value) => options.reference?.(value, path()),
    shared: options.shared,
    omitted: lenient ? omitted : undefined,
  }

  const plainObject = (value: object, proto: object | null): Slot => {
    requireNoSymbols(value)
    const copy: Properties = { ...value }
    const names = Object.keys(copy)
    if (Object.getOwnPropertyNames(value).length !== names.length) {
      const hidden = Object.getOwnPropertyNames(value).find((name) => !hasOwn.call(copy, name))
      refuseText(
        `its property ${JSON.stringify(hidden)} cannot travel, being not enumerable`,
        'make it enumerable, or send a copy without it: { ...value }',
      )
    }
    const written = fill(copy, names)
    if (proto === null) return tag('$N', written)
    const isTagLike = written !== copy || (names.length === 1 && names[0]!.startsWith('$'))
    return isTagLike ? tag('$o', written) : written
  }

  const array = (value: unknown[]): Slot => {
    if (!isArrayPrototype(Object.getPrototypeOf(value))) return instance(value)
    for (let index = 0; index < value.length; index++)
      if (value[index] === undefined && !hasOwn.call(value, index)) return sparseArray(value)
    if (hasExtraProperties(value)) return sparseArray(value)
    const slots = texts.list()
    for (let index = 0; index < value.length; index++) slots.push(slot(value[index], index))
    const written = slots.end()
    return Array.isArray(written) ? written : tag('$A', written)
  }

  const sparseArray = (value: unknown[]): Slot => {
    requireNoSymbols(value)
    const entries = texts.list()
    const extras: Properties = {}
    for (const name of Object.getOwnPropertyNames(value)) {
      if (name === 'length') continue
      if (!Object.prototype.propertyIsEnumerable.call(value, name))
        refuseText(
          `its property ${JSON.stringify(name)} cannot travel, being not enumerable`,
          'send a copy without it: [...array]',
        )
      const index = Number(name)
      if (String(index) === name && Number.isInteger(index) && index >= 0 && index < 2 ** 32 - 1) {
        entries.push(index)
        entries.push(slot(value[index], index))
      } else
        Object.defineProperty(extras, name, {
          value: slot(Reflect.get(value, name), name),
          enumerable: true,
        })
    }
    return tag('$S', [value.length, entries.end(), extras])
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
    const privates = reference.privates ? properties(reference.privates) : {}
    const name = reference.name === undefined ? [] : [reference.name]
    return tag('$I', [reference.id, fields, privates, ...name])
  }

  const visit = (value: object): Slot => {
    if (typeof value === 'function') return instance(value)
    if (types.isProxy(value)) walk.refuse(value, 'Proxy')
    if (Array.isArray(value)) return array(value)
    const proto = Object.getPrototypeOf(value)
    let isPlain = proto === Object.prototype || plainPrototypes.get(proto)
    if (isPlain === undefined) {
      isPlain = proto === null || isObjectPrototype(proto)
      plainPrototypes.set(proto, isPlain)
    }
    if (!isPlain) return encodeBuiltin(value, walk, binary)
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
    const parts = texts.count
    const { pending } = texts
    try {
      return visit(value)
    } catch (error) {
      omitted.push(shortMessage(asRefusal(error)))
      // What was met inside goes with it.
      for (const inner of order.splice(before.met)) met.delete(inner)
      deferred.length = before.deferred
      depth = before.depth
      count = before.count
      texts.rewind(parts, pending)
      return tag('$O', 0)
    }
  }

  try {
    const value = slot(root, '')
    const rest = texts.list()
    for (let index = 0; index < deferred.length; index++) {
      from = deferred[index]!
      depth = 0
      rest.push(lenient ? visitLeniently(from.value) : visit(from.value))
    }
    const frames = binary.frames().concat(texts.frames())
    const head = plain ? value : headOf(value, rest.end())
    return { root: value, head, plain, parted: texts.count > 0, frames, omitted }
  } catch (error) {
    throw asRefusal(error)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function shortMessage(error: Error): string {
  return error.message.split('\n', 1)[0]!
}
