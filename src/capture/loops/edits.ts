/** A change of the user's text: `end` makes what was there blank. */
export interface Edit {
  readonly at: number
  readonly end?: number
  readonly text: string
}

/** Where our text stands in a line of the emitted module, for its source map: 0-based, in the emitted columns. */
export interface Insertion {
  readonly line: number
  readonly column: number
  readonly length: number
}

/** Puts edits into a text that is cut into units; what stood at a place stays behind what is inserted there. */
export function applyEdits(units: string[], edits: readonly Edit[]): void {
  const inserted = new Map<number, string>()
  for (const { at, end = at, text } of edits) {
    for (let i = at; i < end; i++) units[i] = units[i]!.replace(/[^\n\r]/g, ' ')
    inserted.set(at, (inserted.get(at) ?? '') + text)
  }
  for (const [at, text] of inserted) units[at] = `${text}${units[at] ?? ''}`
}

/** @param headerLines lines of ours above the user's text */
export function insertionsOf(
  units: readonly string[],
  edits: readonly Edit[],
  text: string,
  headerLines: number,
): Insertion[] {
  const lengths = new Map<number, number>()
  for (const { at, text: added } of edits) lengths.set(at, (lengths.get(at) ?? 0) + added.length)
  const insertions: Insertion[] = []
  let line = headerLines
  let column = 0
  for (let i = 0; i < units.length; i++) {
    const length = lengths.get(i)
    if (length) insertions.push({ line, column, length })
    column += units[i]!.length
    if (text[i] === '\n') {
      line++
      column = 0
    }
  }
  return insertions
}
