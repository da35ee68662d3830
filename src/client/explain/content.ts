import { decodedMappings, TraceMap } from '@jridgewell/trace-mapping'
import { packageName } from '../../capture/survey/survey.ts'
import type { Bundle } from '../../capture/types.ts'
import type { Content } from './types.ts'

/**
 * How many bytes of a bundle come from which file or package, largest first. By the source map: what lies
 * between two places that it names belongs to the first. The sum is the size of the bundle.
 */
export function contentOf({ code, map }: Bundle): Content[] {
  const lines = Buffer.from(code).toString('utf8').split('\n')
  const { sources } = JSON.parse(map) as { sources: string[] }
  const mappings = decodedMappings(new TraceMap(map))
  const sizes = new Map<string, number>()
  const add = (name: string, text: string) =>
    sizes.set(name, (sizes.get(name) ?? 0) + Buffer.byteLength(text, 'utf8'))
  let current = 'farcall'
  for (const [index, line] of lines.entries()) {
    const text = index < lines.length - 1 ? `${line}\n` : line
    let from = 0
    for (const segment of mappings[index] ?? []) {
      add(current, text.slice(from, segment[0]))
      from = segment[0]
      current = segment.length > 1 ? nameOf(sources[segment[1]!]) : 'farcall'
    }
    add(current, text.slice(from))
    // lines without a mapping of their own are the helpers and wrappers around the user's text
    if ((mappings[index + 1] ?? []).length === 0) current = 'farcall'
  }
  return [...sizes]
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => ({ name, bytes }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
}

function nameOf(source: string | null | undefined): string {
  if (source === null || source === undefined || /^farcall-\w+:/.test(source)) return 'farcall'
  const at = source.lastIndexOf('/node_modules/')
  return at < 0 ? source : `package:${packageName(source.slice(at + '/node_modules/'.length))}`
}
