import { makeBundle } from '../../capture/bundle.ts'
import { emit } from '../../capture/emit.ts'
import { entryText } from '../../capture/entry.ts'
import { Graph, nodeOf, quote } from '../../capture/graph.ts'
import type { Place } from '../../capture/locate.ts'
import { headerLines } from '../../capture/slice.ts'
import { openFile, positionOf, type UserFile } from '../../capture/sources.ts'
import type { Bundle } from '../../capture/types.ts'
import { CaptureError } from '../../core/errors.ts'
import { oldestNode } from '../node-seen.ts'
import { contentOf, packageName } from './content.ts'
import { filesOf, importsOf } from './inventory.ts'
import { findMarks, type Mark } from './marks.ts'
import { newerApis } from './newer-apis.ts'
import { positionIn, refusalOf, refusalsOf } from './refusals.ts'
import type { Captured, Explanation, External, Refusal, Travel, Warning } from './types.ts'

export interface ExplainOptions {
  /** Tells the size and content of the bundle. It is made in any case: esbuild may refuse too. */
  bundle?: boolean
  /** Major version of the Node that will run it. Default 16, the oldest that farcall runs on. */
  node?: number
  cacheDir?: string
}

/**
 * What every function that a file marks with cluster takes along, and what speaks against it. Reads text only:
 * nothing of the program runs, so values are not looked at.
 *
 * @param path absolute
 * @example const [first] = await explain('/home/ada/study.ts', { bundle: true }); first?.refusals
 */
export async function explain(path: string, options: ExplainOptions = {}): Promise<Explanation[]> {
  const file = openFile(path, options.cacheDir)
  const finder = emptyGraph(file, options)
  const marks = findMarks(file, (local, member) => isCluster(finder, file, local, member))
  const explanations: Explanation[] = []
  for (const mark of marks) explanations.push(await explainOne(file, mark, options))
  return explanations
}

/** Without live functions: what stands at module level counts as source. */
const emptyGraph = ({ root }: UserFile, { cacheDir }: ExplainOptions) =>
  new Graph(new WeakMap(), root, cacheDir, () => undefined)

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

async function explainOne(file: UserFile, mark: Mark, options: ExplainOptions): Promise<Explanation> {
  const { name, form, at } = mark
  const empty = { captured: [], files: [], packages: [], builtins: [], externals: [], warnings: [] }
  const graph = emptyGraph(file, options)
  const place = placeOf(graph, file, mark)
  if (!place) {
    const refusal = {
      at,
      code: 'CAPTURE_SOURCE_MISSING',
      message: `the function given to cluster is not in the text of ${file.id}: only a running program knows it`,
      hint: 'define it in this file, or give cluster() to it where it is defined',
    }
    return { name, form, at, refusals: [refusal], ...empty }
  }
  const refusals = refusalsOf(place)
  const captured: Captured[] = []
  let entry = ''
  try {
    entry = addMain(graph, place)
    capturedBy(graph, place, captured, refusals, new Set([place.fn]))
  } catch (error) {
    refusals.push(refusalOf(error))
  }
  const { packages, builtins } = importsOf(graph)
  const emitted = refusals.length === 0 ? emit(graph) : []
  const warnings = emitted.flatMap((module) =>
    module.file === undefined ? [] : warningsIn(module.file, module.text, options.node ?? oldestNode),
  )
  const externals: External[] = []
  let bundle: Bundle | undefined
  if (refusals.length === 0) {
    const modules = [{ id: 'farcall-entry:entry', text: entryText(graph, entry) }, ...emitted]
    try {
      bundle = await bundleWithout(externals, (external) =>
        makeBundle({
          modules,
          root: place.file.root,
          target: `node${options.node ?? oldestNode}`,
          external,
          cacheDir: undefined,
        }),
      )
    } catch (error) {
      refusals.push(refusalOf(error))
    }
  }
  return {
    name,
    form,
    at,
    refusals,
    captured,
    files: filesOf(graph),
    packages,
    builtins,
    externals,
    warnings: unique(warnings),
    ...(options.bundle && bundle && { bundle: { bytes: bundle.code.length, content: contentOf(bundle) } }),
  }
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

/** The function itself, as a snapshot takes it. Gives the text that the bundle begins with. */
function addMain(graph: Graph, place: Place): string {
  const node = nodeOf(place)
  const slice = quote(`farcall-slice:${place.file.id}`)
  if (node.owner !== undefined) {
    const { declared } = place.file.analysis.functions[node.owner]!
    if (declared === undefined) return ''
    graph.need(place.file, [declared])
    return `import{${declared} as $class}from${slice};const $main=$class${node.isStatic ? '' : '.prototype'}[${quote(node.name)}];`
  }
  if (node.declared !== undefined) {
    graph.need(place.file, [node.declared])
    return `import{${node.declared} as $main}from${slice};`
  }
  const id = graph.addClosure(place)
  return `import{$farcallMake}from${quote(`farcall-closure:${id}`)};const[$main,$env]=$farcallMake();`
}

/** Variables around the function, and those of the functions among them. */
function capturedBy(
  graph: Graph,
  place: Place,
  captured: Captured[],
  refusals: Refusal[],
  seen: Set<number>,
): void {
  for (const { name, at, fn, literal } of nodeOf(place).captures) {
    const how: Travel = fn !== undefined || literal !== undefined ? 'source' : 'value'
    if (!captured.some((one) => one.name === name)) captured.push({ name, at: positionIn(place, at), how })
    if (fn === undefined || seen.has(fn)) continue
    seen.add(fn)
    const inner: Place = { file: place.file, fn }
    refusals.push(...refusalsOf(inner))
    graph.addClosure(inner)
    capturedBy(graph, inner, captured, refusals, seen)
  }
}

function warningsIn(path: string, emitted: string, node: number): Warning[] {
  return newerApis(path, emitted, node).map(({ what, since, offset }) => {
    const { line, column } = positionOf(emitted, offset)
    return {
      at: { file: path, line: line - headerLines, column },
      message: `${what} needs Node ${since} or newer on the cluster`,
    }
  })
}

function unique(warnings: readonly Warning[]): Warning[] {
  const key = ({ at, message }: Warning) => `${at.file}:${at.line}:${at.column} ${message}`
  return [...new Map(warnings.map((warning) => [key(warning), warning])).values()]
}

/** Packages that cannot be bundled are told one at a time: each is left out, and the rest tried again. */
async function bundleWithout(
  externals: External[],
  bundle: (external: readonly string[]) => Promise<Bundle>,
): Promise<Bundle> {
  for (;;) {
    try {
      return await bundle(externals.map(({ name }) => name))
    } catch (error) {
      const [, told = '', why] =
        (error instanceof CaptureError &&
          error.code === 'CAPTURE_EXTERNAL' &&
          /^the package '([^']+)' cannot be bundled: (.*?)(?: \(imported by .*\))?$/m.exec(error.message)) ||
        []
      // a compiled part is told by its path
      const name = told.includes('/node_modules/')
        ? packageName(told.slice(told.lastIndexOf('/node_modules/') + '/node_modules/'.length))
        : told
      if (why === undefined || externals.some((known) => known.name === name)) throw error
      externals.push({ name, why })
    }
  }
}
