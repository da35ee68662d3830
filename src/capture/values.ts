import { types } from 'node:util'

const plain = new Set<object | null>([Object.prototype, null])

/**
 * Whether a module-level variable goes along as a value: data through and through. Otherwise its
 * initialiser runs again on the node.
 *
 * @param contents what a function or class instance holds, when it can travel
 */
export function travelsPlainly(
  root: unknown,
  contents: (value: object) => readonly unknown[] | undefined,
): boolean {
  const seen = new Set<unknown>()
  const todo: unknown[] = [root]
  while (todo.length > 0) {
    const value = todo.pop()
    if (typeof value === 'symbol') return false
    if (typeof value === 'function') {
      const held = contents(value)
      if (!held) return false
      if (!seen.has(value)) todo.push(...held)
      seen.add(value)
      continue
    }
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    if (
      ArrayBuffer.isView(value) ||
      types.isArrayBuffer(value) ||
      types.isDate(value) ||
      types.isRegExp(value)
    )
      continue
    if (types.isProxy(value)) return false
    if (types.isMap(value)) for (const [k, v] of value) todo.push(k, v)
    else if (types.isSet(value)) todo.push(...value)
    else if (Array.isArray(value)) {
      for (const item of value)
        if (typeof item === 'object' || typeof item === 'function' || typeof item === 'symbol')
          todo.push(item)
    } else if (value instanceof Error || value instanceof URL || value instanceof URLSearchParams) continue
    else if (plain.has(Object.getPrototypeOf(value)) || isObjectPrototype(Object.getPrototypeOf(value))) {
      if (Object.getOwnPropertySymbols(value).length > 0 || types.isModuleNamespaceObject(value)) return false
      for (const descriptor of Object.values(Object.getOwnPropertyDescriptors(value))) {
        if (!('value' in descriptor) || !descriptor.enumerable) return false
        todo.push(descriptor.value)
      }
    } else {
      const held = contents(value)
      if (!held) return false
      todo.push(...held)
    }
  }
  return true
}

/** Object.prototype of another vm context: what vitest's vm pools and notebooks have. */
function isObjectPrototype(value: object | null): boolean {
  return value !== null && Object.getPrototypeOf(value) === null && Object.hasOwn(value, 'hasOwnProperty')
}
