/** JSON.stringify of our own arrays and objects, also where a library has put toJSON on their prototypes. */
export function safeStringify(head: unknown): string {
  const removed: [object, PropertyDescriptor][] = []
  for (const proto of [Object.prototype, Array.prototype]) {
    const descriptor = Object.getOwnPropertyDescriptor(proto, 'toJSON')
    if (descriptor && Reflect.deleteProperty(proto, 'toJSON')) removed.push([proto, descriptor])
  }
  try {
    return JSON.stringify(head)
  } finally {
    for (const [proto, descriptor] of removed) Object.defineProperty(proto, 'toJSON', descriptor)
  }
}
