const words = (text: string) => new Set(text.trim().split(/\s+/))

/** Methods that change what they are called on, of whatever class. */
const mutators = words(`
  push pop shift unshift splice sort reverse fill copyWithin set add delete clear append insert remove write
  setFullYear setMonth setDate setHours setMinutes setSeconds setTime next return throw
`)

/** Methods of the language's own classes that change nothing. */
const readers = words(`
  map filter reduce reduceRight forEach some every find findIndex findLast findLastIndex includes indexOf lastIndexOf
  slice concat flat flatMap join at keys values entries toSorted toReversed toSpliced with
  has get size subarray
  charAt charCodeAt codePointAt split trim trimStart trimEnd toUpperCase toLowerCase padStart padEnd repeat startsWith
  endsWith replace replaceAll match matchAll search normalize localeCompare substring substr
  toFixed toPrecision toExponential toString toLocaleString valueOf toISOString toJSON
  getTime getFullYear getMonth getDate getDay getHours getMinutes getSeconds getMilliseconds
  then catch finally hasOwnProperty isPrototypeOf
  union intersection difference symmetricDifference isSubsetOf isSupersetOf isDisjointFrom
`)

/** Readers, and what they are given to call, by its place among the arguments. */
const callers: Record<string, number> = { replace: 1, replaceAll: 1 }
for (const name of words(`
  map filter reduce reduceRight forEach some every find findIndex findLast findLastIndex flatMap sort toSorted then catch finally
`))
  callers[name] = 0

/** Which argument a method or function calls: of map the first one. */
export function calledArgument(name: string): number | undefined {
  if (/^(Array\.from|Map\.groupBy|Object\.groupBy|Array\.fromAsync)$/.test(name)) return 1
  return Object.hasOwn(callers, name) ? callers[name] : undefined
}

export const isMutator = (name: string): boolean => mutators.has(name)
export const isReader = (name: string): boolean => readers.has(name)

const pureObjects = words(`
  Math JSON Number String Boolean BigInt Array Object Symbol Promise Intl Date RegExp Map Set WeakMap WeakSet
  Error TypeError RangeError SyntaxError AggregateError URL URLSearchParams TextEncoder TextDecoder Buffer ArrayBuffer DataView
  Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array
  BigInt64Array BigUint64Array SharedArrayBuffer AbortController AbortSignal performance
`)
const pureFunctions = words(`
  parseInt parseFloat isNaN isFinite structuredClone encodeURIComponent decodeURIComponent encodeURI decodeURI atob btoa
`)
const changing = words(`
  Object.assign Object.defineProperty Object.defineProperties Object.setPrototypeOf Object.freeze Object.seal
  Reflect.set Reflect.defineProperty Reflect.deleteProperty Reflect.setPrototypeOf
`)

export type GlobalEffect = 'pure' | 'changes' | 'unknown' | { readonly why: string; readonly strict: boolean }

/** What a call of a global function does: 'Math.max', 'fetch'. */
export function globalEffect(name: string): GlobalEffect {
  const [object = '', method] = name.split('.')
  if (changing.has(name)) return 'changes'
  if (name === 'Math.random' || name === 'crypto.randomUUID' || name === 'crypto.getRandomValues')
    return { why: 'each run draws other numbers, split or not', strict: false }
  if (object === 'console') return { why: 'lines of different turns come in another order', strict: false }
  if (object === 'fetch' || object === 'process')
    return { why: 'what is outside of the program is not looked at', strict: true }
  if (/^(setTimeout|setImmediate|queueMicrotask|clearTimeout|setInterval|clearInterval)$/.test(object))
    return { why: 'what runs later must end before its turn does', strict: true }
  if (method === undefined ? pureFunctions.has(object) || pureObjects.has(object) : pureObjects.has(object))
    return 'pure'
  return 'unknown'
}
