import { dirname, relative, resolve } from 'node:path'
import type { ImportBinding } from './analysis.ts'
import type { Graph } from './graph.ts'
import { lateDeclarations } from './late.ts'
import type { Place } from './locate.ts'
import type { Edit } from './loops/edits.ts'
import { bindingOf } from './part.ts'
import type { Emitted } from './slice.ts'
import { assetName, quote, sliceClosure, sliceModule } from './slice.ts'
import type { UserFile } from './sources.ts'
import { reachedByThreads } from './threads.ts'

/** `import` lines for these names of a file, for a module that holds a piece of it. */
function header(
  graph: Graph,
  file: UserFile,
  names: readonly string[],
  own: boolean,
  edited: boolean,
): string {
  const support = ['$farcallBlank', '$farcallPrivates']
  if (file.analysis.threads.length > 0) support.push('$farcallThread')
  if (edited) support.push('$farcallLoops')
  const lines: string[] = [`import{${support.join(',')}}from"farcall-support:support";`]
  for (const name of [...new Set(names)].sort()) {
    if (
      file.analysis.declarations.some((d) => d.names.includes(name)) ||
      graph.parts.get(file.path)?.globals.has(name)
    ) {
      if (!own) lines.push(`import{${name}}from${quote(`farcall-slice:${file.id}`)};`)
      continue
    }
    if (name.startsWith('asset:')) lines.push(assetLine(file, Number(name.slice(6)), graph.root))
    const part = graph.parts.get(file.path)
    const binding = part ? bindingOf(part, name) : file.analysis.imports.find((i) => i.local === name)
    if (binding) lines.push(importLine(graph, file, binding))
  }
  return lines.join('')
}

export function assetLine(file: UserFile, index: number, root: string): string {
  const { from, worker } = file.analysis.assets[index]!
  const path = relative(root, resolve(dirname(file.path), decodeURIComponent(from.replace(/[?#].*$/, ''))))
  const module = worker ? `farcall-worker:${path}` : `farcall-asset:${path}?${from}`
  return `import{$asset as ${assetName(index)}}from${quote(module)};`
}

function importLine(graph: Graph, file: UserFile, binding: ImportBinding): string {
  const { local, name } = binding
  const target = graph.modules.sibling(file, binding)
  if (target && name === '*') return `import*as ${local} from${quote(`farcall-exports:${target.id}`)};`
  const found = target && graph.modules.exported(target, name)
  if (found?.file.analysis.declarations.some((d) => d.names.includes(found.name)))
    return `import{${found.name} as ${local}}from${quote(`farcall-slice:${found.file.id}`)};`
  const attributes = binding.type ? `with{type:${quote(binding.type)}}` : ''
  if (name === '*') return `import*as ${local} from${quote(binding.from)}${attributes};`
  return `import{${name} as ${local}}from${quote(binding.from)}${attributes};`
}

/** Changes of the text of one function. */
export interface Edited {
  readonly place: Place
  readonly edits: readonly Edit[]
}

export function emit(graph: Graph, edited?: Edited): Emitted[] {
  const parts = [...graph.parts.values()].sort((a, b) => (a.file.id < b.file.id ? -1 : 1))
  const hooks = parts.some((p) => p.file.analysis.functions.some((f) => f.privates))
  const late = lateDeclarations(graph)
  const { early } = orderEffects(graph)
  const modules: Emitted[] = []
  const reached = reachedByThreads(graph)
  const main = edited && `${edited.place.file.id}#${edited.place.fn}`
  const isClosure = main !== undefined && graph.closures.has(main)
  for (const part of parts) {
    const { file } = part
    const edits = edited && !isClosure && file === edited.place.file ? edited.edits : []
    const needed = [...part.decisions].flatMap(([d, decision]) => (decision === 'source' ? d.uses : []))
    const effects = file.analysis.effects
      .filter((e) => !e.startsWith('farcall'))
      .map((e) => {
        const path = graph.modules.resolve(e, dirname(file.path))
        if (path === undefined) return e.startsWith('.') ? '' : `import${quote(e)};`
        return early.has(path) ? `import${quote(effectId(graph.root, path))};` : ''
      })
      .join('')
    modules.push({
      id: `farcall-slice:${file.id}`,
      file: file.path,
      ...sliceModule(
        part,
        effects + header(graph, file, needed, true, edits.length > 0),
        hooks,
        late,
        reached.get(file),
        edits,
      ),
    })
    if (part.namespace)
      modules.push({ id: `farcall-exports:${file.id}`, file: file.path, text: exportsText(graph, file) })
  }
  for (const [id, { file, fn }] of [...graph.closures].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const edits = id === main ? edited!.edits : []
    const above = header(graph, file, file.analysis.functions[fn]!.uses, false, edits.length > 0)
    modules.push({
      id: `farcall-closure:${id}`,
      file: file.path,
      ...sliceClosure(file, fn, above, hooks, edits),
    })
  }
  return modules
}

function exportsText(graph: Graph, file: UserFile): string {
  const lines = graph.modules.exportNames(file).flatMap((name) => {
    const found = graph.modules.exported(file, name)
    if (!found) return []
    if (found.file.analysis.declarations.some((d) => d.names.includes(found.name)))
      return [`export{${found.name} as ${name}}from${quote(`farcall-slice:${found.file.id}`)}`]
    const binding = found.file.analysis.imports.find((i) => i.local === found.name)
    return binding ? [`${importLine(graph, found.file, binding)}export{${binding.local} as ${name}}`] : []
  })
  return `\n${lines.join(';\n')}`
}

export const effectId = (root: string, path: string): string => `farcall-effect:${relative(root, path)}`

/** Files run for their effects: those that need captured values run once these are there. */
export function orderEffects(graph: Graph): { early: Set<string>; late: Set<string> } {
  const early = new Set<string>()
  const late = new Set<string>()
  for (const path of graph.effects.keys()) {
    const needs = graph.wholes.reachable(path).some((file) => graph.parts.has(file.path))
    ;(needs ? late : early).add(path)
  }
  return { early, late }
}
