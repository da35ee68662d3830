/** Why a value cannot travel, and the way out. */
import { types } from 'node:util'

export interface Refusal {
  readonly why: string
  readonly hint: string
}

const open = 'open it inside the function'
const byKind: Record<string, readonly [name: string, hint: string]> = {
  Promise: ['a Promise', 'await it first and send what it gives'],
  WeakMap: ['a WeakMap', 'send a Map, or build it inside the function'],
  WeakSet: ['a WeakSet', 'send a Set, or build it inside the function'],
  WeakRef: ['a WeakRef', 'send what it refers to'],
  FinalizationRegistry: ['a FinalizationRegistry', 'create it inside the function'],
  Proxy: ['a Proxy', 'send a plain copy of it: { ...value }'],
  SharedArrayBuffer: ['shared memory', 'send a copy of it: new Uint8Array(shared).slice()'],
  Blob: ['a Blob', 'send its bytes: await blob.arrayBuffer()'],
  File: ['a File', 'send its bytes: await file.arrayBuffer()'],
  Module: ['a module namespace', 'import the module inside the function'],
  Arguments: ['an arguments object', 'send an array of it: [...arguments]'],
  Generator: ['a generator', 'send an array of its items: [...items]'],
  AsyncGenerator: ['an async generator', 'collect its items first and send the array'],
  External: ['a native handle', open],
  Socket: ['a net.Socket', open],
  TLSSocket: ['a tls.TLSSocket', open],
  Server: ['a server', open],
  ReadStream: ['a file stream', 'send its path and open it inside the function'],
  WriteStream: ['a file stream', 'send its path and open it inside the function'],
  FileHandle: ['a FileHandle', 'send its path and open it inside the function'],
  Readable: ['a stream', open],
  Writable: ['a stream', open],
  Duplex: ['a stream', open],
  Transform: ['a stream', open],
  PassThrough: ['a stream', open],
  ReadableStream: ['a stream', open],
  WritableStream: ['a stream', open],
  TransformStream: ['a stream', open],
  ChildProcess: ['a child process', 'start it inside the function'],
  Worker: ['a worker thread', 'start it inside the function'],
  MessagePort: ['a MessagePort', open],
  WebSocket: ['a WebSocket', open],
  AbortSignal: ['an AbortSignal', 'give it as the option `signal`; it then cancels the job'],
  AbortController: ['an AbortController', 'give its signal as the option `signal`'],
  Response: ['a Response', 'send its body: await response.arrayBuffer() or .json()'],
  Request: ['a Request', 'send its url and options'],
  Headers: ['a Headers object', 'send its entries: [...headers]'],
  FormData: ['a FormData', 'send its entries: [...form]'],
  'farcall.JobStream': ['a JobStream', 'collect its values first and send the array'],
  'farcall.Shared': ['what share() gave', 'send what is needed of its value'],
  KeyObject: ['a KeyObject', 'send what key.export() gives'],
}

const ownKinds: ReadonlySet<string> = new Set([
  'WeakRef',
  'FinalizationRegistry',
  'Blob',
  'File',
  'farcall.JobStream',
])

/** Objects that hold what is not in their properties, so that no class instance can stand for them. */
export function cannotEverTravel(value: object): string | undefined {
  if (types.isPromise(value)) return 'Promise'
  if (types.isWeakMap(value)) return 'WeakMap'
  if (types.isWeakSet(value)) return 'WeakSet'
  if (types.isSharedArrayBuffer(value)) return 'SharedArrayBuffer'
  if (types.isModuleNamespaceObject(value)) return 'Module'
  if (types.isArgumentsObject(value)) return 'Arguments'
  if (types.isGeneratorObject(value)) return kindOf(value)
  // Deno has no such objects, and no word for them
  if (types.isExternal?.(value)) return 'External'
  const kind = kindOf(value)
  return ownKinds.has(kind) ? kind : undefined
}

/** 'Map' of '[object Map]'; of an object whose toStringTag throws, 'Object'. */
export function kindOf(value: object): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1)
  } catch {
    // A toStringTag getter of the user's may throw; it only serves the wording here.
    return 'Object'
  }
}

export function explainRefusal(value: unknown, kind?: string): Refusal {
  if (typeof value === 'symbol')
    return { why: 'a symbol cannot travel', hint: 'send its description, a string' }
  if (typeof value === 'function') {
    const isClass = /^class\b/.test(Function.prototype.toString.call(value))
    return {
      why: `${isClass ? 'the class' : 'the function'} ${value.name || '(anonymous)'} cannot travel`,
      hint: isClass
        ? 'import it inside the function, or send its data'
        : 'call it and send what it gives, or define it inside the function',
    }
  }
  const object = value as object
  const className = classNameOf(object)
  const known =
    (kind && byKind[kind]) || byKind[kindOf(object)] || (className ? byKind[className] : undefined)
  if (known) return { why: `${known[0]} cannot travel`, hint: known[1] }
  if (kindOf(object).endsWith('Iterator'))
    return { why: 'an iterator cannot travel', hint: 'send an array of its items: [...items]' }
  return {
    why: className
      ? `an instance of ${className} cannot travel`
      : 'an object with an unknown prototype cannot travel',
    hint: 'send its fields as a plain object, or create it inside the function',
  }
}

export function classNameOf(value: object): string | undefined {
  try {
    const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
    return typeof name === 'string' && name !== 'Object' && name !== '' ? name : undefined
  } catch {
    // As above: only the wording depends on it.
    return undefined
  }
}
