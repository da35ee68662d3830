import { CaptureError } from '../core/errors.ts'
import type { Scope } from './inspect.ts'
import { nodeOf, type Place } from './locate.ts'
import { places } from './places.ts'
import { refuse } from './refusals.ts'
import { runningName } from './renamed.ts'
import { placeName } from './sources.ts'

/** The captured variables' values, by name, as they are now. */
export function readCaptures(place: Place, scopes: readonly Scope[]): Record<string, unknown> {
  const env: Record<string, unknown> = {}
  for (const capture of nodeOf(place).captures) {
    const name = runningName(place.file, capture.name, [capture.at]) ?? ''
    const scope = scopes.find((s) => s.description !== 'Global' && Object.hasOwn(s.object, name))
    if (!scope) {
      if (capture.literal !== undefined) continue
      refuse(place, {
        at: capture.at,
        why: `captured '${capture.name}', whose value cannot be read`,
        hint: 'give it as an argument',
      })
    }
    const value = scope!.object[name]
    env[capture.name] = value
    if (typeof value === 'function' && capture.fn !== undefined)
      places.set(value, { file: place.file, fn: capture.fn })
  }
  return env
}

/** The root of what is encoded at the snapshot: paths in errors begin with it. */
export const captured = 'captured'

/** "captured.env.socket: why" becomes "study.ts:26:17 captured 'socket': why". */
export function atCapture(error: unknown, main: Place): unknown {
  if (!(error instanceof CaptureError) || error.code !== 'VALUE_REFUSED') return error
  const [first = ''] = error.message.split('\n')
  const match = /^captured\.(?:env|modules(?:\.[\w$]+|\["[^"]*"\]))\.([\p{ID_Continue}$]+)(.*)$/u.exec(first)
  // without a map, what was compiled is what is read: there #x is a WeakMap (a method: a WeakSet) named _x
  const lowered = match && /^_/.test(match[1]!) && /: a Weak(?:Map|Set) cannot travel$/.test(match[2]!)
  const hint = lowered
    ? 'if a compiler made it of a #private member, build with source maps (sourcemap: true), or for ES2022 or later'
    : error.hint
  const options = { cause: error, ...(hint === undefined ? {} : { hint }) }
  if (!match) return new CaptureError('CAPTURE_REFUSED', first, options)
  const [, name, rest] = match
  const use = nodeOf(main).captures.find((c) => c.name === name)
  const at = placeName(main.file, use?.at ?? nodeOf(main).start)
  return new CaptureError('CAPTURE_REFUSED', `${at} captured '${name}'${rest}`, options)
}
