import { CaptureError } from '../core/errors.ts'
import type { Declaration } from './analysis.ts'
import { evaluatesCells } from './deno.ts'
import { currentValue, type Part } from './part.ts'
import { staticPrivates } from './privates.ts'
import { placeName } from './sources.ts'
import { travelsPlainly } from './values.ts'

/** What a function or class instance holds; undefined: it cannot travel. */
export type Contents = (value: object) => readonly unknown[] | undefined

/** The variables' current values, when they go along as data; undefined: the source says what they are. */
export function valuesOf(
  part: Part,
  declaration: Declaration,
  isNeeded: (name: string) => boolean,
  contents: Contents,
): Record<string, unknown> | undefined {
  const { kind, fn, literal, still, mutated, names } = declaration
  const reassigned = declaration.reassigned || mayChangeElsewhere(part, declaration)
  if (kind !== 'variable' || ((fn !== undefined || literal) && !reassigned)) return undefined
  const values: Record<string, unknown> = {}
  for (const name of names) {
    // a name of a pattern that no function uses is optimised away
    const found = currentValue(part, name)
    if (!found && isNeeded(name)) {
      // without scopes nothing runs: it is only looked at
      if (declaration.reassigned && part.scopes.length > 0) refuseUnreadable(part, declaration, name)
      return undefined
    }
    if (!found) continue
    // an object of functions: its source is the cheaper way, unless something was put in later
    const held = (value: object) =>
      typeof value !== 'function' || mutated || !still ? contents(value) : undefined
    if (!reassigned && !travelsPlainly(found.value, held)) return undefined
    values[name] = found.value
  }
  return Object.keys(values).length > 0 ? values : undefined
}

/** Its initialiser is not what it is, or was when something was made of it. V8 drops what no function uses. */
function refuseUnreadable({ file }: Part, { start }: Declaration, name: string): never {
  throw new CaptureError(
    'CAPTURE_REFUSED',
    `${placeName(file, start)} '${name}' is assigned to after its declaration, and cannot be read any more`,
    { hint: 'declare it with const, and its whole value' },
  )
}

/** A later cell may have assigned what this one declares. */
function mayChangeElsewhere({ file }: Part, { statement }: Declaration): boolean {
  return (
    evaluatesCells && statement !== undefined && /^(let|var)\b/.test(file.text.slice(...statement.keyword))
  )
}

/**
 * Static fields of a class, and what was put on a function, as they are now. Static fields that cannot
 * travel begin on the node as in the source.
 */
export function readStatics(part: Part, name: string, contents: Contents): void {
  const type = currentValue(part, name)?.value
  if (typeof type !== 'function') return
  const isClass = /^class\b/.test(Function.prototype.toString.call(type))
  const statics: Record<string, unknown> = {}
  for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
    if (!descriptor.enumerable || !('value' in descriptor)) continue
    // functions of a class are in its source; a function's own were put there later
    const held = (value: object) => (isClass && typeof value === 'function' ? undefined : contents(value))
    if (!isClass || travelsPlainly(descriptor.value, held)) statics[key] = descriptor.value
  }
  if (Object.keys(statics).length > 0) part.statics[name] = statics
  const node = part.file.analysis.functions.find((f) => f.declared === name)
  const privates: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node ? staticPrivates(type, node, part.file) : {}))
    if (travelsPlainly(value, (held) => (typeof held === 'function' ? undefined : contents(held))))
      privates[key] = value
  if (Object.keys(privates).length > 0) part.staticPrivates[name] = privates
}
