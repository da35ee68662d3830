import { CaptureError } from '../core/errors.ts'
import { isCellPath } from './cells/names.ts'
import { evaluatesCells } from './deno.ts'
import { nodeOf, type Place } from './locate.ts'
import { placeName } from './sources.ts'

/**
 * The node gets a class as its text has it: one whose methods something replaced afterwards would run otherwise there.
 * Decorators that the text shows run again there.
 *
 * @throws CaptureError CAPTURE_REFUSED
 */
export function refusePatched(type: Function, place: Place): void {
  const node = nodeOf(place)
  if (node.kind !== 'class' || node.decorated) return
  const text = Function.prototype.toString.call(type)
  // A compiler made a function of it, whose methods all come afterwards.
  if (!/^class\b/.test(text)) return
  // It changes itself, and does so there.
  if (/\bstatic\s*\{/.test(text) && text.includes('.prototype')) return
  const key = patchedMember(type.prototype, text, true) ?? patchedMember(type, text, false)
  if (key === undefined) return
  throw new CaptureError(
    'CAPTURE_REFUSED',
    `${placeName(place.file, node.start)} '${node.name || node.label}' was changed after its definition: its text says nothing of this '${String(key)}'`,
    { hint: hintFor(place.file.path) },
  )
}

function hintFor(path: string): string {
  const write = 'write it into the class'
  if (!/\.[cm]?jsx?$/.test(path)) return write
  if (evaluatesCells && /[\\/](evaluated|<anonymous>)-\d+\.js$/.test(path))
    return `import the class from a file, since Deno leaves no decorators in cells; else ${write}`
  return isCellPath(path)
    ? `import farcall in the first cell, so that decorators are seen; else ${write}`
    : `JavaScript shows no decorators: compile with source maps, into a folder of its own; else ${write}`
}

/** Of a class itself only methods: its fields travel as they are. */
function patchedMember(holder: object, text: string, all: boolean): string | symbol | undefined {
  const isOwn = (value: unknown) =>
    value === undefined ||
    (typeof value === 'function' &&
      (Object.hasOwn(value, Symbol.for('farcall.target')) ||
        text.includes(Function.prototype.toString.call(value))))
  return Reflect.ownKeys(holder).find((key) => {
    if (key === 'constructor' || key === 'prototype' || (!all && (key === 'name' || key === 'length')))
      return false
    const { value, get, set, enumerable } = Reflect.getOwnPropertyDescriptor(holder, key)!
    return (all || !enumerable) && !(isOwn(value) && isOwn(get) && isOwn(set))
  })
}
