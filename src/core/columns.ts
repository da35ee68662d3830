/** Rows as text in columns, no wider than there is room. Pure. */
export interface Column<T> {
  readonly head: string
  readonly text: (row: T) => string
  readonly right?: true
  /** It may be cut off down to this many characters. */
  readonly least?: number
  readonly paint?: (text: string, row: T) => string
}

const gap = 2

/** `width`: of the terminal; without one nothing is cut off. */
export function inColumns<T>(rows: readonly T[], columns: readonly Column<T>[], width?: number): string {
  const cells = rows.map((row) => columns.map(({ text }) => text(row)))
  const natural = columns.map(({ head }, at) =>
    Math.max(lengthOf(head), ...cells.map((row) => lengthOf(row[at]!))),
  )
  const widths = fitted(natural, columns, width)
  const line = (texts: readonly string[], row?: T) =>
    columns
      .map((column, at) => {
        const text = cut(texts[at]!, widths[at]!)
        const room = ' '.repeat(widths[at]! - lengthOf(text))
        const painted = row !== undefined && column.paint ? column.paint(text, row) : text
        return column.right ? room + painted : painted + room
      })
      .join(' '.repeat(gap))
      .trimEnd()
  const heads = line(columns.map(({ head }) => head))
  return [heads, ...cells.map((texts, at) => line(texts, rows[at]))].map((text) => `${text}\n`).join('')
}

/** Takes from the widest of those that may be cut off, until all fit or none can give more. */
function fitted(natural: readonly number[], columns: readonly Column<never>[], width?: number): number[] {
  const widths = [...natural]
  if (width === undefined) return widths
  const total = () => widths.reduce((sum, one) => sum + one, gap * (widths.length - 1))
  while (total() > width) {
    let widest = -1
    for (const [at, { least }] of columns.entries())
      if (least !== undefined && widths[at]! > least && (widest < 0 || widths[at]! > widths[widest]!))
        widest = at
    if (widest < 0) break
    widths[widest]!--
  }
  return widths
}

const lengthOf = (text: string) => [...text].length

/** 'a long na…' */
export function cut(text: string, length: number): string {
  const letters = [...text]
  return letters.length <= length ? text : `${letters.slice(0, Math.max(0, length - 1)).join('')}…`
}
