import { resolve } from 'node:path'
import type { FunctionNode } from '../analysis.ts'
import { analyze } from '../analyze/analyze.ts'
import { scriptsAt } from '../inspect.ts'
import type { Place } from '../locate.ts'
import { sameShape } from '../match.ts'
import { offsetOf } from '../positions.ts'
import { openFile } from '../sources.ts'
import { cellFile, cellOf, knownCells } from './cells.ts'
import { cellModule, isCell, isCellUrl } from './compiled.ts'
import { compiledName } from './names.ts'

const modules = new Map<string, { text: string; functions: readonly FunctionNode[] }>()

/** A function of a cell: in the text that was typed, where it is known; else in what the kernel made of it. */
export function placeInCell(
  fn: Function,
  at: { scriptId: string; line: number; column: number },
  script: string,
  folder: string,
  cacheDir: string | undefined,
): Place | undefined {
  const { scriptId } = at
  const path = resolve(folder, compiledName(scriptId))
  let compiled = modules.get(scriptId)
  if (!compiled) {
    const text = cellModule(script)
    compiled = { text, functions: analyze(path, text, () => false).functions }
    modules.set(scriptId, compiled)
  }
  const offset = offsetOf(script, at.line + 1, at.column + 1)
  const index = compiled.functions.findIndex((node) => node.at === offset || node.start === offset)
  if (index < 0) return undefined
  const cell = cellOf(scriptId)
  if (cell) {
    const file = openFile(resolve(folder, cellFile(cell)), cacheDir, cell.text)
    const typed = aligned(compiled.functions, file.analysis.functions)[index]
    if (typed !== undefined && sameShape(fn, file.analysis.functions[typed]!)) return { file, fn: typed }
  }
  return { file: openFile(path, cacheDir, compiled.text), fn: index }
}

/**
 * For each compiled function its index in what was typed: the longest common sequence, since either side has functions
 * that the other lacks (enums are functions when compiled, overloads are none).
 */
export function aligned(
  compiled: readonly FunctionNode[],
  typed: readonly FunctionNode[],
): (number | undefined)[] {
  const isLike = (a: FunctionNode, b: FunctionNode) =>
    a.kind === b.kind &&
    a.length === b.length &&
    a.async === b.async &&
    a.generator === b.generator &&
    (a.name === b.name || a.name === '' || b.name === '')
  // best[i][j]: how well the rests from i and j fit; equal names count for more
  const best = Array.from({ length: compiled.length + 1 }, () => new Array<number>(typed.length + 1).fill(0))
  const worth = (i: number, j: number) => {
    const [a, b] = [compiled[i]!, typed[j]!]
    return isLike(a, b) ? best[i + 1]![j + 1]! + (a.name === b.name ? 3 : 2) : 0
  }
  for (let i = compiled.length - 1; i >= 0; i--)
    for (let j = typed.length - 1; j >= 0; j--)
      best[i]![j] = Math.max(worth(i, j), best[i + 1]![j]!, best[i]![j + 1]!)
  const found = new Array<number | undefined>(compiled.length).fill(undefined)
  for (let i = 0, j = 0; i < compiled.length && j < typed.length; ) {
    const here = best[i]![j]!
    if (worth(i, j) === here && here > 0) found[i++] = j++
    else if (best[i + 1]![j] === here) i++
    else j++
  }
  return found
}

/** The cells that ran before farcall was there are read once. */
let earlier: readonly string[] | undefined

/** The modules that cells name in import, require() and the like, the newest cells' first. */
export function namedByCells(folder: string, cacheDir: string | undefined): Set<string> {
  const typed = knownCells().flatMap(
    (cell) => openFile(resolve(folder, cellFile(cell)), cacheDir, cell.text).analysis.reaches,
  )
  earlier ??= namedEarlier()
  return new Set([...typed, ...earlier])
}

function namedEarlier(): string[] {
  return scriptsAt(isCellUrl)
    .reverse()
    .flatMap(({ text }) => {
      const named = isCell(text) ? text.matchAll(/\brequire\((["'])([^"']+)\1\)/g) : []
      return [...named].map((match) => match[2]!)
    })
}
