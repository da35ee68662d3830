import { ConfigError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'

/** @throws ConfigError OPTION_UNKNOWN */
export function requireKnown(key: string, names: readonly string[], where: string, what: string): void {
  if (names.includes(key)) return
  const near = nearest(key, names)
  const more = what === 'option' ? "; a directive that farcall does not know goes into native: ['…']" : ''
  throw new ConfigError('OPTION_UNKNOWN', `${where}: there is no such ${what}`, {
    hint: near ? `did you mean '${near}'?` : `${what}s are ${names.join(', ')}${more}`,
  })
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function invalid(where: string, value: unknown, wanted: string): ConfigError {
  return new ConfigError('OPTION_INVALID', `${where}: expected ${wanted}, got ${shown(value)}`)
}

export function shown(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
}

/** @throws ConfigError OPTION_INVALID */
export function requireCount(value: unknown, name: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return
  throw invalid(name, value, 'a whole number from 1')
}
