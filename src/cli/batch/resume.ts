/** What of an earlier run's results stands, and what is left to be done. Pure. */
import { ConfigError } from '../../core/errors.ts'

/** A line of results; one without `error` is done, and one without `value` as well returned nothing. */
export interface ResultLine {
  readonly index: number
  readonly key: string
  readonly item?: unknown
  readonly value?: unknown
  readonly error?: { readonly name: string; readonly code?: string; readonly message: string }
}

export interface Resumed {
  /** Lines to keep, each with its end. */
  readonly kept: string
  /** Indexes of the items that are to run. */
  readonly open: readonly number[]
  /** Results whose items are no longer there. */
  readonly foreign: readonly ResultLine[]
}

const beginning = '{"index":'

/** @throws ConfigError OPTION_INVALID where a line is none of ours */
export function readResults(text: string, name: string): ResultLine[] {
  const lines = text.split('\n')
  const torn = lines.pop()!
  const results = lines.map((line, at) => parsed(line) ?? refuse(name, at + 1))
  if (torn === '') return results
  const last = parsed(torn)
  // The file of something else may end without a line end, too.
  if (!last && !torn.startsWith(beginning) && !beginning.startsWith(torn)) refuse(name, lines.length + 1)
  return last ? [...results, last] : results
}

/** A result stands for the item with its key: the one with its index where that is so, else the first that has none. */
export function resume(keys: readonly string[], results: readonly ResultLine[]): Resumed {
  const done = new Map<number, ResultLine>()
  const moved: ResultLine[] = []
  for (const result of results) {
    if (result.error) continue
    if (keys[result.index] === result.key && !done.has(result.index)) done.set(result.index, result)
    else moved.push(result)
  }
  const places = openPlaces(keys, done)
  const foreign: ResultLine[] = []
  const known = new Set(keys)
  for (const result of moved) {
    const index = places.get(result.key)?.shift()
    if (index !== undefined) done.set(index, { ...result, index })
    else if (!known.has(result.key)) foreign.push(result)
  }
  return {
    kept: [...done.values()].map(lineOf).join(''),
    open: [...keys.keys()].filter((index) => !done.has(index)),
    foreign,
  }
}

export const lineOf = ({ index, key, ...rest }: ResultLine): string =>
  `${JSON.stringify({ index, key, ...rest })}\n`

function openPlaces(keys: readonly string[], done: ReadonlyMap<number, unknown>): Map<string, number[]> {
  const places = new Map<string, number[]>()
  for (const [index, key] of keys.entries()) {
    if (done.has(index)) continue
    const same = places.get(key)
    if (same) same.push(index)
    else places.set(key, [index])
  }
  return places
}

function parsed(line: string): ResultLine | undefined {
  try {
    const value = JSON.parse(line) as Partial<ResultLine> | null
    return Number.isSafeInteger(value?.index) && typeof value?.key === 'string'
      ? (value as ResultLine)
      : undefined
  } catch {
    // Whoever asks decides whether a line may be torn.
    return undefined
  }
}

function refuse(name: string, line: number): never {
  throw new ConfigError('OPTION_INVALID', `${name}:${line}: no line of results of farcall batch`, {
    hint: 'the file is left as it is; name another one with --output',
  })
}
