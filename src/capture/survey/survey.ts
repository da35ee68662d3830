import { FarcallError } from '../../core/errors.ts'
import { makeBundle } from '../bundle.ts'
import { emit } from '../emit.ts'
import { entryText } from '../entry.ts'
import { Graph } from '../graph.ts'
import { nodeOf, type Place } from '../locate.ts'
import { addMain } from '../main-function.ts'
import { objectionsTo, wordsOf } from '../refusals.ts'
import { headerLines } from '../slice.ts'
import { openFile, type UserFile } from '../sources.ts'
import { filesOf, importsOf } from './inventory.ts'
import { loopsOf } from './loops.ts'
import { findMarks, type Mark, placeIn } from './marks.ts'
import type { Captured, Refusal, Survey, Travel } from './types.ts'

export { packageName } from '../packages.ts'
export { positionOf } from '../positions.ts'

/**
 * What each function that a file marks with cluster takes along, by the text alone: nothing of the program runs, so
 * values are not looked at. The one door to capture for who wants to know, and not to call.
 *
 * @param path absolute
 */
export function survey(path: string, cacheDir?: string): Survey[] {
  const file = openFile(path, cacheDir)
  // without live functions: what stands at module level counts as source
  const emptyGraph = () => new Graph(new WeakMap(), file.root, cacheDir, () => undefined)
  const finder = emptyGraph()
  const marks = findMarks(file, (local, member) => isCluster(finder, file, local, member))
  return marks.map((mark) => surveyOne(emptyGraph(), file, mark))
}

/** Whether a name of the file is our cluster(), imported from us or through a file of the user's. */
function isCluster(graph: Graph, file: UserFile, local: string, member?: string): boolean {
  const binding = file.analysis.imports.find((i) => i.local === local)
  if (!binding) return false
  if (binding.own) return member === undefined ? binding.name === 'cluster' : member === 'cluster'
  const target = graph.modules.sibling(file, binding)
  const found = target && graph.modules.exported(target, member ?? binding.name)
  if (!found || (member !== undefined) !== (binding.name === '*')) return false
  return isCluster(graph, found.file, found.name)
}

function surveyOne(graph: Graph, file: UserFile, mark: Mark): Survey {
  const { name, form, at } = mark
  const place = placeOf(graph, file, mark)
  if (!place) {
    const refusal = {
      at,
      code: 'CAPTURE_SOURCE_MISSING',
      message: `the function given to cluster is not in the text of ${file.id}: only a running program knows it`,
      hint: 'define it in this file, or give cluster() to it where it is defined',
    }
    return {
      name,
      form,
      at,
      refusals: [refusal],
      captured: [],
      files: [],
      packages: [],
      builtins: [],
      loops: [],
      texts: [],
    }
  }
  const refusals = refusalsOf(place)
  const captured: Captured[] = []
  let main = ''
  try {
    if (hasText(place)) main = addMain(graph, place).text
    addCaptured(graph, place, captured, refusals, new Set([place.fn]))
  } catch (error) {
    refusals.push(refusalOf(error))
  }
  const loops = loopsOf(graph, place)
  const found = { name, form, at, refusals, captured, loops, files: filesOf(graph), ...importsOf(graph) }
  if (refusals.length > 0) return { ...found, texts: [] }
  const emitted = emit(graph)
  return {
    ...found,
    texts: emitted.flatMap(({ file: path, text }) =>
      path === undefined ? [] : [{ file: path, text, headerLines }],
    ),
    bundle: ({ node, packages = { install: [], bundle: [] } }) =>
      makeBundle({
        modules: [{ id: 'farcall-entry:entry', text: entryText(graph, main) }, ...emitted],
        root: file.root,
        target: `node${node}`,
        packages,
      }),
  }
}

/** A method of a class inside a function is refused, and cannot be found by name. */
function hasText(place: Place): boolean {
  const { owner, kind } = nodeOf(place)
  if (owner === undefined) return true
  return kind === 'method' && place.file.analysis.functions[owner]!.declared !== undefined
}

/** The function, in this file or where it is imported from. */
function placeOf(graph: Graph, file: UserFile, { fn, given = '' }: Mark): Place | undefined {
  if (fn !== undefined) return { file, fn }
  const [local = '', member] = given.split('.')
  const binding = file.analysis.imports.find((i) => i.local === local)
  const target = binding && graph.modules.sibling(file, binding)
  const found = target && graph.modules.exported(target, member ?? binding.name)
  const declared = found?.file.analysis.declarations.find((d) => d.names.includes(found.name))
  return found && declared?.fn !== undefined && !declared.reassigned
    ? { file: found.file, fn: declared.fn }
    : undefined
}

/** Variables around the function, and those of the functions among them. */
function addCaptured(
  graph: Graph,
  place: Place,
  captured: Captured[],
  refusals: Refusal[],
  seen: Set<number>,
): void {
  for (const { name, at, fn, literal } of nodeOf(place).captures) {
    const how: Travel = fn !== undefined || literal !== undefined ? 'source' : 'value'
    if (!captured.some((one) => one.name === name)) captured.push({ name, at: placeIn(place.file, at), how })
    if (fn === undefined || seen.has(fn)) continue
    seen.add(fn)
    const inner: Place = { file: place.file, fn }
    refusals.push(...refusalsOf(inner))
    graph.addClosure(inner)
    addCaptured(graph, inner, captured, refusals, seen)
  }
}

/** The same, in the same words, that a call would say first. */
function refusalsOf(place: Place): Refusal[] {
  return objectionsTo(place).map((objection) => ({
    at: placeIn(place.file, objection.at),
    code: 'CAPTURE_REFUSED',
    message: wordsOf(place, objection),
    hint: objection.hint,
  }))
}

/** An error of capture or bundling, as a refusal. @throws what is not one of ours */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof FarcallError)) throw error
  const message = error.message.split('\n  hint:')[0]!
  return { code: error.code, message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
}
