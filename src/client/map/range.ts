/**
 * Whole numbers, as Python's `range`: from 0 or `start` up to `stop`, which is not among them, in steps of `step`.
 * @throws RangeError when `step` is 0
 * @example
 * import { cluster, range } from 'farcall'
 *
 * const squares = await cluster((n: number) => n * n).map(range(5))
 * console.log(squares, range(10, 0, -2)) // [0, 1, 4, 9, 16] [10, 8, 6, 4, 2]
 */
export function range(stop: number): number[]
export function range(start: number, stop: number, step?: number): number[]
export function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second]
  if (step === 0 || !Number.isFinite(step)) throw new RangeError(`range: the step is ${step}`)
  const count = Math.max(0, Math.ceil((stop - start) / step))
  return Array.from({ length: count }, (_, at) => start + at * step)
}
