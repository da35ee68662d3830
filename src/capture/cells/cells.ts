import { runInThisContext } from 'node:vm'
import { knownScripts } from '../inspect.ts'
import { cellFileName } from './names.ts'

/** What somebody typed into a cell of a notebook. */
export interface Cell {
  readonly text: string
  /** The number in brackets beside it; of the cell that imports farcall it is known once another one has run. */
  readonly number: () => number | undefined
}

const byMark = new Map<string, Cell>()
const byScript = new Map<string, Cell>()
/** V8 forgets scripts of which nothing is left. */
const marks: unknown[] = []

/** Of the cell that runs next: V8 numbers scripts as they come, so that its own follows the mark. */
export function noteNext(cell: Cell): void {
  const filename = `farcall-cell:${marks.length}`
  byMark.set(filename, cell)
  marks.push(runInThisContext(`() => ${marks.length}`, { filename }))
}

/** Of the cell that runs now. */
export function noteRunning(cell: Cell, scriptId: string): void {
  byScript.set(scriptId, cell)
}

/** The cell that a script was made of, if it ran since farcall has been there. */
export function cellOf(scriptId: string): Cell | undefined {
  const known = byScript.get(scriptId)
  if (known || marks.length === 0) return known
  let last = -1
  let found: Cell | undefined
  for (const [id, { url }] of knownScripts()) {
    const cell = byMark.get(url)
    if (!cell || Number(id) > Number(scriptId) || Number(id) < last) continue
    last = Number(id)
    found = cell
  }
  if (found) byScript.set(scriptId, found)
  return found
}

const names = new WeakMap<Cell, string>()

/** Stays what it was when it was first asked for: files are told apart by it. */
export function cellFile(cell: Cell): string {
  const name = names.get(cell) ?? cellFileName(cell.number())
  names.set(cell, name)
  return name
}

/** All cells of which the text is known, the newest first. */
export const knownCells = (): Cell[] => [...new Set([...byScript.values(), ...byMark.values()])].reverse()
