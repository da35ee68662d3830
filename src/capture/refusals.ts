import { CaptureError } from '../core/errors.ts'
import { evaluatesCells } from './deno.ts'
import { nodeOf, type Place } from './locate.ts'
import { placeName } from './sources.ts'

/** Why a function cannot travel, and the way out. The name of the function goes before `why`. */
export interface Objection {
  /** Offset in the text of its file. */
  readonly at: number
  readonly why: string
  readonly hint: string
}

/** @throws CaptureError CAPTURE_REFUSED, always */
export function refuse(place: Place, objection: Objection): never {
  throw new CaptureError('CAPTURE_REFUSED', wordsOf(place, objection), { hint: objection.hint })
}

/** 'study.ts:26:17 simulate uses …' */
export function wordsOf(place: Place, { at, why }: Objection): string {
  const { name, label } = nodeOf(place)
  return `${placeName(place.file, at)} ${name || label || 'the function'} ${why}`
}

/** What the text alone says against the function that is to run there. */
export function objectionsTo(place: Place): Objection[] {
  const node = nodeOf(place)
  const assigned = node.captures.flatMap(({ name, writes }) =>
    writes === undefined
      ? []
      : [
          {
            at: writes,
            why: `assigns to '${name}' outside of it: the change would stay on the node`,
            hint: 'return the value, and assign it here',
          },
        ],
  )
  return [
    ...assigned,
    ...moduleObjections(place),
    ...(node.owner === undefined ? lexicalObjections(place) : methodObjections(place)),
  ]
}

/**
 * A function that the module declares keeps its module around it there, with a copy of the variable. One that is
 * written as an argument of cluster() stands by itself, and imports what it names.
 */
function moduleObjections(place: Place): Objection[] {
  const { kind, declared, assigns = [] } = nodeOf(place)
  if (declared !== undefined || kind === 'method') return []
  const { declarations, globals } = place.file.analysis
  const own = new Set([...declarations.flatMap(({ names }) => names), ...globals])
  return assigns
    .filter(({ name }) => own.has(name))
    .map(({ name, at }) => ({
      at,
      why: `assigns to '${name}' outside of it: the change would stay on the node`,
      hint: `return the value, and assign it here; if it is for the node only, assign it in a function that this one calls`,
    }))
}

/** What the text says against a function that localMap is to run in other threads. */
export function threadObjections(place: Place): Objection[] {
  const assigned = nodeOf(place).captures.flatMap(({ name, writes }) =>
    writes === undefined
      ? []
      : [
          {
            at: writes,
            why: `assigns to '${name}' outside of it: the change would stay in its thread`,
            hint: 'return the value, and assign it after localMap',
          },
        ],
  )
  return [...assigned, ...lexicalObjections(place)]
}

/** What is around an arrow and no variable: a copy of it elsewhere cannot have that. */
export function lexicalObjections(place: Place): Objection[] {
  const { lexical } = nodeOf(place)
  if (!lexical) return []
  const hint =
    lexical.what === 'this'
      ? 'keep what it needs in a constant: const self = this'
      : 'give what it needs as an argument'
  return [{ at: lexical.at, why: `uses '${lexical.what}' of what is around it, which cannot travel`, hint }]
}

function methodObjections(place: Place): Objection[] {
  const { kind, owner, isPrivate, name, start: at } = nodeOf(place)
  const found: Objection[] = []
  if (evaluatesCells && place.file.text.includes('_apply_decs_2203_r'))
    found.push({
      at,
      why: 'was compiled by Deno, which leaves no decorators that could be told from code',
      hint: 'use cluster(options, fn) in a cell, or import the class from a file',
    })
  if (kind !== 'method')
    found.push({ at, why: `is a ${kind}`, hint: 'put @cluster on a method, or use cluster(options, fn)' })
  if (isPrivate || name === '')
    found.push({ at, why: 'has no name that finds it from outside', hint: 'give the method a plain name' })
  if (place.file.analysis.functions[owner!]!.declared === undefined)
    found.push({
      at,
      why: 'belongs to a class inside a function',
      hint: 'declare the class at the top level of the file',
    })
  return found
}
