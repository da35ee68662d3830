/** A head and its frames -> the value: first every object empty, then their contents, so that cycles close. */
import { FarcallError } from '../core/errors.ts'
import { elementSizes } from './binary.ts'
import { errorShell, fillError } from './error-node.ts'
import type { DecodeOptions } from './types.ts'
import { bigintSlot, corrupt } from './wire.ts'

type Fill = (fields: Record<PropertyKey, unknown>, privates: Record<string, unknown>) => void
const primitives: readonly unknown[] = [
  undefined,
  Number.NaN,
  -0,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
]

export function unflatten(head: string, frames: readonly Uint8Array[], options: DecodeOptions): unknown {
  const nodes: unknown = JSON.parse(head)
  if (!Array.isArray(nodes) || nodes.length === 0) throw corrupt('its head is no table')
  const values: unknown[] = new Array(nodes.length)
  const fills = new Map<number, Fill>()
  const buffers: (ArrayBuffer | undefined)[] = []

  const read = (slot: unknown): unknown => {
    if (typeof slot !== 'object' || slot === null) return slot
    if (Array.isArray(slot)) {
      const code: unknown = slot[0]
      if (typeof code === 'number' && Number.isInteger(code)) {
        if (slot.length === 1 && code > 0 && code < nodes.length) return values[code]
        if (slot.length === 1 && code < 0 && -code <= primitives.length) return primitives[-code - 1]
        if (slot.length === 2 && code === bigintSlot) return readBigint(slot[1])
      }
    }
    throw corrupt('a value in its head')
  }

  const frame = (index: unknown): ArrayBuffer => {
    if (!isCount(index) || index >= frames.length) throw corrupt('a frame that is not there')
    let buffer = buffers[index]
    if (!buffer) {
      // A copy: views need alignment, and must not show the bytes around them.
      const source = frames[index]!
      const copy = new Uint8Array(source.byteLength)
      copy.set(source)
      buffer = buffers[index] = copy.buffer
    }
    return buffer
  }

  /** The object that a node stands for, empty where it holds others. */
  const create = (node: unknown, id: number): unknown => {
    if (typeof node !== 'object' || node === null) throw corrupt('an entry of its head')
    if (!Array.isArray(node)) return node
    const [tag, first, second, third, fourth] = node as unknown[]
    switch (tag) {
      case 'A':
        return list(first)
      case 'S':
        return emptyArray(first, list(second).length / 2)
      case 'N':
        return Object.create(null)
      case 'D':
        if (first !== null && typeof first !== 'number') throw corrupt('a date')
        return new Date(first ?? Number.NaN)
      case 'M':
        return new Map()
      case 'T':
        return new Set()
      case 'R':
        return new RegExp(text(first), text(second))
      case 'P': {
        const primitive = read(first)
        if (primitive === null || primitive === undefined || typeof primitive === 'object')
          throw corrupt('a boxed primitive')
        return Object(primitive)
      }
      case 'U':
        return new URL(text(first))
      case 'Q':
        return new URLSearchParams(text(first))
      case 'B':
        return view(text(first), frame(second), third, fourth)
      case 'E':
        return errorShell(first, options)
      case 'O':
        return undefined
      case 'F':
        if (!options.resolve) throw corrupt('it holds a function, which has no meaning here')
        return options.resolve(text(first))
      case 'I': {
        if (!options.instantiate) throw corrupt('it holds an instance of a class, which is not known here')
        const { object, fill } = options.instantiate(text(first))
        fills.set(id, fill)
        return object
      }
    }
    throw corrupt('an entry of an unknown kind')
  }

  /** Fills what `create` made, now that all others exist. */
  const complete = (node: object, value: unknown): void => {
    if (!Array.isArray(node)) {
      const object = value as Record<string, unknown>
      // JSON.parse made every key an own property, `__proto__` too: assigning cannot reach a setter.
      for (const key of Object.keys(object)) {
        const slot = object[key]
        if (typeof slot === 'object' && slot !== null) object[key] = read(slot)
      }
      return
    }
    const content: unknown = node[1]
    switch (node[0]) {
      case 'A': {
        const items = value as unknown[]
        for (let index = 0; index < items.length; index++) {
          const slot = items[index]
          if (typeof slot === 'object' && slot !== null) items[index] = read(slot)
        }
        return
      }
      case 'S':
        fillSparse(value as unknown[], list(node[2]), node[3])
        return
      case 'N':
        for (const [key, slot] of Object.entries(record(content)))
          (value as Record<string, unknown>)[key] = read(slot)
        return
      case 'M': {
        const slots = list(content)
        if (slots.length % 2) throw corrupt('a Map')
        for (let index = 0; index < slots.length; index += 2)
          (value as Map<unknown, unknown>).set(read(slots[index]), read(slots[index + 1]))
        return
      }
      case 'T':
        for (const slot of list(content)) (value as Set<unknown>).add(read(slot))
        return
      case 'R':
        ;(value as RegExp).lastIndex = read(node[3]) as number
        return
      case 'E':
        fillError(value as Error, content, node[2], node[3], read)
        return
    }
  }

  const fillSparse = (array: unknown[], entries: unknown[], extras: unknown): void => {
    for (let at = 0; at < entries.length; at += 2) {
      const index = entries[at]
      if (!isCount(index) || index >= array.length) throw corrupt('an index of an array')
      array[index] = read(entries[at + 1])
    }
    for (const [key, slot] of Object.entries(record(extras))) {
      if (key === 'length' || (/^\d+$/.test(key) && Number(key) < 2 ** 32 - 1 && String(Number(key)) === key))
        throw corrupt('a property of an array')
      Object.defineProperty(array, key, own(read(slot)))
    }
  }

  const readAll = (properties: unknown): Record<string, unknown> => {
    const all: Record<string, unknown> = {}
    for (const [key, slot] of Object.entries(record(properties)))
      Object.defineProperty(all, key, own(read(slot)))
    return all
  }

  for (let id = 1; id < nodes.length; id++) values[id] = create(nodes[id], id)
  for (let id = 1; id < nodes.length; id++) complete(nodes[id] as object, values[id])
  // What was written first holds what came later: the innermost are filled first.
  for (const [id, fill] of [...fills].reverse()) {
    const node = nodes[id] as unknown[]
    fill(readAll(node[2]), readAll(node[3]))
  }
  return read(nodes[0])
}

