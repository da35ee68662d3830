import { types } from 'node:util'
import type { Snapshot } from '../../capture/types.ts'
import { binaryKind } from '../../codec/binary.ts'
import type { Elsewhere } from '../../core/elsewhere.ts'
import { CaptureError } from '../../core/errors.ts'

/** Bytes from which a value is worth a place of its own. */
const repeatLimit = 16 * 1024
/** Where arguments lie in what is encoded, and what they hold: { args: [argument, …] }. */
const argumentDepth = 2

const nothing: readonly number[] = []

type AskElsewhere = (object: object, depth: number) => Elsewhere | undefined

/** In place of an entry: the object was looked at, and is small, or part of another one. */
const never = -1

/**
 * Values that many inputs of one submission hold: the first to be met twice is encoded once, apart from the inputs, which
 * name it. An argument counts, or what it holds directly; binary data by its content, all else by being the same object
 * with the same content. Each input gets its own copy there, as it would without this: where one object is met both inside
 * such a value and outside of it, the input travels whole.
 */
export class Repeats {
  /** What the inputs name by number. */
  readonly entries: Uint8Array[] = []
  /** Which input an object was first met in, as -2 - input; its entry; or `never`. */
  readonly #met = new WeakMap<object, number>()
  /** Entries of binary data, by a look at it. */
  readonly #binary = new Map<string, number[]>()
  /** All that is in the other entries. */
  readonly #inside = new WeakSet<object>()
  readonly #limit: number
  #input = 0
  /** Of the input that is encoded just now: an entry was made, which ones it names, it cannot be told in two. */
  #made = false
  #named: readonly number[] = nothing
  #clashes = false
  /** Memory that it names, and that goes with itself. */
  readonly #apart = new Set<object>()
  readonly #along = new Set<object>()

  /** What the last input names. */
  get named(): readonly number[] {
    return this.#named
  }

  constructor(limit = repeatLimit) {
    this.#limit = limit
  }

  /** `trusted`: nothing can have changed since it was met. @throws CaptureError naming the path from `root` */
  encode(
    snapshot: Pick<Snapshot, 'encode'>,
    input: unknown,
    root: string,
    elsewhere: AskElsewhere,
    trusted: boolean,
  ): Uint8Array {
    this.#input++
    const ask: AskElsewhere = (object, depth) => {
      const place = elsewhere(object, depth)
      if (place) return place
      const isCandidate = depth === argumentDepth || depth === argumentDepth + 1
      const entry = isCandidate ? this.#find(object, snapshot, elsewhere, trusted) : undefined
      const memory = memoryOf(object)
      if (entry === undefined) {
        this.#clashes ||= this.#inside.has(object)
        if (memory) {
          this.#clashes ||= this.#inside.has(memory) || this.#apart.has(memory)
          this.#along.add(memory)
        }
        return undefined
      }
      this.#named = [...this.#named, entry]
      if (memory) {
        this.#clashes ||= [this.#inside, this.#apart, this.#along].some((some) => some.has(memory))
        this.#apart.add(memory)
      }
      return { entry }
    }
    for (;;) {
      this.#made = this.#clashes = false
      this.#named = nothing
      this.#apart.clear()
      this.#along.clear()
      const bytes = snapshot.encode(input, root, ask)
      // What was met before the entry was made may lie inside of it.
      if (this.#made) continue
      if (this.#named.length === 0 || !this.#clashes) return bytes
      this.#named = nothing
      return snapshot.encode(input, root, elsewhere)
    }
  }

  #find(
    object: object,
    snapshot: Pick<Snapshot, 'encode'>,
    elsewhere: AskElsewhere,
    trusted: boolean,
  ): number | undefined {
    if (typeof object === 'function') return undefined
    if (memoryOf(object)) return this.#findBinary(object, snapshot)
    const met = this.#met.get(object)
    if (met === undefined) this.#met.set(object, -2 - this.#input)
    if (met === undefined || met === never || met === -2 - this.#input) return undefined
    if (met >= 0 && trusted) return met
    const inside = new Set<object>()
    let isOwn = true
    const bytes = tryEncode(snapshot, object, (inner, depth) => {
      const place = elsewhere(inner, depth)
      // What it waits for is the input's own.
      if (place && !('blob' in place)) isOwn = false
      if (!place) inside.add(inner)
      const memory = memoryOf(inner)
      if (memory) inside.add(memory)
      return place
    })
    if (met >= 0) return bytes && Buffer.compare(bytes, this.entries[met]!) === 0 ? met : undefined
    const isPart = [...inside].some((inner) => this.#inside.has(inner))
    if (!bytes || !isOwn || bytes.byteLength < this.#limit || isPart) {
      this.#met.set(object, never)
      return undefined
    }
    for (const inner of inside) this.#inside.add(inner)
    this.#made = true
    const entry = this.entries.push(bytes) - 1
    this.#met.set(object, entry)
    return entry
  }

  #findBinary(object: object, snapshot: Pick<Snapshot, 'encode'>): number | undefined {
    const content = contentOf(object)
    if (!content || content.byteLength < this.#limit) return undefined
    const look = `${binaryKind(object)} ${sampleOf(content)}`
    const alike = this.#binary.get(look) ?? []
    for (const entry of alike) {
      const bytes = this.entries[entry]!
      // The data are the last of it.
      if (Buffer.compare(bytes.subarray(bytes.byteLength - content.byteLength), content) === 0) return entry
    }
    const bytes = tryEncode(snapshot, object)
    if (!bytes) return undefined
    const entry = this.entries.push(bytes) - 1
    this.#binary.set(look, [...alike, entry])
    return entry
  }
}

/** What binary data lies in, which others may show too. */
function memoryOf(object: object): object | undefined {
  if (ArrayBuffer.isView(object)) return object.buffer
  return types.isAnyArrayBuffer(object) ? object : undefined
}

/** The bytes of an ArrayBuffer, or of a view of all of one; undefined for anything else. */
function contentOf(object: object): Uint8Array | undefined {
  if (types.isArrayBuffer(object)) return new Uint8Array(object)
  if (!ArrayBuffer.isView(object) || types.isSharedArrayBuffer(object.buffer)) return undefined
  const isWhole = object.byteOffset === 0 && object.byteLength === object.buffer.byteLength
  return isWhole ? new Uint8Array(object.buffer) : undefined
}

/** Length and a few bytes from all over it. */
function sampleOf(content: Uint8Array): string {
  const sample = Buffer.alloc(64)
  const step = content.byteLength / sample.length
  for (let at = 0; at < sample.length; at++) sample[at] = content[Math.floor(at * step)]!
  return `${content.byteLength} ${sample.toString('latin1')}`
}

/** Undefined for what cannot travel: the input itself then says so, and where it is. */
function tryEncode(
  snapshot: Pick<Snapshot, 'encode'>,
  object: object,
  elsewhere?: AskElsewhere,
): Uint8Array | undefined {
  try {
    return snapshot.encode(object, 'argument', elsewhere)
  } catch (error) {
    if (error instanceof CaptureError) return undefined
    throw error
  }
}
