import type { Deltas, Pause } from './course.ts'
import { objectsOf, substitute } from './graph.ts'
import { Counted, type Items } from './items.ts'
import type { LoopPlan } from './plan.ts'

/** How values become bytes where a piece runs. */
export interface PieceCodec {
  /** @throws CaptureError naming the path from `root` to what cannot travel */
  encode(value: unknown, root: string): Uint8Array
  decode(bytes: Uint8Array): unknown
  /** The captured values: what is one of their objects stays one. */
  captured(): unknown
}

/** A pause on its way to those who run the loop. */
export interface PackedLoop {
  readonly loop: number
  readonly count: number
  /** What all turns need, once. */
  readonly shared: Uint8Array
  /** Items travel with it, since they and it hold objects of one another, or none at all has to travel. */
  readonly whole: boolean
  /** Otherwise: the items, range by range. */
  readonly ranges: readonly { readonly from: number; readonly to: number; readonly items?: Uint8Array }[]
}

/** More than this many entries make no finer chunks. */
const mostRanges = 10_000

/** @throws CaptureError for what cannot travel */
export function packLoop(plan: LoopPlan, pause: Pause, codec: PieceCodec): PackedLoop {
  const { items, loop } = pause
  const whole = items instanceof Counted || isEntangled(plan, pause)
  const { values, self } = sharedOf(plan, pause)
  const content = { values, self, ...(whole ? { items: packItems(items) } : {}) }
  const held = capturedObjects(codec, [...Object.values(values), self, ...(whole ? items : [])])
  const shared = pack(content, codec, held)
  const size = Math.ceil(items.length / mostRanges)
  const ranges = Array.from({ length: Math.ceil(items.length / size) }, (_, k) => {
    const [from, to] = [k * size, Math.min(items.length, (k + 1) * size)]
    if (whole) return { from, to }
    const some = (items as unknown[]).slice(from, to)
    return { from, to, items: pack(some, codec, capturedObjects(codec, some)) }
  })
  return { loop, count: items.length, shared, whole, ranges }
}

const packItems = (items: Items): unknown => (items instanceof Counted ? { counted: items.pack() } : items)

function unpackItems(packed: unknown): Items {
  if (Array.isArray(packed)) return packed
  const { counted } = packed as { counted: ConstructorParameters<typeof Counted> }
  return new Counted(...counted)
}

/** What the turns of a loop see of the function around it. Containers are of each range's own. */
function sharedOf({ body, containers, self }: LoopPlan, pause: Pause) {
  const names = body.filter((name) => !Object.hasOwn(containers, name))
  const values = Object.fromEntries(names.map((name) => [name, pause.values[name]]))
  return { values, self: self ? withoutClass(pause.self) : undefined }
}

/** A class as `this` of a static method is known without travelling. */
const withoutClass = (self: unknown) => (typeof self === 'function' ? undefined : self)

function isEntangled(plan: LoopPlan, pause: Pause): boolean {
  const items = pause.items as unknown[]
  if (items.every((item) => typeof item !== 'object' || item === null)) return false
  const met = new Set(objectsOf(sharedOf(plan, pause)))
  for (const item of items) {
    const own = objectsOf(item)
    if (own.some((object) => met.has(object))) return true
    for (const object of own) met.add(object)
  }
  return false
}

/**
 * Of a value's objects those that are known already keep their identity: they are named, and put back by `unpack`.
 *
 * @param known what both ends know, in one order; asked for only when it is needed
 */
function pack(value: unknown, codec: PieceCodec, known: () => readonly object[]): Uint8Array {
  const numbers = new Map(known().map((object, number) => [object, number]))
  const met = numbers.size === 0 ? [] : objectsOf(value, numbers).filter((object) => numbers.has(object))
  const rest = met.length === 0 ? {} : { met, numbers: met.map((object) => numbers.get(object)) }
  return codec.encode({ value, ...rest }, 'value')
}

