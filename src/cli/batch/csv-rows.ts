import { ConfigError } from '../../core/errors.ts'

export interface CsvRow {
  /** The line of the text that it begins on, from 1. */
  readonly line: number
  readonly cells: readonly string[]
}

/**
 * The rows of RFC 4180, with LF as well as CRLF. A line of nothing is a row of one empty cell.
 * @throws ConfigError OPTION_INVALID, with `name` and the line
 */
export function* csvRows(text: string, name: string): Generator<CsvRow, void, void> {
  let [at, line] = [0, 1]
  while (at < text.length) {
    const row = { line, cells: [] as string[] }
    for (let isLast = false; !isLast; ) {
      const { value, end } =
        text[at] === '"' ? quotedCell(text, at, name, line) : bareCell(text, at, name, line)
      row.cells.push(value)
      line += value.split('\n').length - 1
      isLast = text[end] !== ','
      at = isLast ? end + lineEnd(text, end) : end + 1
    }
    line++
    yield row
  }
}

interface Cell {
  readonly value: string
  readonly end: number
}

function bareCell(text: string, from: number, name: string, line: number): Cell {
  let end = from
  while (end < text.length && text[end] !== ',' && lineEnd(text, end) === 0) {
    if (text[end] === '"')
      throw malformed(
        name,
        line,
        'a quote within a cell that does not begin with one',
        'write it as "a ""b"" c"',
      )
    end++
  }
  return { value: text.slice(from, end), end }
}

function quotedCell(text: string, from: number, name: string, line: number): Cell {
  let end = from + 1
  for (;;) {
    end = text.indexOf('"', end)
    if (end < 0)
      throw malformed(name, line, 'a quote is not closed', 'a quote within quotes is written twice')
    if (text[end + 1] !== '"') break
    end += 2
  }
  const value = text.slice(from + 1, end).replaceAll('""', '"')
  end++
  if (end < text.length && text[end] !== ',' && lineEnd(text, end) === 0)
    throw malformed(name, line, 'text behind a closing quote', 'a quote within quotes is written twice')
  return { value, end }
}

/** How long the line end here is; 0 where there is none. */
function lineEnd(text: string, at: number): number {
  if (text[at] === '\n') return 1
  return text[at] === '\r' && text[at + 1] === '\n' ? 2 : 0
}

const malformed = (name: string, line: number, what: string, hint: string) =>
  new ConfigError('OPTION_INVALID', `${name}:${line}: ${what}`, { hint })
