import { types } from 'node:util'

/** The numbers that `for (let i = first; i < bound; i += step)` counts. */
export class Counted implements Iterable<number> {
  readonly first: number
  readonly step: number
  readonly length: number
  /** Of steps that are no whole numbers: sums as the loop makes them. */
  readonly #values: Float64Array | undefined

  constructor(first: number, step: number, length: number, values?: Float64Array) {
    this.first = first
    this.step = step
    this.length = length
    this.#values = values
  }

  at(index: number): number {
    if (this.#values) return this.#values[index]!
    return index === 0 ? this.first : this.first + index * this.step
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (let i = 0; i < this.length; i++) yield this.at(i)
  }

  pack(): unknown[] {
    return [this.first, this.step, this.length, this.#values]
  }
}

const compare: Record<string, (a: number, b: number) => boolean> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}
/** Of steps that are no whole numbers, each is kept. */
const mostSums = 10_000_000

/** What a counted loop goes over; of what is no number, or too many, the values one by one. */
export function count(first: unknown, op: string, bound: unknown, step: unknown): Iterable<unknown> {
  const isNumeric = typeof first === 'number' && typeof bound === 'number' && typeof step === 'number'
  if (isNumeric && step !== 0 && Number.isFinite(bound)) {
    const whole = Number.isSafeInteger(first) && Number.isSafeInteger(step)
    const rough = (bound - first) / step
    if (!compare[op]!(first, bound)) return new Counted(first, step, 0)
    if (whole && rough >= 0 && rough < 2 ** 40 && Math.abs(bound) < 2 ** 52) {
      let length = Math.max(0, Math.floor(rough))
      while (length > 0 && !compare[op]!(first + (length - 1) * step, bound)) length--
      while (compare[op]!(first + length * step, bound)) length++
      return new Counted(first, step, length)
    }
    if (rough >= 0 && rough < mostSums) {
      const values: number[] = []
      for (let i: number = first; compare[op]!(i, bound) && values.length <= mostSums; i += step)
        values.push(i)
      if (values.length <= mostSums) return new Counted(first, step, values.length, Float64Array.from(values))
    }
  }
  return oneByOne(first, op, bound, step)
}

// biome-ignore lint/suspicious/noExplicitAny: numbers or bigints, as the user's loop has them
function* oneByOne(first: any, op: string, bound: any, step: any): IterableIterator<unknown> {
  for (let i = first; compare[op]!(i, bound); i += step) yield i
}

export type Items = Counted | readonly unknown[]

const builtinIterators = [[].values(), new Map().values(), new Set().values(), ''[Symbol.iterator]()].map(
  (iterator) => Object.getPrototypeOf(iterator) as object,
)
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object

/** All that a loop will go over, when nothing of the user's runs to say it; undefined: only the loop itself may ask. */
export function itemsOf(iterable: unknown): Items | undefined {
  if (iterable instanceof Counted) return iterable
  if (typeof iterable === 'string') return [...iterable]
  if (typeof iterable !== 'object' || iterable === null || types.isProxy(iterable)) return undefined
  const prototype = Object.getPrototypeOf(iterable) as object
  const plain =
    prototype === Array.prototype ||
    prototype === Map.prototype ||
    prototype === Set.prototype ||
    builtinIterators.includes(prototype) ||
    (ArrayBuffer.isView(iterable) && Object.getPrototypeOf(prototype) === typedArray)
  if (!plain || Object.hasOwn(iterable, Symbol.iterator)) return undefined
  return [...(iterable as Iterable<unknown>)]
}

/** What a callback of map is called with; holes, and what is no array, are for map itself. */
export function itemsOfMap(receiver: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(receiver) || Object.getPrototypeOf(receiver) !== Array.prototype) return undefined
  for (let i = 0; i < receiver.length; i++) if (!(i in receiver)) return undefined
  return [...receiver]
}
