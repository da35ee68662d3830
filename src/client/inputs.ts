import { CaptureError } from '../core/errors.ts'

/** Inputs of a map. */
export type Inputs<T> = Iterable<T> | AsyncIterable<T>

export function isIterable<T>(items: Inputs<T>): items is Iterable<T> {
  return Symbol.iterator in Object(items)
}

/** @throws CaptureError VALUE_REFUSED, for what comes from JavaScript */
export function requireIterable(items: unknown, where: string): void {
  if (isIterable(items as Inputs<unknown>) || Symbol.asyncIterator in Object(items)) return
  const message = `${where}: expected something to iterate over, got ${String(items)}`
  throw new CaptureError('VALUE_REFUSED', message, {
    hint: 'pass an array, a set, a generator, or an async iterable of inputs',
  })
}

/** Each input as a list of one argument. */
export function asLists<T>(items: Inputs<T>): Inputs<[T]> {
  requireIterable(items, 'map')
  if (isIterable(items)) return Array.from(items, (item): [T] => [item])
  return (async function* () {
    for await (const item of items) yield [item] as [T]
  })()
}

/** How many there are. */
export async function countOf(items: Inputs<unknown>): Promise<number> {
  if (Array.isArray(items)) return items.length
  let count = 0
  // Not awaited where they are there: a job among them would be.
  if (isIterable(items)) for (const _ of items) count++
  else for await (const _ of items) count++
  return count
}

/** An input of starmap as a plain array. @throws CaptureError VALUE_REFUSED */
export function asArguments(args: unknown, index: number): readonly unknown[] {
  if (typeof args === 'object' && args !== null && Symbol.iterator in args)
    return Array.from(args as Iterable<unknown>)
  const message = `starmap: expected a list of arguments as item ${index}, got ${String(args)}`
  throw new CaptureError('VALUE_REFUSED', message, {
    hint: 'pass a list for each call: starmap([[1, 2], [3, 4]]); map takes one argument each',
  })
}
