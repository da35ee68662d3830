import { CaptureError } from '../../core/errors.ts'

/** Inputs of a map. */
export type Inputs<T> = Iterable<T> | AsyncIterable<T>

/** How many there are, where that is known before they are read. */
export function knownSize(items: Inputs<unknown>): number | undefined {
  if (!isIterable(items)) return undefined
  const { length, size } = items as { length?: unknown; size?: unknown }
  if (typeof items === 'string') return items.length
  return [length, size].find((one): one is number => typeof one === 'number')
}

/** Read one by one. What is left over is told by `return`. */
export function iteratorOf<T>(items: Inputs<T>): Iterator<T> | AsyncIterator<T> {
  return isIterable(items) ? items[Symbol.iterator]() : items[Symbol.asyncIterator]()
}

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
  return mapInputs(items, (item) => [item])
}

/** What each input is made into, when it is read. */
export function mapInputs<T, U>(items: Inputs<T>, change: (item: T, index: number) => U): Inputs<U> {
  requireIterable(items, 'map')
  if (knownSize(items) !== undefined) return Array.from(items as Iterable<T>, change)
  let index = 0
  const wrap = ({ value, done }: IteratorResult<T>): IteratorResult<U> =>
    done ? { value: undefined, done } : { value: change(value, index++) }
  if (isIterable(items)) return { [Symbol.iterator]: () => wrapped(items[Symbol.iterator](), wrap) }
  return {
    [Symbol.asyncIterator]: () => {
      const inner = items[Symbol.asyncIterator]()
      return {
        next: async () => wrap(await inner.next()),
        return: async () => {
          await inner.return?.()
          return { value: undefined, done: true }
        },
      }
    },
  }
}

function wrapped<T, U>(
  inner: Iterator<T>,
  wrap: (step: IteratorResult<T>) => IteratorResult<U>,
): Iterator<U> {
  return {
    next: () => wrap(inner.next()),
    return: () => {
      inner.return?.()
      return { value: undefined, done: true }
    },
  }
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
