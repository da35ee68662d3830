import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { wrongWord } from '../print.ts'
import { csvRows } from './csv-rows.ts'

export const itemFormats = ['jsonl', 'csv'] as const
export type ItemFormat = (typeof itemFormats)[number]

const formatOfEnding: Readonly<Record<string, ItemFormat>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
}

/** What `--format` says, or else the ending; stdin is JSONL. @throws ConfigError OPTION_INVALID */
export function itemFormatOf(path: string, asked: string | undefined): ItemFormat {
  const format = itemFormats.find((one) => one === asked)
  if (format) return format
  if (asked !== undefined) throw wrongWord('--format', asked, itemFormats)
  const byEnding = path === '-' ? 'jsonl' : formatOfEnding[extname(path).toLowerCase()]
  if (byEnding) return byEnding
  throw new ConfigError('OPTION_INVALID', `--items ${path}: its ending does not tell what it is`, {
    hint: 'say --format jsonl or --format csv',
  })
}

/**
 * The items of a file: of JSONL each line's value, of CSV each row as an object of text by the header.
 * @throws ConfigError OPTION_INVALID, with `name` and the line
 */
export function itemsOf(bytes: Uint8Array, format: ItemFormat, name: string): unknown[] {
  const text = decoded(bytes, name)
  return format === 'csv' ? [...csvItems(text, name)] : [...jsonItems(text, name)]
}

/** Each as the list of arguments that it is. @throws ConfigError OPTION_INVALID */
export function requireLists(items: readonly unknown[]): readonly unknown[][] {
  const wrong = items.findIndex((item) => !Array.isArray(item))
  if (wrong < 0) return items as unknown[][]
  throw new ConfigError('OPTION_INVALID', `--spread: item ${wrong} is no array of arguments`, {
    hint: 'with --spread each line is a list like [1, "a"]; without it each is the one argument',
  })
}

/** What a result is found again by: the function's name and the item, whatever blanks are in its line. */
export function keyOf(functionName: string, item: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify([functionName, item]))
  return hash.digest('base64url').slice(0, 16)
}

function decoded(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ConfigError('OPTION_INVALID', `${name}: it is not UTF-8`, {
      hint: 'iconv -f latin1 -t utf-8 makes it so, where that is what it is',
      cause,
    })
  }
}

function* jsonItems(text: string, name: string): Generator<unknown, void, void> {
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      yield JSON.parse(line)
    } catch (cause) {
      throw new ConfigError('OPTION_INVALID', `${name}:${at + 1}: ${(cause as Error).message}`, {
        hint: 'each line is a JSON value of its own',
        cause,
      })
    }
  }
}

function* csvItems(text: string, name: string): Generator<Record<string, string>, void, void> {
  const rows = csvRows(text, name)
  const header = rows.next().value
  if (!header) return
  const { cells: heads } = header
  const odd = heads.find((head, at) => head === '' || heads.indexOf(head) !== at)
  if (odd !== undefined)
    throw new ConfigError(
      'OPTION_INVALID',
      `${name}:1: ${odd === '' ? 'a column has no name' : `two columns are named '${odd}'`}`,
      { hint: 'the first line is the header: each column has a name of its own' },
    )
  for (const { line, cells } of rows) {
    const isBlank = cells.length === 1 && cells[0] === ''
    if (isBlank && heads.length > 1) continue
    if (cells.length !== heads.length)
      throw new ConfigError(
        'OPTION_INVALID',
        `${name}:${line}: ${cells.length} cells where the header has ${heads.length}`,
        { hint: 'a cell with a comma in it stands in quotes' },
      )
    yield Object.fromEntries(heads.map((head, at) => [head, cells[at]!]))
  }
}
