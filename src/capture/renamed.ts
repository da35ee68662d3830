import {
  generatedPositionFor,
  originalPositionFor,
  sourceContentFor,
  type TraceMap,
} from '@jridgewell/trace-mapping'
import { positionOf } from './positions.ts'

/** A file of the user's, as far as it is asked for here. */
interface SourceText {
  readonly path: string
  readonly text: string
}

/** A script that a bundler made of several files: names that collided have other names in it. */
interface Generated {
  map: TraceMap
  source: string
  lines: string[]
}

const generated = new Map<string, Generated>()

export function registerBundle(
  map: TraceMap,
  text: string,
  pathOf: (source: string) => string | undefined,
): void {
  if (map.sources.length < 2) return
  const lines = text.split('\n')
  for (const [index, source] of map.resolvedSources.entries()) {
    const path = source && pathOf(source)
    if (path) generated.set(path, { map, source: map.resolvedSources[index]!, lines })
  }
}

/** The text of a file that a bundle holds, as its map has it; undefined: no bundle does, or without the text. */
export function bundledText(path: string): string | undefined {
  const found = generated.get(path)
  return found && (sourceContentFor(found.map, found.source) ?? undefined)
}

/** Whether names that run may differ from those in the file. */
export const isBundled = (file: SourceText): boolean => generated.has(file.path)

/**
 * The name that a variable of the user's file has in the script that runs; undefined: it is not to be found
 * there, and reading another one of the same name would be wrong.
 *
 * @param imported the name is an import's, and may be wholly another one where it is declared
 */
export function runningName(
  file: SourceText,
  name: string,
  offsets: readonly number[],
  imported = false,
): string | undefined {
  const found = generated.get(file.path)
  if (!found) return name
  const { map, source, lines } = found
  for (const offset of offsets) {
    const { line, column } = positionOf(file.text, offset)
    const at = generatedPositionFor(map, { source, line, column: column - 1 })
    if (at.line === null) continue
    const back = originalPositionFor(map, { line: at.line, column: at.column })
    if (back.line !== line || back.column !== column - 1) continue
    const running = /^[\p{ID_Start}$_][\p{ID_Continue}$]*/u.exec(lines[at.line - 1]!.slice(at.column))?.[0]
    if (running === undefined) continue
    const renamed = running.startsWith(name) && /^\d*$/.test(running.slice(name.length))
    if (renamed || imported || back.name === name) return running
  }
  return undefined
}
