/** Whether an array or typed array has properties beside its elements, without listing every index. */
import { inspect } from 'node:util'

// Object.keys of a million elements makes a million strings; inspect asks V8 for the others alone.
const inspectOptions = {
  depth: 0,
  maxArrayLength: 0,
  maxStringLength: 0,
  breakLength: Number.POSITIVE_INFINITY,
  compact: true,
  customInspect: false,
  colors: false,
} as const

export function hasExtraProperties(value: ArrayLike<unknown> & object): boolean {
  const isArray = Array.isArray(value)
  if (value.length > 64) {
    const text = inspect(value, { ...inspectOptions, showHidden: isArray })
    if (isArray ? /more items?, \[length\]: \d+ \]$/.test(text) : /more items? \]$/.test(text)) return false
  }
  if (Object.getOwnPropertySymbols(value).length > 0) return true
  // Small ones, and a wording of inspect's that we do not know.
  return isArray
    ? Object.getOwnPropertyNames(value).length !== value.length + 1
    : Object.keys(value).length !== value.length
}
