import { types } from 'node:util'

const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !types.isProxy(value)

/** What an object holds, in an order that is the same after a journey. */
function childrenOf(object: object): unknown[] {
  if (ArrayBuffer.isView(object) || types.isAnyArrayBuffer(object)) return []
  const own = Object.values(object) as unknown[]
  if (types.isMap(object)) return [...own, ...[...object].flat()]
  if (types.isSet(object)) return [...own, ...object]
  return own
}

/**
 * Every object that can be reached from a value, the value first.
 *
 * @param stop objects that are given, and not entered
 */
export function objectsOf(root: unknown, stop?: { has(object: object): boolean }): object[] {
  const met = new Set<object>()
  const waiting: unknown[] = [root]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (!isContainer(value) || met.has(value)) continue
    met.add(value)
    if (stop?.has(value)) continue
    const children = childrenOf(value)
    for (let i = children.length - 1; i >= 0; i--) if (isContainer(children[i])) waiting.push(children[i])
  }
  return [...met]
}

/** Puts others in the place of objects, wherever a value holds them; gives what stands for the value itself. */
export function substitute(root: unknown, others: ReadonlyMap<object, object>): unknown {
  const to = (value: unknown) => (isContainer(value) ? (others.get(value) ?? value) : value)
  if (others.size === 0) return root
  for (const object of objectsOf(root, others)) {
    if (others.has(object) || ArrayBuffer.isView(object)) continue
    if (types.isMap(object)) {
      const entries = [...object]
      object.clear()
      for (const [key, value] of entries) object.set(to(key), to(value))
    } else if (types.isSet(object)) {
      const members = [...object]
      object.clear()
      for (const member of members) object.add(to(member))
    }
    for (const [key, value] of Object.entries(object)) {
      const other = to(value)
      if (other !== value) Reflect.set(object, key, other)
    }
  }
  return to(root)
}