/** Any failure that is not named yet means bytes that `encode` did not write. */
export function named<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof FarcallError) throw error
    throw corrupt(error instanceof Error ? error.message : String(error), error)
  }
}

function readBigint(hex: unknown): bigint {
  if (typeof hex !== 'string' || !/^-?[0-9a-f]+$/.test(hex)) throw corrupt('a bigint')
  return hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`)
}

function view(kind: string, buffer: ArrayBuffer, offset: unknown, length: unknown): object {
  const size = Object.hasOwn(elementSizes, kind) ? elementSizes[kind]! : 0
  if (!size || !isCount(offset) || !isCount(length)) throw corrupt('binary data')
  if (offset + length > buffer.byteLength || offset % size || length % size)
    throw corrupt('binary data that reaches beyond its frame')
  if (kind === 'ArrayBuffer') return buffer
  if (kind === 'Buffer') return Buffer.from(buffer, offset, length)
  const maker: unknown = Reflect.get(globalThis, kind)
  if (typeof maker !== 'function') throw corrupt(`it holds a ${kind}, which this Node does not have`)
  return Reflect.construct(maker, [buffer, offset, length / size])
}

function emptyArray(length: unknown, entries: number): unknown[] {
  if (!isCount(length) || length > 2 ** 32 - 1 || !Number.isInteger(entries)) throw corrupt('a sparse array')
  const array: unknown[] = []
  if (length > 4 * entries + 1024) {
    // Setting a length makes room for all of it, below 32 million; an array with a far element is a table instead.
    array[2 ** 32 - 2] = undefined
  }
  array.length = length
  return array
}

function own(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true }
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw corrupt('a list in its head')
  return value
}

function record(value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw corrupt('an object in its head')
  return value
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw corrupt('a text in its head')
  return value
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
