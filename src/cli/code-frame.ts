import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

/**
 * The lines around a place, with numbers and a caret below it. Line and column are 1-based; two lines stand on
 * either side, as far as there are any. Empty when the source has no such line.
 *
 * @example codeFrame('const a = 1\nthrow a', 2, 1) // '  1 | const a = 1\n> 2 | throw a\n    | ^'
 */
export function codeFrame(source: string, line: number, column: number): string {
  const lines = source.split(/\r\n|\n|\r/)
  if (!Number.isInteger(line) || line < 1 || line > lines.length) return ''
  const first = Math.max(1, line - 2)
  const last = Math.min(lines.length, line + 2)
  const width = String(last).length
  const framed: string[] = []
  for (let number = first; number <= last; number++) {
    // what a terminal would act on is not code
    const text = shown(lines[number - 1]!)
    framed.push(`${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${text}`.trimEnd())
    if (number !== line) continue
    const before = shown(lines[number - 1]!.slice(0, Math.max(0, column - 1)))
    // tabs stay tabs, so that the caret stands below its character
    framed.push(`  ${' '.repeat(width)} | ${before.replace(/[^\t]/g, ' ')}^`)
  }
  return framed.join('\n')
}

const shown = (line: string) => stripVTControlCharacters(line).replace(/[\0-\x08\x0b-\x1f\x7f]/g, '')

export interface Frame {
  readonly path: string
  readonly line: number
  readonly column: number
}

/** The first frame of a stack that is a line of the user's: no library, nothing of Node. */
export function userFrame(stack: string, isOwn: (path: string) => boolean): Frame | undefined {
  for (const text of stack.split('\n')) {
    const frame = frameOf(text)
    if (frame && !frame.path.includes('/node_modules/') && !isOwn(frame.path)) return frame
  }
  return undefined
}

/** Where a line of a stack points; undefined: nowhere in a file. */
export function frameOf(text: string): Frame | undefined {
  const match = /^\s+at (?:.*? \()?(?:async )?((?:file:\/\/)?\/.+?):(\d+):(\d+)\)?$/.exec(text)
  if (!match) return undefined
  const path = match[1]!.startsWith('file:') ? fileURLToPath(match[1]!.replace(/[?#].*$/, '')) : match[1]!
  return { path, line: Number(match[2]), column: Number(match[3]) }
}

/** The code at a frame, with its place above; undefined when the file cannot be read any more. */
export function frameText({ path, line, column }: Frame): string | undefined {
  try {
    const code = codeFrame(readFileSync(path, 'utf8'), line, column)
    return code && `${path}:${line}:${column}\n${code}`
  } catch {
    // an error is being told: a file that is gone is no reason for another
    return undefined
  }
}
