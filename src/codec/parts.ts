/**
 * Text that is too much for one head (V8's strings end at 512 MB): long lists and records leave parts of themselves
 * in frames of their own while the walk goes on, and long texts go beside the head as binary data does.
 *
 * These frames are numbered from the last one backwards, since they are made before it is known how many others
 * there will be. In place of a list stands {p: [number of each part], r: rest}, of a record [[number …], rest], of
 * the head {v: value, p, r}.
 */
import { CaptureError } from '../core/errors.ts'
import type { BinaryCollector } from './binary.ts'
import { isCount, list, record } from './decode-parts.ts'
import { safeStringify } from './stringify.ts'
import type { Properties, Slot } from './walk.ts'
import { corrupt, type Frames } from './wire.ts'

/** Characters: a part holds so many, or a few times that in escapes; a text that is longer has its own frame. */
export const limits = { part: 32 * 2 ** 20, text: 4 * 2 ** 20 }

export type LongList = { readonly p: readonly number[]; readonly r: readonly Slot[] }
export type LongRecord = readonly [parts: readonly number[], rest: Properties]

/** Where a part begins: what was pending then, and how much binary data was known. */
interface Start {
  readonly pending: number
  readonly binaries: number
}

export class TextParts {
  /** About how many characters the slots will take that are in no part yet. */
  pending = 0
  readonly #frames: (Uint8Array | { readonly slots: unknown })[] = []
  readonly #root: string
  readonly #binary: BinaryCollector

  constructor(root: string, binary: BinaryCollector) {
    this.#root = root
    this.#binary = binary
  }

  get count(): number {
    return this.#frames.length
  }

  start(): Start {
    return { pending: this.pending, binaries: this.#binary.count }
  }

  isFull(start: Start): boolean {
    return this.pending - start.pending > limits.part
  }

  list(): GrowingList {
    return new GrowingList(this)
  }

  /** Makes a frame of these slots, and gives its number. */
  spill(slots: unknown, start: Start): number {
    this.pending = start.pending
    // Where binary data lies is known at the end only.
    const late = this.#binary.count > start.binaries
    return this.#frames.push(late ? { slots } : utf8(slots, this.#root)) - 1
  }

  /** Latin 1 where it is ASCII; otherwise the string's own units, so that lone surrogates survive. */
  text(value: string): [frame: number, encoding: 'latin1' | 'utf16le'] {
    const encoding = Buffer.byteLength(value, 'utf8') === value.length ? 'latin1' : 'utf16le'
    return [this.#frames.push(Buffer.from(value, encoding)) - 1, encoding]
  }

  /** Forgets the frames after the first `count`. */
  rewind(count: number, pending: number): void {
    this.#frames.length = count
    this.pending = pending
  }

  frames(): Uint8Array[] {
    return this.#frames
      .map((frame) => (frame instanceof Uint8Array ? frame : utf8(frame.slots, this.#root)))
      .reverse()
  }
}

export class GrowingList {
  #slots: Slot[] = []
  #parts: number[] | undefined
  #start: Start
  readonly #texts: TextParts

  constructor(texts: TextParts) {
    this.#texts = texts
    this.#start = texts.start()
  }

  push(slot: Slot): void {
    this.#slots.push(slot)
    if (this.#texts.isFull(this.#start)) this.#spill()
  }

  #spill(): void {
    this.#parts ??= []
    this.#parts.push(this.#texts.spill(this.#slots, this.#start))
    this.#slots = []
    this.#start = this.#texts.start()
  }

  end(): Slot[] | LongList {
    return this.#parts ? { p: this.#parts, r: this.#slots } : this.#slots
  }
}

export function headOf(root: Slot, deferred: Slot[] | LongList): unknown {
  return Array.isArray(deferred) ? [root].concat(deferred) : { v: root, ...deferred }
}

/** JSON of slots; refused where a single thing of the user's is too long for a string. */
export function stringifySlots(slots: unknown, root: string): string {
  try {
    return safeStringify(slots)
  } catch (error) {
    throw new CaptureError(
      'VALUE_REFUSED',
      `${root}: an error, URL or pattern in it is over 512 MB of text`,
      {
        hint: 'send the text itself as a string or a Buffer, or write a file',
        cause: error,
      },
    )
  }
}

function utf8(slots: unknown, root: string): Uint8Array {
  return Buffer.from(stringifySlots(slots, root), 'utf8')
}

export interface PartReader {
  head(content: unknown): { root: unknown; deferred: unknown[] }
  list(content: unknown): unknown[]
  record(content: unknown): Record<string, unknown>
  text(content: unknown): string
}

/** Puts together what was written in parts. Each frame serves once, so that a few bytes never become many. */
export function partReader(frames: Frames): PartReader {
  const used = new Set<unknown>()
  const take = (number: unknown): Buffer => {
    if (!isCount(number) || number >= frames.count || used.has(number))
      throw corrupt('a part that is not there')
    used.add(number)
    return Buffer.from(frames.take(frames.count - 1 - number))
  }
  const parse = (number: unknown): unknown => JSON.parse(take(number).toString('utf8'))
  const reader: PartReader = {
    head(content) {
      if (!Array.isArray(content)) return { root: record(content)['v'], deferred: reader.list(content) }
      if (content.length === 0) throw corrupt('its head is empty')
      return { root: content[0], deferred: content.slice(1) }
    },
    list(content) {
      if (Array.isArray(content)) return content
      const { p: parts, r: rest } = record(content) as Partial<LongList>
      const all: unknown[] = []
      const add = (slots: unknown) => {
        for (const slot of list(slots)) all.push(slot)
      }
      for (const number of list(parts)) add(parse(number))
      add(rest)
      return all
    },
    record(content) {
      if (!Array.isArray(content)) return record(content)
      const all: Record<string, unknown> = {}
      const add = (part: unknown) => {
        for (const [key, value] of Object.entries(record(part))) setOwn(all, key, value)
      }
      for (const number of list(content[0])) add(parse(number))
      add(content[1])
      return all
    },
    text(content) {
      const [number, encoding] = list(content)
      if (encoding !== 'latin1' && encoding !== 'utf16le') throw corrupt('the encoding of a text')
      const bytes = take(number)
      if (encoding === 'utf16le' && bytes.length % 2) throw corrupt('half a unit of a text')
      return bytes.toString(encoding)
    },
  }
  return reader
}

/** The properties `names[from]` to before `names[to]`. */
export function pick(source: Properties, names: readonly string[], from: number, to: number): Properties {
  const part: Properties = {}
  for (const name of names.slice(from, to)) setOwn(part, name, source[name])
  return part
}

function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  // Assigning this one would reach a setter.
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  else target[key] = value
}
