import type { FunctionNode, Range, ThreadNode } from './analysis.ts'
import type { Graph } from './graph.ts'
import { bindingOf } from './part.ts'
import { quote } from './slice.ts'
import type { UserFile } from './sources.ts'

/** Calls of localMap in a part of the text. */
export function threadsWithin(file: UserFile, [start, end]: Range): ThreadNode[] {
  return file.analysis.threads.filter(({ at }) => at >= start && at < end)
}

/** The functions that travel to other threads when this one does: itself, and local ones that it captured. */
export function travellers(file: UserFile, fn: number, seen = new Set<number>()): Set<number> {
  if (seen.has(fn)) return seen
  seen.add(fn)
  for (const capture of nodeAt(file, fn).captures)
    if (capture.fn !== undefined) travellers(file, capture.fn, seen)
  return seen
}

const nodeAt = (file: UserFile, fn: number): FunctionNode => file.analysis.functions[fn]!

/**
 * After the function that localMap is given stands what finds it in another thread: its id, and its captured values when
 * they are asked for. Behind it, so that columns of the user's text stay.
 */
export function markThreads(units: string[], file: UserFile): void {
  for (const { at, end, fn } of file.analysis.threads) {
    // code that does not travel stays blank
    if (fn === undefined || !units[at]?.endsWith(file.text[at]!)) continue
    units[end - 1] += `,$farcallThread(${reference(file, fn, new Set([fn]))})`
  }
}

/** `"id",()=>({a,helper:$farcallThread.of(helper,"id",…)})` */
function reference(file: UserFile, fn: number, open: ReadonlySet<number>): string {
  const fields = nodeAt(file, fn).captures.map(({ name, fn: inner }) => {
    // one that captures itself, or the one around it, is known by then
    if (inner === undefined || open.has(inner)) return name
    return `${name}:$farcallThread.of(${name},${reference(file, inner, new Set([...open, inner]))})`
  })
  return `${quote(`#${file.id}#${fn}`)},()=>({${fields.join(',')}})`
}

/** Names at module level that functions given to localMap can reach, by their file. */
export function reachedByThreads(graph: Graph): Map<UserFile, Set<string>> {
  const reached = new Map<UserFile, Set<string>>()
  const visit = (file: UserFile, names: readonly string[]): void => {
    const known = reached.get(file) ?? new Set()
    reached.set(file, known)
    for (const name of names) {
      if (known.has(name) || name.includes(':')) continue
      known.add(name)
      for (const declaration of file.analysis.declarations)
        if (declaration.names.includes(name)) visit(file, declaration.uses)
      const part = graph.parts.get(file.path)
      const binding = part && bindingOf(part, name)
      const target = binding && !binding.own ? graph.modules.sibling(file, binding) : undefined
      if (!binding || !target) continue
      const exports = binding.name === '*' ? graph.modules.exportNames(target) : [binding.name]
      for (const one of exports) {
        const found = graph.modules.exported(target, one)
        if (found) visit(found.file, [found.name])
      }
    }
  }
  for (const { file } of graph.parts.values())
    for (const { fn, name } of file.analysis.threads) {
      if (name !== undefined) visit(file, [name])
      else if (fn !== undefined) visit(file, nodeAt(file, fn).uses)
      // a function that is known only when it runs may use any
      else
        for (const other of graph.parts.values())
          visit(
            other.file,
            other.file.analysis.declarations.flatMap((d) => d.names),
          )
    }
  return reached
}
