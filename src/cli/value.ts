import { writeFile } from 'node:fs/promises'
import { ConfigError } from '../core/errors.ts'

export interface ValueOptions {
  readonly output?: string
}

/** Whether JSON says all of it. */
export function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++)
      if (!Object.hasOwn(value, at) || !isJson(value[at])) return false
    return true
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === null || prototype === Object.prototype) && Object.values(value).every(isJson)
}

export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (!ArrayBuffer.isView(value)) return undefined
  // Of numbers that are more than a byte each, the order of bytes would be this machine's.
  const isBytes =
    value instanceof Uint8Array || value instanceof Uint8ClampedArray || value instanceof DataView
  return isBytes ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined
}

/** A value as JSON. @throws ConfigError OPTION_INVALID for what JSON does not say */
export function jsonText(value: unknown): string {
  if (value === undefined) return ''
  if (isJson(value))
    return `${JSON.stringify(value, null, Array.isArray(value) && value.length > 20 ? 0 : 2)}\n`
  throw new ConfigError('OPTION_INVALID', `the value is ${kindOf(value)}, which is not JSON`, {
    hint: 'farcall result ID --encoded --output FILE keeps it as it is, and openResult(FILE) reads it in a program',
  })
}

/** Prints a value as JSON, or writes it to a file: bytes as they are, all else as JSON. @throws ConfigError */
export async function giveValue(value: unknown, { output }: ValueOptions): Promise<void> {
  if (output === undefined) {
    process.stdout.write(jsonText(value))
    return
  }
  const blob = value instanceof Blob ? new Uint8Array(await value.arrayBuffer()) : undefined
  await writeFile(output, bytesOf(value) ?? blob ?? jsonText(value))
}

function kindOf(value: unknown): string {
  const inside = typeof value === 'object' && value !== null && (Array.isArray(value) || isPlain(value))
  if (inside) return `${Array.isArray(value) ? 'an array' : 'an object'} that holds ${firstOdd(value)}`
  return nameOf(value)
}

const isPlain = (value: object) => [null, Object.prototype].includes(Object.getPrototypeOf(value))

function firstOdd(value: object): string {
  if (Array.isArray(value)) for (let at = 0; at < value.length; at++) if (!(at in value)) return 'holes'
  const odd: unknown = Object.values(value).find((one) => !isJson(one))
  return typeof odd === 'object' && odd !== null && (Array.isArray(odd) || isPlain(odd))
    ? firstOdd(odd)
    : nameOf(odd)
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  const { name } = (Object.getPrototypeOf(value) as object | null)?.constructor ?? {}
  return name ? `a ${name}` : 'an object'
}
