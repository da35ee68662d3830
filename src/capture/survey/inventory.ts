import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import type { Declaration, ImportBinding } from '../analysis.ts'
import type { Graph } from '../graph.ts'
import { packageName } from '../packages.ts'
import type { UserFile } from '../sources.ts'
import { placeIn } from './marks.ts'
import type { FilePart, Package, Travel } from './types.ts'

/** What each of the user's files gives. */
export function filesOf(graph: Graph): FilePart[] {
  return [...graph.parts.values()]
    .filter((part) => part.decisions.size > 0)
    .map(({ file, decisions }) => ({
      file: file.path,
      names: [...decisions.keys()]
        .sort((a, b) => a.start - b.start)
        .flatMap((d) =>
          d.names.map((name) => ({
            name,
            kind: kindOf(d, file),
            how: howTravels(d),
            at: placeIn(file, d.start),
          })),
        ),
    }))
}

function kindOf(declaration: Declaration, file: UserFile): string {
  if (declaration.kind !== 'variable') return declaration.kind
  const fn = declaration.fn === undefined ? undefined : file.analysis.functions[declaration.fn]
  if (fn) return fn.kind === 'class' ? 'class' : 'function'
  const { statement } = declaration
  return statement && file.text.slice(...statement.keyword).startsWith('const') ? 'constant' : 'variable'
}

function howTravels({ kind, fn, literal, reassigned }: Declaration): Travel {
  if (kind !== 'variable') return 'source'
  if (reassigned) return 'value'
  return fn !== undefined || literal ? 'source' : 'value or initialiser'
}

/** What the files that come along import from elsewhere: packages, and Node's own modules. */
export function importsOf(graph: Graph): { packages: Package[]; builtins: string[] } {
  const packages = new Map<string, { folder: string; imports: Set<string> }>()
  const builtins = new Set<string>()
  const add = (file: UserFile, { from, name, own }: Pick<ImportBinding, 'from' | 'name' | 'own'>) => {
    if (own || /^[./#]/.test(from) || graph.modules.sibling(file, { from })) return
    if (isBuiltin(from)) {
      builtins.add(from.startsWith('node:') ? from : `node:${from}`)
      return
    }
    const key = packageName(from)
    const known = packages.get(key) ?? { folder: dirname(file.path), imports: new Set<string>() }
    packages.set(key, known)
    known.imports.add(from === key ? name : `${name} of ${from}`)
  }
  for (const { file, imports } of graph.parts.values()) {
    for (const local of imports) {
      const binding = file.analysis.imports.find((i) => i.local === local)
      if (binding && !(binding.type && binding.from.startsWith('.'))) add(file, binding)
    }
    for (const from of file.analysis.effects)
      if (!from.startsWith('.') && !from.startsWith('farcall')) add(file, { from, name: 'its effects' })
  }
  return {
    packages: [...packages]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { folder, imports }]) => {
        const version = installedVersion(name, folder)
        return { name, ...(version === undefined ? {} : { version }), imports: [...imports].sort() }
      }),
    builtins: [...builtins].sort(),
  }
}

function installedVersion(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const manifest = join(folder, 'node_modules', name, 'package.json')
    if (existsSync(manifest))
      return (JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string }).version
    if (dirname(folder) === folder) return undefined
  }
}
