import { basename } from 'node:path'
import type { FunctionNode } from '../../capture/analysis.ts'
import { nodeOf } from '../../capture/graph.ts'
import type { Place } from '../../capture/locate.ts'
import { positionOf } from '../../capture/sources.ts'
import { FarcallError } from '../../core/errors.ts'
import type { Position, Refusal } from './types.ts'

export const positionIn = ({ file }: Place, offset: number): Position => ({
  file: file.path,
  ...positionOf(file.text, offset),
})

/** What the text alone says against the function itself: the same, in the same words, that a call of it would. */
export function refusalsOf(place: Place): Refusal[] {
  const node = nodeOf(place)
  const refusals: Refusal[] = []
  const refuse = (offset: number, why: string, hint: string) => {
    const at = positionIn(place, offset)
    const name = node.name || 'the function'
    refusals.push({
      at,
      code: 'CAPTURE_REFUSED',
      message: `${basename(at.file)}:${at.line}:${at.column} ${name} ${why}`,
      hint,
    })
  }
  for (const { name, writes } of node.captures)
    if (writes !== undefined)
      refuse(
        writes,
        `assigns to '${name}' outside of it: the change would stay on the node`,
        'return the value, and assign it here',
      )
  if (node.owner !== undefined) refuseMethod(place, node, refuse)
  else if (node.lexical)
    refuse(
      node.lexical.at,
      `uses '${node.lexical.what}' of what is around it, which cannot travel`,
      node.lexical.what === 'this'
        ? 'keep what it needs in a constant: const self = this'
        : 'give what it needs as an argument',
    )
  return refusals
}

function refuseMethod(
  { file }: Place,
  node: FunctionNode,
  refuse: (offset: number, why: string, hint: string) => void,
): void {
  if (node.kind !== 'method')
    refuse(node.start, `is a ${node.kind}`, 'put @cluster on a method, or use cluster(options, fn)')
  if (node.isPrivate || node.name === '')
    refuse(node.start, 'has no name that finds it from outside', 'give the method a plain name')
  if (file.analysis.functions[node.owner!]!.declared === undefined)
    refuse(
      node.start,
      'belongs to a class inside a function',
      'declare the class at the top level of the file',
    )
}

/** An error of capture or bundling, as a refusal. @throws what is not one of ours */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof FarcallError)) throw error
  const message = error.message.split('\n  hint:')[0]!
  return { code: error.code, message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
}
