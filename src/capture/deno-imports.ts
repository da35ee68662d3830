import type { ImportBinding } from './analysis.ts'
import { betweenCells, evaluatesCells } from './deno.ts'
import { evaluate, scriptsAt } from './inspect.ts'
import { nameIn } from './name-in.ts'
import { isOwnSpecifier } from './own.ts'

/** What cells of Deno's REPL and kernel have imported, by specifier. */
const modules = new Map<string, object>()
/** Specifiers of imports that failed for the cell, too. */
const failed = new Set<string>()

/** Deno compiles `import { a } from 'x'` in a cell to this. */
const imported = /(?:^|; void 0;)const [^\n]*? = await import\("([^"\n]+)"/gm

/**
 * Resolves in a turn in which a snapshot can be taken: it evaluates no cell, and what cells imported is known. A module
 * that was imported is there already, so that nothing runs anew.
 */
export async function readyForSnapshot(): Promise<void> {
  await betweenCells()
  readCells()
  for (const from of specifiers) {
    if (modules.has(from) || failed.has(from)) continue
    try {
      modules.set(from, (await evaluate(`import(${JSON.stringify(from)})`)) as object)
    } catch {
      // the cell that has it says why
      failed.add(from)
    }
  }
}

/** V8 forgets cells that left no function behind: they are looked through whenever there may be a new one. */
const specifiers = new Set<string>()

let newest: { id: number; text: string } | undefined

/** What Deno made of the cell that ran last, up to the last readyForSnapshot(). */
export const runningCell = (): string | undefined => newest?.text

function readCells(): void {
  for (const { id, text } of scriptsAt(isCell)) {
    if (!text.startsWith(cellStart)) continue
    for (const match of text.matchAll(imported)) specifiers.add(match[1]!)
    if (Number(id) >= (newest?.id ?? 0)) newest = { id: Number(id), text }
  }
}

/** Soon, where calls are to come from cells. */
export function noteImports(): void {
  if (evaluatesCells) void betweenCells().then(readCells).catch(leaveToCalls)
}

/** Without the inspector the call is refused, and says so. */
function leaveToCalls(): void {}

// of the very cell that imports farcall
noteImports()

/** What Deno puts before what was typed, on the same line. */
const cellStart = "'use strict'; void 0;"

/** What was typed has no address. */
const isCell = (url: string): boolean => url === '' || url === '<anonymous>'

/** The import that gives this value again on the node, when a cell imported it: found by what it is. */
export function importOfCell(local: string, value: unknown, folder: string): ImportBinding | undefined {
  if (!evaluatesCells || value === null || (typeof value !== 'object' && typeof value !== 'function'))
    return undefined
  for (const [from, module] of modules) {
    const name = nameIn(module, value)
    if (name !== undefined)
      return { local, from, name, ...(isOwnSpecifier(from, folder) ? { own: true } : {}) }
  }
  return undefined
}
