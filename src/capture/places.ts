import { CaptureError } from '../core/errors.ts'
import { isNative } from './builtins.ts'
import { type LocateOptions, locate, type Place } from './locate.ts'
import { sourceMissing } from './sources.ts'
import type { CallSite } from './types.ts'

/** Where functions stand does not change: found once, for the life of the function. */
export const places = new WeakMap<Function, Place>()
export const lost = new WeakSet<Function>()

/** @throws CaptureError CAPTURE_REFUSED, CAPTURE_SOURCE_MISSING */
export function placeOf(fn: Function, site: CallSite, options: LocateOptions): Place {
  let place = places.get(fn)
  if (!place) {
    if (isNative(fn)) {
      const bound = fn.name.startsWith('bound ')
      throw new CaptureError(
        'CAPTURE_REFUSED',
        `the function ${fn.name || '(anonymous)'} cannot travel: it is ${bound ? 'bound' : 'native code'}`,
        {
          hint: bound
            ? 'give the function itself, and what it is bound to as an argument'
            : 'call it inside a function of your own',
        },
      )
    }
    place = locate(fn, site, options)
    if (!place) throw sourceMissing(fn.name)
    places.set(fn, place)
  }
  return place
}
