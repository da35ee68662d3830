import type { CallNode, FunctionNode } from '../../capture/analysis.ts'
import { positionOf, type UserFile } from '../../capture/sources.ts'
import type { Position } from './types.ts'

/** A function that the text of a file marks with cluster. */
export interface Mark {
  readonly form: 'decorator' | 'wrapper'
  readonly name: string
  readonly at: Position
  /** Index in the file's analysis; undefined: the text does not say which function it is. */
  readonly fn: number | undefined
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
            at: at(file, node.start),
            fn,
          },
        ]
      : [],
  )
  const wrapped = calls.flatMap((call): Mark[] => {
    if (!isClusterCall(file, call, isCluster) || !holdsFunction(file, call)) return []
    const fn = call.functions.length === 1 ? call.functions[0] : undefined
    const own = fn === undefined ? '' : functions[fn]!.name
    return [
      { form: 'wrapper', name: own || assignedTo(file, call) || '(anonymous)', at: at(file, call.start), fn },
    ]
  })
  return [...decorated, ...wrapped].sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column)
}

const at = (file: UserFile, offset: number): Position => ({
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
  call: CallNode,
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

/** cluster({ … }) alone makes a decorator, not a remote function. */
function holdsFunction(file: UserFile, call: CallNode): boolean {
  if (call.functions.length > 0) return true
  const text = file.text.slice(call.name, call.end)
  const only = /^\w+\s*\(\s*(\{[\s\S]*\}|[\w$.]*)\s*,?\s*\)$/.exec(text)?.[1]
  return only === undefined || (!only.startsWith('{') && only !== '')
}

/** `const simulate = cluster(…)` gives the arrow function no name of its own. */
function assignedTo(file: UserFile, call: CallNode): string | undefined {
  const around = file.analysis.declarations.find((d) => d.start <= call.start && call.end <= d.end)
  return around?.names.length === 1 && around.kind === 'variable' ? around.names[0] : undefined
}
