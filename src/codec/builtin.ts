/** Which prototypes are plain or built in, in this realm or another (vm contexts, vitest's vmThreads). */
import { types } from 'node:util'

// Object.hasOwn is newer than Node 16.0.
export const hasOwn = Object.prototype.hasOwnProperty

/** Whether this is the Object.prototype of some realm. */
export function isObjectPrototype(proto: object): boolean {
  return (
    proto === Object.prototype ||
    (Object.getPrototypeOf(proto) === null &&
      hasOwn.call(proto, 'isPrototypeOf') &&
      hasOwn.call(proto, '__lookupGetter__'))
  )
}

/** Whether this is the Array.prototype of some realm: the only prototype that is an array itself. */
export function isArrayPrototype(proto: object | null): boolean {
  if (proto === Array.prototype) return true
  if (proto === null || !Array.isArray(proto)) return false
  const next = Object.getPrototypeOf(proto)
  return next !== null && isObjectPrototype(next)
}

/** Prototypes between the value and Object.prototype; -1 when the chain does not end there. */
export function prototypeDepth(value: object): number {
  let depth = 0
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (isObjectPrototype(proto)) return depth
    depth++
  }
  return -1
}

export const errorClasses: ReadonlyMap<string, ErrorConstructor> = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map(
    (each) => [each.name, each as unknown as ErrorConstructor],
  ),
)

export function isError(value: object): value is Error {
  return types.isNativeError(value) || value instanceof Error || isDomException(value)
}

export function isDomException(value: object): boolean {
  return typeof DOMException === 'function' && value instanceof DOMException
}

/** Names of the constructors along the prototype chain, most derived first, without Object. */
export function classNames(value: object): string[] {
  const names: string[] = []
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (isObjectPrototype(proto)) break
    const maker = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value
    if (typeof maker === 'function' && typeof maker.name === 'string') names.push(maker.name)
  }
  return names
}

/** A static hook by which a class says itself how its instances travel. */
export const reviveHook = Symbol.for('farcall.revive')

export function hasReviveHook(value: object): boolean {
  const maker: unknown = Reflect.get(value, 'constructor')
  return typeof maker === 'function' && typeof Reflect.get(maker, reviveHook) === 'function'
}
