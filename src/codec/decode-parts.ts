/** The checks of what a head says, and what is made of one piece of it. */
import { elementSizes } from './binary.ts'
import { hasOwn } from './builtin.ts'
import { corrupt } from './wire.ts'

/** The key of an object that has this one only, when it starts with $. */
export function tagOf(slot: object): string | undefined {
  if (Array.isArray(slot)) return undefined
  const keys = Object.keys(slot)
  const first = keys[0]
  return keys.length === 1 && first!.charCodeAt(0) === 36 ? first : undefined
}

export function readBigint(hex: unknown): bigint {
  if (typeof hex !== 'string' || !/^-?[0-9a-f]+$/.test(hex)) throw corrupt('a bigint')
  return hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`)
}

export function view(kind: string, buffer: ArrayBufferLike, offset: unknown, length: unknown): object {
  const size = hasOwn.call(elementSizes, kind) ? elementSizes[kind]! : 0
  if (!size || !isCount(offset) || !isCount(length)) throw corrupt('binary data')
  if (offset + length > buffer.byteLength || offset % size || length % size)
    throw corrupt('binary data that reaches beyond its frame')
  if (kind === 'ArrayBuffer') return buffer
  if (kind === 'Buffer') return Buffer.from(buffer, offset, length)
  const maker: unknown = Reflect.get(globalThis, kind)
  if (typeof maker !== 'function') throw corrupt(`it holds a ${kind}, which this Node does not have`)
  return Reflect.construct(maker, [buffer, offset, length / size])
}

export function emptyArray(length: unknown, entries: number): unknown[] {
  if (!isCount(length) || length > 2 ** 32 - 1 || !Number.isInteger(entries)) throw corrupt('a sparse array')
  const array: unknown[] = []
  if (length > 4 * entries + 1024) {
    // Setting a length makes room for all of it, below 32 million; an array with a far element is a table instead.
    array[2 ** 32 - 2] = undefined
  }
  array.length = length
  return array
}

export function own(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true }
}

export function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw corrupt('a list in its head')
  return value
}

export function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw corrupt('an object in its head')
  return value as Record<string, unknown>
}

export function text(value: unknown): string {
  if (typeof value !== 'string') throw corrupt('a text in its head')
  return value
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
