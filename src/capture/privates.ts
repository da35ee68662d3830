import { types } from 'node:util'
import { CaptureError } from '../core/errors.ts'
import type { FunctionNode } from './analysis.ts'
import { isNative } from './builtins.ts'
import { inspectFunction, privatesOf } from './inspect.ts'
import { nodeOf, type Place } from './locate.ts'
import { placeName, type UserFile } from './sources.ts'

/**
 * The #private fields of an instance, with those of the classes that it extends.
 *
 * @throws CaptureError CAPTURE_REFUSED when they cannot be told apart or read
 */
export function privateFields(
  object: object,
  type: Function,
  place: Place,
  find: (type: Function) => Place | undefined,
): Record<string, unknown> | undefined {
  const wanted = new Set<string>()
  for (let at: unknown = type; typeof at === 'function' && !isNative(at); at = Object.getPrototypeOf(at)) {
    const where = at === type ? place : find(at)
    for (const name of where ? (nodeOf(where).privateNames ?? []) : []) {
      if (wanted.has(name))
        throw new CaptureError(
          'CAPTURE_REFUSED',
          `${placeName(place.file, nodeOf(place).start)} ${type.name} and a class that it extends both have ${name}`,
          { hint: 'rename one of them' },
        )
      wanted.add(name)
    }
  }
  if (wanted.size === 0) return undefined
  const read = privatesOf(object)
  const result: Record<string, unknown> = {}
  for (const name of wanted) {
    if (Object.hasOwn(read, name)) result[name] = read[name]
    else {
      const lowered = loweredPrivate(object, type, name)
      if (!lowered)
        throw new CaptureError('CAPTURE_REFUSED', `${name} of a ${type.name} cannot be read`, {
          hint: 'compile for ES2022 or later, without minifying names',
        })
      result[name] = lowered.value
    }
  }
  return result
}

/**
 * The static #private fields of a class, as they are now.
 *
 * @throws CaptureError CAPTURE_REFUSED when they cannot be read
 */
export function staticPrivates(type: Function, node: FunctionNode, file: UserFile): Record<string, unknown> {
  const names = node.staticPrivateNames ?? []
  const result: Record<string, unknown> = {}
  if (names.length === 0) return result
  const read = privatesOf(type)
  for (const name of names) {
    const lowered = Object.hasOwn(read, name) ? { value: read[name] } : loweredPrivate(type, type, name)
    if (!lowered)
      throw new CaptureError(
        'CAPTURE_REFUSED',
        `${placeName(file, node.start)} ${name} of the class ${type.name} cannot be read`,
        { hint: 'compile for ES2022 or later, without minifying names' },
      )
    result[name] = lowered.value
  }
  return result
}

/** Compilers for older targets keep #x in a WeakMap beside the class: _x, _x2, _Class_x. */
function loweredPrivate(object: object, type: Function, name: string): { value: unknown } | undefined {
  const plain = name.slice(1)
  const pattern = new RegExp(`^_(?:${type.name}_)?${plain.replace(/\$/g, '\\$')}\\d*$`)
  const holders: Function[] = [type]
  for (const member of Object.values(Object.getOwnPropertyDescriptors(type)))
    if (typeof member.value === 'function') holders.push(member.value)
  for (const member of Object.values(Object.getOwnPropertyDescriptors(type.prototype as object)))
    if (typeof member.value === 'function') holders.push(member.value)
  for (const holder of holders)
    for (const { object: scope } of inspectFunction(holder).scopes)
      for (const [key, value] of Object.entries(scope))
        if (pattern.test(key) && types.isWeakMap(value) && value.has(object))
          return { value: value.get(object) }
  return undefined
}
