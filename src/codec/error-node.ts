/** Errors: what of them travels, and how the nearest class is found again. */
import * as farcallErrors from '../core/errors.ts'
import { classNames, errorClasses, hasOwn, isDomException, isError } from './builtin.ts'
import type { DecodeOptions } from './types.ts'
import type { Properties, Slot, Walk } from './walk.ts'
import { corrupt } from './wire.ts'

/** Own properties that errors keep out of sight. */
const hiddenNames = ['name', 'message', 'cause', 'errors'] as const
const farcallBrand = Symbol.for('farcall.error')

/** Lists what was left out of an error so that the error itself could travel: an array of messages. */
export const omittedKey = Symbol.for('farcall.omitted')

export interface ErrorFacts {
  readonly names: readonly string[]
  readonly id?: string
  readonly name?: string
  readonly message?: string
  readonly stack?: string
  readonly brand?: string
  readonly omitted?: readonly string[]
}
export type ErrorNode = readonly [ErrorFacts, hidden: Properties, own: Properties]

export function encodeErrorNode(error: Error, walk: Walk): ErrorNode {
  const names = classNames(error)
  const reference = errorClasses.has(names[0] ?? '') ? undefined : walk.reference(error)
  if (reference?.kind === 'instance' && Object.keys(reference.privates ?? {}).length > 0 && !walk.omitted)
    walk.refuse(error)
  const hidden: Record<string, Slot> = {}
  for (const name of hiddenNames) {
    const descriptor = Object.getOwnPropertyDescriptor(error, name)
    if (descriptor && !descriptor.enumerable) hidden[name] = walk.slot(read(error, name), name)
  }
  // Symbol keys stay behind: those of libraries are their private marks, and nobody could look one up elsewhere.
  const own: Record<string, unknown> = {}
  for (const name of Object.keys(error)) {
    if (name === 'stack') continue
    const value = walk.slot(read(error, name), name)
    Object.defineProperty(own, name, { value, enumerable: true, configurable: true, writable: true })
  }
  const facts: { -readonly [K in keyof ErrorFacts]: ErrorFacts[K] } = { names }
  if (reference?.kind === 'instance') facts.id = reference.id
  for (const key of ['name', 'message', 'stack'] as const) {
    const text = read(error, key)
    if (typeof text !== 'string') continue
    facts[key] = text
    walk.weigh(text.length)
  }
  const brand = read(error, farcallBrand)
  if (typeof brand === 'string') facts.brand = brand
  return [facts, hidden, own]
}

/** A property whose getter may throw: an error about an error would hide the first one. */
function read(error: Error, key: PropertyKey): unknown {
  try {
    return Reflect.get(error, key)
  } catch {
    return undefined
  }
}

/** An error that stands for what was thrown, when that itself cannot travel. */
export function standIn(thrown: unknown, why: string): ErrorNode {
  const isOne = typeof thrown === 'object' && thrown !== null && isError(thrown)
  const text = (key: string) => {
    const value = isOne ? read(thrown, key) : undefined
    // Cut, because its size may be what is wrong with it.
    return typeof value === 'string' ? value.slice(0, 100_000) : undefined
  }
  const name = text('name') ?? 'Error'
  const message = text('message') ?? `what was thrown cannot be shown: ${why}`
  return [
    { names: ['Error'], name, message, stack: text('stack') ?? `${name}: ${message}`, omitted: [why] },
    {},
    {},
  ]
}

/** An error without its properties; the constructor of a user's class is not run. */
export function errorShell(facts: unknown, options: DecodeOptions): Error {
  const { names, id, name, message, brand } = checkFacts(facts)
  const derived = names[0] !== undefined && !errorClasses.has(names[0])
  const found =
    derived || id !== undefined
      ? options.errorClass?.(id === undefined ? { names } : { id, names })
      : undefined
  if (!found && names.includes('DOMException') && typeof DOMException === 'function')
    return new DOMException(message ?? '', name ?? 'Error')
  const ours = brand === undefined ? undefined : names.map(farcallClass).find(Boolean)
  const nearest = names.map((each) => errorClasses.get(each)).find(Boolean) ?? Error
  const error = new Error()
  const proto: unknown = (found ?? ours ?? nearest).prototype
  if (typeof proto === 'object' && proto !== null && proto !== Error.prototype)
    Object.setPrototypeOf(error, proto)
  return error
}

function farcallClass(name: string): Function | undefined {
  return new Map<string, unknown>(Object.entries(farcallErrors)).get(name) as Function | undefined
}

/** `read` gives the value of a slot. */
export function fillError(
  error: Error,
  factsRead: unknown,
  hidden: unknown,
  own: unknown,
  read: (slot: unknown) => unknown,
): void {
  const facts = checkFacts(factsRead)
  for (const [properties, enumerable] of [
    [hidden, false],
    [own, true],
  ] as const) {
    if (typeof properties !== 'object' || properties === null || Array.isArray(properties))
      throw corrupt('the properties of an error')
    for (const [key, slot] of Object.entries(properties)) define(error, key, read(slot), enumerable)
  }
  // Inherited from a class that may be missing here, or from a getter of it.
  if (facts.name !== undefined && error.name !== facts.name && !isDomException(error))
    define(error, 'name', facts.name, false)
  if (facts.message !== undefined && error.message !== facts.message)
    define(error, 'message', facts.message, false)
  define(error, 'stack', facts.stack, false)
  if (facts.brand !== undefined) define(error, farcallBrand, facts.brand, false)
  if (facts.omitted !== undefined) define(error, omittedKey, facts.omitted, false)
}

function define(error: Error, key: PropertyKey, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true })
}

function checkFacts(facts: unknown): ErrorFacts {
  if (typeof facts !== 'object' || facts === null) throw corrupt('an error')
  const known = facts as Record<string, unknown>
  for (const key of ['id', 'name', 'message', 'stack', 'brand'])
    if (hasOwn.call(known, key) && typeof known[key] !== 'string') throw corrupt(`the ${key} of an error`)
  if (!isTextArray(known['names']) || (known['omitted'] !== undefined && !isTextArray(known['omitted'])))
    throw corrupt('the class of an error')
  return facts as ErrorFacts
}

function isTextArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}
