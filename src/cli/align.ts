/** A table's column. */
export interface Column<T> {
  readonly head: string
  readonly text: (row: T) => string
  readonly right?: true
  /** Its text may be cut off where there is no room. */
  readonly gives?: true
}

/** Rows under heads, two blanks apart. `width`: of the terminal; without one nothing is cut off. */
export function align<T>(rows: readonly T[], columns: readonly Column<T>[], width?: number): string {
  const table = [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ text }) => text(row)))]
  const widths = columns.map((_, at) => Math.max(...table.map((cells) => cells[at]!.length)))
  let over = width === undefined ? 0 : widths.reduce((sum, one) => sum + one + 2, -2) - width
  for (const [at, { gives, head }] of columns.entries())
    if (gives && over > 0) {
      const less = Math.min(over, widths[at]! - head.length)
      widths[at]! -= less
      over -= less
    }
  const cell = (text: string, at: number) => {
    const cut = text.length > widths[at]! ? `${text.slice(0, widths[at]! - 1)}…` : text
    return columns[at]!.right ? cut.padStart(widths[at]!) : cut.padEnd(widths[at]!)
  }
  return table.map((cells) => `${cells.map(cell).join('  ').trimEnd()}\n`).join('')
}

/** Nothing is cut off where stdout is no terminal. */
export const terminalWidth = (): number | undefined =>
  process.stdout.isTTY ? (process.stdout.columns ?? 80) : undefined