const holdsObjects = (values: readonly unknown[]): boolean =>
  values.some((value) => typeof value === 'object' && value !== null)

const capturedObjects = (codec: PieceCodec, values: readonly unknown[]) => () =>
  holdsObjects(values) ? objectsOf(codec.captured()) : []

function unpack(bytes: Uint8Array, codec: PieceCodec, known: () => readonly object[]): unknown {
  const { value, met, numbers } = codec.decode(bytes) as {
    value: unknown
    met?: object[]
    numbers?: number[]
  }
  if (!met) return value
  const objects = known()
  return substitute(value, new Map(met.map((copy, i) => [copy, objects[numbers![i]!]!])))
}

/** Everything that the function needs where it goes on behind the loop. @throws CaptureError */
export function packPause(pause: Pause, codec: PieceCodec): Uint8Array {
  const { loop, values, self, items } = pause
  const content = { loop, values, self: withoutClass(self), items: packItems(items) }
  return pack(content, codec, () => objectsOf(codec.captured()))
}

export function unpackPause(bytes: Uint8Array, self: unknown, codec: PieceCodec): Pause {
  const pause = unpack(bytes, codec, () => objectsOf(codec.captured())) as Pause
  return {
    ...pause,
    self: typeof self === 'function' ? self : pause.self,
    items: unpackItems(pause.items),
  }
}

/** What the turns see, where they run: read once for all of them. */
export interface Shared {
  readonly values: Pause['values']
  readonly self: unknown
  readonly items: Items | undefined
  /** The objects in it, in an order that both ends agree on. */
  readonly objects: () => readonly object[]
}

export function unpackShared(bytes: Uint8Array, codec: PieceCodec): Shared {
  const found = unpack(bytes, codec, () => objectsOf(codec.captured())) as Shared
  const items = found.items === undefined ? undefined : unpackItems(found.items)
  return shared(found.values, found.self, items, codec)
}

function shared(values: Pause['values'], self: unknown, items: Items | undefined, codec: PieceCodec): Shared {
  let objects: object[] | undefined
  return {
    values,
    self,
    items,
    objects() {
      objects ??= objectsOf([codec.captured(), values, self, items instanceof Counted ? undefined : items])
      return objects
    },
  }
}

/** What of a pause the turns of its loop see. */
export function sharedFrom(plan: LoopPlan, pause: Pause, whole: boolean, codec: PieceCodec): Shared {
  const { values, self } = sharedOf(plan, pause)
  return shared(values, self, whole ? pause.items : undefined, codec)
}

export interface Range {
  readonly from: number
  readonly to: number
  readonly items?: Uint8Array
}

/** The items of a range, as if all others were there too. */
export function itemsOfRange(
  within: Shared,
  range: Range,
  codec: PieceCodec,
): { items: Items; own: unknown[] } {
  if (within.items) return { items: within.items, own: [] }
  const own = unpack(range.items!, codec, () => objectsOf(codec.captured())) as unknown[]
  const items = { length: range.to, at: (index: number) => own[index - range.from] }
  return { items: items as unknown as Items, own }
}

/** @param own the items of the range, where they came by themselves. @throws CaptureError for what cannot travel */
export function packDeltas(
  deltas: Deltas,
  within: Shared,
  own: readonly unknown[],
  codec: PieceCodec,
): Uint8Array {
  const logs = Object.values(deltas.folds).flatMap(({ values }) => values)
  const given = [...Object.values(deltas.containers).flat(), ...logs, ...(deltas.results ?? [])]
  return pack(deltas, codec, () => (holdsObjects(given) ? known(within, own) : []))
}

export function unpackDeltas(
  bytes: Uint8Array,
  within: Shared,
  own: readonly unknown[],
  codec: PieceCodec,
): Deltas {
  return unpack(bytes, codec, () => known(within, own)) as Deltas
}

const known = (within: Shared, own: readonly unknown[]) => [
  ...within.objects(),
  ...own.flatMap((item) => objectsOf(item)),
]
