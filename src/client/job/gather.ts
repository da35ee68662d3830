import { firstLine, named } from './results.ts'

/**
 * Awaits jobs, arrays of jobs and plain values together: their values, in the order given. As `Promise.all`, but it
 * waits until each has ended: no result is thrown away unseen, and all failures are told.
 *
 * @throws (by rejecting) AggregateError of what failed; each error has the `index` of its job among those given
 * @example
 * import { cluster, gather } from 'farcall'
 *
 * const square = cluster((n: number) => n * n)
 * const [nine, many, offset] = await gather([square(3), square.map([1, 2]), 10])
 * console.log(nine, many, offset) // 9 [1, 4] 10
 */
export function gather<T extends readonly unknown[] | []>(
  jobs: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>
export function gather<T>(jobs: Iterable<T>): Promise<Awaited<T>[]>
export async function gather(jobs: Iterable<unknown>): Promise<unknown[]> {
  const ends = await Promise.allSettled(jobs)
  const errors = ends.flatMap((end, index) =>
    end.status === 'rejected' ? [named(end.reason, index, undefined)] : [],
  )
  if (errors.length === 0) return ends.map((end) => (end as PromiseFulfilledResult<unknown>).value)
  throw new AggregateError(
    errors,
    `${errors.length} of ${ends.length} failed; the first: ${firstLine(errors[0])}`,
  )
}
