/** A head and its frames -> the value: each object is made empty and then filled, so that cycles close. */
import { FarcallError } from '../core/errors.ts'
import { emptyArray, isCount, list, own, readBigint, record, tagOf, text, view } from './decode-parts.ts'
import { errorShell, fillError } from './error-node.ts'
import { partReader } from './parts.ts'
import type { DecodeOptions } from './types.ts'
import { corrupt, type Frames, maxDepth, specialWords } from './wire.ts'

interface Instance {
  readonly fill: (fields: Record<PropertyKey, unknown>, privates: Record<string, unknown>) => void
  fields: Record<string, unknown>
  privates: Record<string, unknown>
}

export function decodeTree(head: string, frames: Frames, options: DecodeOptions): unknown {
  const parts = partReader(frames)
  const heads = parts.head(JSON.parse(head))
  /** The objects met, in the order that the writer numbered them. */
  const met: unknown[] = []
  const deferred: unknown[] = []
  const instances = new Map<object, Instance>()
  const buffers: (ArrayBuffer | undefined)[] = []
  let depth = 0

  /** The value that a slot stands for. */
  const read = (slot: unknown): unknown => {
    if (typeof slot !== 'object' || slot === null) return slot
    const tag = tagOf(slot)
    if (tag === '$') {
      const word = (slot as Record<string, unknown>)['$']
      if (isCount(word) && word < met.length) return met[word]
      if (specialWords.has(word)) return specialWords.get(word)
      throw corrupt('a reference to an object that is not there')
    }
    const content = tag && (slot as Record<string, unknown>)[tag]
    if (tag === '$n') return readBigint(content)
    if (tag === '$L') return parts.text(content)
    if (tag === '$d') {
      if (!isCount(content) || content === 0 || content > deferred.length)
        throw corrupt('a reference to an object that is not there')
      return deferred[content - 1]
    }
    if (depth > maxDepth) throw corrupt('it nests too deep')
    const value = create(tag, content, slot)
    met.push(value)
    depth++
    complete(tag, content, value)
    depth--
    return value
  }

  const frame = (index: unknown): ArrayBuffer => {
    if (!isCount(index) || index >= frames.count) throw corrupt('a frame that is not there')
    buffers[index] ??= frames.take(index)
    return buffers[index]
  }

  /** The object of a tag, empty where it holds others. */
  const create = (tag: string | undefined, content: unknown, slot: object): unknown => {
    switch (tag) {
      case undefined:
        return slot
      case '$A':
        return parts.list(content)
      case '$o':
        return parts.record(content)
      case '$S': {
        const sparse = list(content)
        sparse[1] = parts.list(sparse[1])
        return emptyArray(sparse[0], list(sparse[1]).length / 2)
      }
      case '$N':
        return Object.create(null)
      case '$D':
        if (content !== null && typeof content !== 'number') throw corrupt('a date')
        return new Date(content ?? Number.NaN)
      case '$M':
        return new Map()
      case '$T':
        return new Set()
      case '$R':
        return new RegExp(text(list(content)[0]), text(list(content)[1]))
      case '$P': {
        const primitive =
          typeof content !== 'object' || ['$', '$n', '$L'].includes(tagOf(content ?? []) ?? '')
            ? read(content)
            : null
        if (primitive === null || primitive === undefined || typeof primitive === 'object')
          throw corrupt('a boxed primitive')
        return Object(primitive)
      }
      case '$U':
        return new URL(text(content))
      case '$Q':
        return new URLSearchParams(text(content))
      case '$B': {
        const [kind, index, offset, length] = list(content)
        return view(text(kind), frame(index), offset, length)
      }
      case '$H': {
        const [kind, index, offset, length] = list(content)
        const buffer = isCount(index) ? options.shared?.[index] : undefined
        if (!buffer) throw corrupt('shared memory, which has no meaning here')
        return kind === 'SharedArrayBuffer' ? buffer : view(text(kind), buffer, offset, length)
      }
      case '$X':
        if (!options.elsewhere) throw corrupt('it names a value that lies elsewhere')
        return options.elsewhere(content)
      case '$E':
        return errorShell(list(content)[0], options)
      case '$O':
        return undefined
      case '$F':
        if (!options.resolve) throw corrupt('it holds a function, which has no meaning here')
        return options.resolve(text(content))
      case '$I': {
        if (!options.instantiate) throw corrupt('it holds an instance of a class, which is not known here')
        const [id, , , name] = list(content)
        const { object, fill } = options.instantiate(text(id), name === undefined ? name : text(name))
        instances.set(object, { fill, fields: {}, privates: {} })
        return object
      }
    }
    throw corrupt('an unknown tag')
  }

  /** Fills what `create` made. */
  const complete = (tag: string | undefined, content: unknown, value: unknown): void => {
    switch (tag) {
      case undefined:
      case '$A':
      case '$o':
        if (Array.isArray(value)) {
          for (let index = 0; index < value.length; index++) {
            const slot: unknown = value[index]
            if (typeof slot === 'object' && slot !== null) value[index] = read(slot)
          }
        } else {
          const object = value as Record<string, unknown>
          // JSON.parse made every key an own property, `__proto__` too: assigning cannot reach a setter.
          for (const key of Object.keys(object)) {
            const slot = object[key]
            if (typeof slot === 'object' && slot !== null) object[key] = read(slot)
          }
        }
        return
      case '$S':
        fillSparse(value as unknown[], list(list(content)[1]), list(content)[2])
        return
      case '$N':
        for (const [key, slot] of Object.entries(parts.record(content)))
          (value as Record<string, unknown>)[key] = read(slot)
        return
      case '$M': {
        const slots = parts.list(content)
        if (slots.length % 2) throw corrupt('a Map')
        for (let index = 0; index < slots.length; index += 2) {
          const key = read(slots[index])
          ;(value as Map<unknown, unknown>).set(key, read(slots[index + 1]))
        }
        return
      }
      case '$T':
        for (const slot of parts.list(content)) (value as Set<unknown>).add(read(slot))
        return
      case '$R':
        ;(value as RegExp).lastIndex = read(list(content)[2]) as number
        return
      case '$E':
        fillError(value as Error, list(content)[0], list(content)[1], list(content)[2], read)
        return
      case '$I': {
        // Read here, since the order of reading numbers the objects; filled at the end.
        const instance = instances.get(value as object)!
        // Deferred ones are made before the rest and belong after what led to them.
        instances.delete(value as object)
        instances.set(value as object, instance)
        instance.fields = readAll(list(content)[1])
        instance.privates = readAll(list(content)[2])
        return
      }
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
    for (const [key, slot] of Object.entries(parts.record(properties)))
      Object.defineProperty(all, key, own(read(slot)))
    return all
  }

  const later = heads.deferred.map((slot: unknown) => {
    if (typeof slot !== 'object' || slot === null) throw corrupt('a deferred object')
    const tag = tagOf(slot)
    const content = tag && (slot as Record<string, unknown>)[tag]
    const value = create(tag, content, slot)
    deferred.push(value)
    return { tag, content, value }
  })
  const root = read(heads.root)
  for (const { tag, content, value } of later) complete(tag, content, value)
  // What was made first holds what came later: the innermost are filled first.
  for (const { fill, fields, privates } of [...instances.values()].reverse()) fill(fields, privates)
  return root
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
