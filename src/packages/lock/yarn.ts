import { parse } from 'yaml'
import { type Dependencies, type LockedPackage, type Lockfile, needsIn } from './types.ts'

interface Entry extends Dependencies {
  readonly version: string
  readonly integrity?: string
  /** Of berry: 'sharp@npm:0.35.5'. */
  readonly resolution?: string
  readonly dependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  /** Of berry: 'os=linux & cpu=x64 & libc=glibc'. */
  readonly conditions?: string
}

/** yarn.lock, of version 1 and of berry: packages by what was asked for. */
export function readYarnLock(text: string): Lockfile {
  const berry = /^__metadata:/m.test(text)
  const entries = berry ? (parse(text) as Record<string, Entry>) : parseVersion1(text)
  const byPattern = new Map<string, Entry>()
  for (const [patterns, entry] of Object.entries(entries))
    for (const pattern of patterns.split(',')) byPattern.set(pattern.trim(), entry)
  const known = new Map<Entry, LockedPackage>()
  const of = (pattern: string, entry: Entry): LockedPackage => {
    const before = known.get(entry)
    if (before) return before
    const name = nameOf(entry.resolution ?? aliased(pattern))
    const made: LockedPackage = {
      name,
      version: String(entry.version),
      ...(entry.integrity === undefined ? {} : { integrity: entry.integrity }),
      ...conditions(entry.conditions),
      needs: () =>
        needsIn(entry, (needed, range) => {
          const found = [`${needed}@${range}`, `${needed}@npm:${range}`].find((one) => byPattern.has(one))
          return found === undefined ? undefined : of(found, byPattern.get(found)!)
        }).map((need) => ({
          ...need,
          optional: need.optional || entry.dependenciesMeta?.[need.name]?.optional === true,
        })),
    }
    known.set(entry, made)
    return made
  }
  return {
    file: 'yarn.lock',
    find: (name, version) => {
      for (const [pattern, entry] of byPattern) {
        if (pattern === '__metadata') continue
        const found = of(pattern, entry)
        if (found.name === name && found.version === version) return found
      }
      return undefined
    },
  }
}

const nameOf = (pattern: string) => /^@?[^@]+/.exec(pattern)?.[0] ?? pattern

/** 'short@npm:long@^1' is long. */
const aliased = (pattern: string) => /@npm:(@?[^@]+@.*)$/.exec(pattern)?.[1] ?? pattern

function conditions(text = ''): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> {
  const found = [...text.matchAll(/\b(os|cpu|libc)=([\w!]+)/g)]
  return Object.fromEntries(found.map(([, key, value]) => [key, [value]]))
}

/** Lines of `key value`, indented for what belongs to the line before; keys and values perhaps in quotes. */
function parseVersion1(text: string): Record<string, Entry> {
  const root: Record<string, unknown> = {}
  const stack: [number, Record<string, unknown>][] = [[-1, root]]
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(line)) continue
    const indent = line.length - line.trimStart().length
    while (stack.at(-1)![0] >= indent) stack.pop()
    const parent = stack.at(-1)![1]
    const content = line.trim()
    if (content.endsWith(':')) {
      const child: Record<string, unknown> = {}
      parent[content.slice(0, -1).replaceAll('"', '')] = child
      stack.push([indent, child])
      continue
    }
    const [, key = '', value = ''] = /^("[^"]*"|\S+)\s+(.*)$/.exec(content) ?? []
    parent[key.replaceAll('"', '')] = value.replaceAll('"', '')
  }
  return root as Record<string, Entry>
}
