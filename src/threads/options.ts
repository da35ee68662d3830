import { ConfigError } from '../core/errors.ts'

/** Options of `localMap`. */
export interface LocalMapOptions {
  /** Threads that run at once; default: the cores granted, or those of this machine outside of a job. */
  concurrency?: number
}

/** @throws ConfigError OPTION_INVALID, OPTION_UNKNOWN; TypeError */
export function checkLocalMap(
  items: unknown,
  fn: unknown,
  options: unknown,
): asserts options is LocalMapOptions {
  const isIterable =
    (typeof items === 'object' || typeof items === 'string') &&
    items !== null &&
    (Symbol.iterator in Object(items) || Symbol.asyncIterator in Object(items))
  if (!isIterable)
    throw new TypeError('localMap: expected an array, or another iterable, as its first argument')
  if (typeof fn !== 'function') throw new TypeError('localMap: expected a function as its second argument')
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('OPTION_INVALID', 'localMap: expected options, like { concurrency: 4 }')
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'concurrency')
      throw new ConfigError('OPTION_UNKNOWN', `${name}: there is no such option of localMap`, {
        hint: 'it has one: concurrency',
      })
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new ConfigError(
        'OPTION_INVALID',
        `concurrency: expected a whole number from 1, got ${String(value)}`,
      )
  }
}

export async function readItems(items: unknown): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const item of items as AsyncIterable<unknown>) all.push(item)
  return all
}
