import { createRequire } from 'node:module'
import type { ts as TypeScript } from 'ts-morph'
import type { CallNode, FunctionNode } from '../analysis.ts'
import { positionOf } from '../positions.ts'
import type { UserFile } from '../sources.ts'
import type { Position } from './types.ts'

/** A function that the text of a file marks with cluster. */
export interface Mark {
  readonly form: 'decorator' | 'wrapper'
  readonly name: string
  readonly at: Position
  /** Index in the file's analysis; undefined: the text does not say which function it is. */
  readonly fn: number | undefined
  /** The name that is given instead of a function of this file. */
  readonly given?: string
}

/**
 * Every function that the file marks, in the order of its text.
 *
 * @param isCluster whether a name that the file imports is our cluster(), given `local` and what follows the dot
 */
export function findMarks(file: UserFile, isCluster: (local: string, member?: string) => boolean): Mark[] {
  const { functions, calls } = file.analysis
  const decorated = functions.flatMap((node, fn): Mark[] =>
    isDecorated(file, node)
      ? [
          {
            form: 'decorator',
            name: `${functions[node.owner!]!.name}.${node.name}`,
            at: placeIn(file, node.start),
            fn,
          },
        ]
      : [],
  )
  const wrapped = calls
    .filter((call) => isClusterCall(file, call, isCluster))
    .map((call): Mark => {
      const fn = call.functions.at(-1)!
      const name = functions[fn]!.name || assignedTo(file, call) || '(anonymous)'
      return { form: 'wrapper', name, at: placeIn(file, call.start), fn }
    })
  const named = callsOfNames(file)
    .filter(
      (call) => calls.every(({ start }) => start !== call.start) && isClusterCall(file, call, isCluster),
    )
    .map(
      ({ start, given }): Mark => ({
        form: 'wrapper',
        name: given,
        at: placeIn(file, start),
        fn: undefined,
        given,
      }),
    )
  return [...decorated, ...wrapped, ...named].sort(
    (a, b) => a.at.line - b.at.line || a.at.column - b.at.column,
  )
}

export const placeIn = (file: UserFile, offset: number): Position => ({
  file: file.path,
  ...positionOf(file.text, offset),
})

/** The analysis lists our decorators of a class with what is left out of its text. */
function isDecorated(file: UserFile, node: FunctionNode): boolean {
  if (node.owner === undefined || node.kind === 'constructor') return false
  const { blank } = file.analysis.functions[node.owner]!
  return blank.some(
    ([start, end]) => file.text[start] === '@' && start >= node.start && end <= Math.max(node.at, node.start),
  )
}

function isClusterCall(
  file: UserFile,
  call: Pick<CallNode, 'start' | 'name'>,
  isCluster: (local: string, member?: string) => boolean,
): boolean {
  const callee = wordAt(file.text, call.name)
  if (call.name === call.start) return isCluster(callee)
  // farcall.cluster(…): nothing but a name before the dot
  const before = wordAt(file.text, call.start)
  const between = file.text.slice(call.start + before.length, call.name)
  return /^\s*\.\s*$/.test(between) && isCluster(before, callee)
}

const wordAt = (text: string, offset: number): string => /^[\w$]*/.exec(text.slice(offset, offset + 200))![0]

/** Calls with a name as their last argument, such as `cluster(options, work)`: the analysis knows those of this file only. */
function callsOfNames({
  path,
  text,
  analysis,
}: UserFile): (Pick<CallNode, 'start' | 'name'> & { given: string })[] {
  const { ts } = createRequire(import.meta.url)('ts-morph') as { ts: typeof TypeScript }
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: ReturnType<typeof callsOfNames> = []
  const visit = (node: TypeScript.Node): void => {
    const last = ts.isCallExpression(node) ? node.arguments.at(-1) : undefined
    // cluster(options) alone makes a decorator
    const isOptions =
      last !== undefined && analysis.declarations.some((d) => d.names.includes(last.getText(source)))
    if (ts.isCallExpression(node) && last && !isOptions && /^[\w$.]+$/.test(last.getText(source))) {
      const { expression } = node
      const name = ts.isPropertyAccessExpression(expression) ? expression.name : expression
      found.push({
        start: node.getStart(source),
        name: name.getStart(source),
        given: last.getText(source),
      })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** `const simulate = cluster(…)` gives the arrow function no name of its own. */
function assignedTo(file: UserFile, call: CallNode): string | undefined {
  const around = file.analysis.declarations.find((d) => d.start <= call.start && call.end <= d.end)
  return around?.names.length === 1 && around.kind === 'variable' ? around.names[0] : undefined
}
