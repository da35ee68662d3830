import { CaptureError } from '../core/errors.ts'
import type { Declaration } from './analysis.ts'
import type { Graph } from './graph.ts'
import { bindingOf, type Part } from './part.ts'
import { placeName } from './sources.ts'

/**
 * Declarations whose initialiser needs, while it runs, a value that comes with the call: they run after the
 * values are there, in the order of the modules.
 */
export function lateDeclarations(graph: Graph): Map<Declaration, Part> {
  const late = new Map<Declaration, Part>()
  const order: Part[] = []
  const visit = (part: Part) => {
    if (order.includes(part)) return
    order.push(part)
    for (const local of part.imports) {
      const binding = bindingOf(part, local)
      const target = binding && graph.modules.sibling(part.file, binding)
      const other = target && graph.parts.get(target.path)
      if (other) visit(other)
    }
    // after what it imports
    order.splice(order.indexOf(part), 1)
    order.push(part)
  }
  for (const part of graph.parts.values()) visit(part)
  for (const part of order)
    for (const declaration of [...part.decisions.keys()].sort((a, b) => a.start - b.start)) {
      if (part.decisions.get(declaration) !== 'source') continue
      const base =
        declaration.fn === undefined ? undefined : part.file.analysis.functions[declaration.fn]!.heritage
      const extendsLate = typeof base === 'string' && declared(graph, part, base).some(([d]) => late.has(d))
      if (!extendsLate && !reaches(graph, part, declaration.evalUses, late, new Set())) continue
      // one statement is one piece of text: its declarators wait together
      const statement = declaration.statement?.start
      for (const [other, decision] of part.decisions)
        if (other === declaration || (statement !== undefined && other.statement?.start === statement))
          if (decision === 'source') late.set(other, part)
    }
  return late
}

function reaches(
  graph: Graph,
  part: Part,
  names: readonly string[],
  late: Map<Declaration, Part>,
  seen: Set<Declaration>,
): boolean {
  return names.some(
    (name) =>
      part.globals.has(name) ||
      declared(graph, part, name).some(([declaration, owner]) => {
        if (late.has(declaration) || owner.decisions.get(declaration) === 'value') return true
        if (seen.has(declaration)) return false
        seen.add(declaration)
        return reaches(graph, owner, declaration.uses, late, seen)
      }),
  )
}

/** What a module-level name of a file stands for, here or in a sibling. */
function declared(graph: Graph, part: Part, name: string): [Declaration, Part][] {
  const own = part.file.analysis.declarations.filter((d) => d.names.includes(name))
  if (own.length > 0) return own.map((d) => [d, part])
  const binding = bindingOf(part, name)
  const target = binding && graph.modules.sibling(part.file, binding)
  const found = target && graph.modules.exported(target, binding.name)
  const other = found && graph.parts.get(found.file.path)
  if (!found || !other) return []
  return found.file.analysis.declarations.filter((d) => d.names.includes(found.name)).map((d) => [d, other])
}

/**
 * Values are decoded before late classes exist: an instance of one would have no class.
 *
 * @param inValues ids of the classes and functions that stand in captured values
 */
export function refuseLate(graph: Graph, inValues: ReadonlySet<string>): void {
  const late = lateDeclarations(graph)
  if (late.size === 0) return
  const ids = new Map([...late].map(([d, part]) => [`${part.file.id}:${d.names[0]}`, [d, part] as const]))
  for (const reference of inValues) {
    const found = ids.get(reference)
    if (!found) continue
    const [{ names, start }, { file }] = found
    throw new CaptureError(
      'CAPTURE_REFUSED',
      `${placeName(file, start)} '${names[0]}' is captured by value, and needs other captured data while it is defined`,
      { hint: 'give it as an argument, or use literal constants in its static fields and initialiser' },
    )
  }
  for (const [declaration, part] of late)
    if (declaration.kind === 'enum' || declaration.kind === 'namespace')
      throw new CaptureError(
        'CAPTURE_REFUSED',
        `${placeName(part.file, declaration.start)} the ${declaration.kind} '${declaration.names[0]}' needs a value that is known only when the program runs`,
        { hint: 'use literal constants in it' },
      )
}
