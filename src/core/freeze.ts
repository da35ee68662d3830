/** Freezes arrays and plain objects, and what they hold; what cannot be frozen stays as it is. Gives the value. */
export function deepFreeze<T>(root: T): T {
  const todo: unknown[] = [root]
  while (todo.length > 0) {
    const value = todo.pop()
    // Binary data refuses to be frozen, and holds nothing.
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
      continue
    Object.freeze(value)
    if (value instanceof Map) for (const [key, held] of value) todo.push(key, held)
    else if (value instanceof Set) for (const held of value) todo.push(held)
    for (const held of Object.values(value)) if (typeof held === 'object') todo.push(held)
  }
  return root
}
