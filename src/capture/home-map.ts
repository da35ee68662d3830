import { resolve } from 'node:path'
import { decodedMappings, encodedMappings, TraceMap } from '@jridgewell/trace-mapping'
import type { Emitted } from './slice.ts'
import { headerLines } from './slice.ts'

/** Sources as absolute paths, lines as in the user's file. */
export function homeMap(raw: string, modules: ReadonlyMap<string, Emitted>, root: string): string {
  const parsed = JSON.parse(raw) as { sources: string[]; names: string[]; mappings: string }
  const trace = new TraceMap({ version: 3, ...parsed })
  const shifted = new Map<number, Emitted>()
  const sources = parsed.sources.map((source, index) => {
    const module = modules.get(source) ?? modules.get(decodeURI(source))
    if (module?.file) {
      shifted.set(index, module)
      return module.file
    }
    return /^farcall-\w+:/.test(source) ? source : resolve(root, source)
  })
  const mappings = decodedMappings(trace).map((line) =>
    line.flatMap((segment): (typeof segment)[] => {
      if (segment.length === 1 || !shifted.has(segment[1])) return [segment]
      // header and footer are ours: nothing of the user's stands there
      if (segment[2] < headerLines) return [[segment[0]]]
      const column = withoutInsertions(shifted.get(segment[1])!, segment[2], segment[3])
      return segment.length === 5
        ? [[segment[0], segment[1], segment[2] - headerLines, column, segment[4]]]
        : [[segment[0], segment[1], segment[2] - headerLines, column]]
    }),
  )
  const home = new TraceMap({ version: 3, sources, names: parsed.names, mappings } as never)
  return JSON.stringify({ version: 3, sources, names: parsed.names, mappings: encodedMappings(home) })
}

/** The column in the user's line, where text of ours stands before it. */
function withoutInsertions({ insertions }: Emitted, line: number, column: number): number {
  let before = 0
  for (const one of insertions ?? []) {
    if (one.line !== line || one.column >= column) continue
    before += Math.min(one.length, column - one.column)
  }
  return column - before
}
