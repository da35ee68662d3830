import { Option } from 'commander'
import { type Column, inColumns } from '../core/columns.ts'
import { ConfigError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { paintOf } from './colors.ts'
import { csv } from './csv.ts'

const formats = ['table', 'json', 'csv'] as const
export type Format = (typeof formats)[number]

export interface FormatOptions {
  readonly format?: string
  readonly json?: true
}

export const formatOption = (): Option =>
  new Option('--format <format>', 'table, json or csv; default: table')
export const jsonOption = (): Option => new Option('--json', 'print JSON')

/** Of what has no rows, or rows that hold records. */
export const tableOrJsonOption = (): Option =>
  new Option('--format <format>', 'table or json').choices(['table', 'json']).default('table')
export const wantsJson = ({ format, json }: FormatOptions): boolean => json === true || format === 'json'

/** @throws ConfigError OPTION_INVALID */
export function formatOf({ format, json }: FormatOptions): Format {
  if (format === undefined) return json ? 'json' : 'table'
  const found = formats.find((one) => one === format)
  if (found && (!json || found === 'json')) return found
  if (found) throw new ConfigError('OPTION_INVALID', `--json and --format ${format} do not go together`)
  throw wrongWord('--format', format, formats)
}

/** A word that is none of those there are. */
export function wrongWord(option: string, word: string, words: readonly string[]): ConfigError {
  const near = nearest(word, words)
  return new ConfigError('OPTION_INVALID', `${option}: '${word}' is none of ${words.join(', ')}`, {
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  })
}

/** As a replacer of JSON.stringify: moments are told in ISO 8601, where the library has milliseconds. */
export const isoTimes = (key: string, value: unknown): unknown =>
  typeof value === 'number' && (key === 'time' || key === 'since' || key.endsWith('At'))
    ? new Date(value).toISOString()
    : value

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** Nothing is cut off where stdout is no terminal. */
export const terminalWidth = (): number | undefined =>
  process.stdout.isTTY ? (process.stdout.columns ?? 80) : undefined

export function printRows<T extends object>(
  rows: readonly T[],
  format: Format,
  keys: readonly (keyof T & string)[],
  columns: readonly Column<T>[],
): void {
  if (format === 'json') printJson(rows)
  else if (format === 'csv') process.stdout.write(csv(keys, rows as Readonly<Record<string, unknown>>[]))
  else if (rows.length > 0) process.stdout.write(inColumns(rows, columns, terminalWidth()))
}

export const paintStdout = () => paintOf(process.stdout)
