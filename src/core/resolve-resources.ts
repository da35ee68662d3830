import { ConfigError } from './errors.ts'
import { nearest } from './nearest.ts'
import {
  type ResolvedResources,
  type ResourceKind,
  type Resources,
  resourceNames,
  resourceTable,
} from './resources.ts'
import { requirePlainText } from './shell.ts'
import { parseDuration, parseMemory } from './units.ts'

/** `queue` is read with `partition`. */
const ofKind = (...kinds: readonly ResourceKind[]) =>
  resourceNames.filter(
    (name) => kinds.includes(resourceTable[name].kind) && name !== 'queue' && name !== 'partition',
  )
const counts = ofKind('count')
const integers = ofKind('integer')
const words = ofKind('word')
const lists = ofKind('list', 'always-list')
const switches = ofKind('switch')

/**
 * Resources with their units read: memory in bytes, time in seconds, gpus as a count and a type, `queue` as
 * `partition`. What is undefined is left out. `where` goes in front of the key in messages.
 *
 * @throws ConfigError OPTION_UNKNOWN for a key that is no resource, OPTION_INVALID for a value of the wrong
 * kind, UNIT_INVALID for memory or time that cannot be read, VALUE_UNSAFE for control characters
 * @example resolveResources({ memory: '16GB', gpus: 'a100:2' }) // { memoryBytes: 17179869184, gpus: { count: 2, type: 'a100' } }
 */
export function resolveResources(resources: Resources, where = ''): ResolvedResources {
  const given = Object.fromEntries(Object.entries(resources).filter(([, value]) => value !== undefined))
  const at = (key: string) => `${where}${key}`
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(resourceTable, key)) continue
    const near = nearest(key, resourceNames)
    throw new ConfigError('OPTION_UNKNOWN', `${at(key)}: there is no such resource`, {
      hint: near
        ? `did you mean '${near}'?`
        : `resources are ${resourceNames.join(', ')}; a directive that farcall does not know goes into native: ['…']`,
    })
  }

  const resolved: Record<string, unknown> = {}
  for (const key of counts) if (key in given) resolved[key] = wholeNumber(given[key], at(key), 1)
  for (const key of integers)
    if (key in given) resolved[key] = wholeNumber(given[key], at(key), Number.MIN_SAFE_INTEGER)
  for (const key of words) if (key in given) resolved[key] = word(given[key], at(key))
  for (const key of lists)
    if (key in given) resolved[key] = wordList(given[key], at(key), resourceTable[key].kind === 'always-list')
  for (const key of switches) {
    if (!(key in given)) continue
    if (typeof given[key] !== 'boolean') throw invalid(at(key), given[key], 'true or false')
    resolved[key] = given[key]
  }
  if ('memory' in given)
    resolved['memoryBytes'] = parseMemory(unit(given['memory'], at('memory')), at('memory'))
  if ('time' in given) resolved['timeSeconds'] = parseDuration(unit(given['time'], at('time')), at('time'))
  if ('gpus' in given) resolved['gpus'] = readGpus(given['gpus'], at('gpus'))

  const partition = 'partition' in given ? word(given['partition'], at('partition')) : undefined
  const queue = 'queue' in given ? word(given['queue'], at('queue')) : undefined
  if (partition !== undefined && queue !== undefined && partition !== queue)
    throw new ConfigError(
      'OPTION_INVALID',
      `${at('partition')} is '${partition}' and ${at('queue')} is '${queue}'`,
      { hint: 'they mean the same; give one of them' },
    )
  const place = partition ?? queue
  if (place !== undefined) resolved['partition'] = place
  return resolved as ResolvedResources
}

function invalid(where: string, value: unknown, wanted: string): ConfigError {
  const shown = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
  return new ConfigError('OPTION_INVALID', `${where}: ${shown} is not ${wanted}`)
}

function wholeNumber(value: unknown, where: string, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
  throw invalid(where, value, least === 1 ? 'a whole number of at least 1' : 'a whole number')
}

function word(value: unknown, where: string): string {
  if (typeof value !== 'string' || value.trim() === '')
    throw invalid(where, value, 'a string that says something')
  return requirePlainText(value, where)
}

function wordList(value: unknown, where: string, always: boolean): string | readonly string[] {
  if (!Array.isArray(value)) {
    if (always) throw invalid(where, value, 'a list of strings')
    return word(value, where)
  }
  return value.map((entry, index) => word(entry, `${where}[${index}]`))
}

/** parseMemory and parseDuration read strings and numbers; plain JavaScript may hand over anything. */
function unit(value: unknown, where: string): string | number {
  if (typeof value === 'string' || typeof value === 'number') return value
  throw invalid(where, value, 'a string or a number')
}

function readGpus(value: unknown, where: string): { count: number; type?: string } {
  if (typeof value === 'number') return { count: wholeNumber(value, where, 1) }
  const match =
    typeof value === 'string' ? /^(?:([A-Za-z0-9_.-]+):)?([1-9]\d{0,5})$/.exec(value.trim()) : null
  if (!match) {
    if (typeof value === 'string') requirePlainText(value, where)
    throw invalid(where, value, "a count like 2, or a type and a count like 'a100:2'")
  }
  const count = Number(match[2])
  return match[1] === undefined ? { count } : { count, type: match[1] }
}
