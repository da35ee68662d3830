import { createRequire } from 'node:module'
import { dirname } from 'node:path'

/** Functions of Node itself, by a name that finds them again on the node. */
let builtins: Map<unknown, string> | undefined

export function builtinId(value: unknown): string | undefined {
  if (!builtins) {
    builtins = new Map()
    const require = createRequire(`${dirname(process.execPath)}/`)
    for (const name of [
      'fs',
      'path',
      'os',
      'util',
      'crypto',
      'url',
      'zlib',
      'child_process',
      'assert',
      'events',
      'buffer',
      'stream',
      'timers',
      'perf_hooks',
      'fs/promises',
      'timers/promises',
    ])
      for (const [key, member] of Object.entries(require(`node:${name}`) as object))
        if (typeof member === 'function') builtins.set(member, `b:${name}:${key}`)
    for (const key of Object.getOwnPropertyNames(globalThis)) {
      const descriptor = Object.getOwnPropertyDescriptor(globalThis, key)
      const member: unknown = descriptor && 'value' in descriptor ? descriptor.value : undefined
      if (member === null || (typeof member !== 'object' && typeof member !== 'function')) continue
      if (typeof member === 'function' && !isNative(member)) continue
      for (const inner of Object.getOwnPropertyNames(member)) {
        const value = Object.getOwnPropertyDescriptor(member, inner)?.value as unknown
        if (typeof value === 'function' && inner !== 'constructor' && (isNative(value) || key === 'console'))
          builtins.set(value, `g:${key}.${inner}`)
      }
      if (typeof member !== 'function') continue
      builtins.set(member, `g:${key}`)
      const prototype: unknown = member.prototype
      if (typeof prototype === 'object' && prototype !== null)
        for (const [inner, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)))
          if (
            typeof value === 'function' &&
            inner !== 'constructor' &&
            isNative(value) &&
            !builtins.has(value)
          )
            builtins.set(value, `g:${key}.prototype.${inner}`)
    }
  }
  return builtins.get(value)
}

export function isNative(fn: Function): boolean {
  return /\{\s*\[native code\]\s*\}\s*$/.test(Function.prototype.toString.call(fn))
}
