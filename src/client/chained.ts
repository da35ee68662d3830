import type { Job } from './job/job.ts'
import type { JobArray } from './job/job-array.ts'

type Whole =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Function
  | Date
  | RegExp
  | Error
  | URL
  | ArrayBuffer
  | ArrayBufferView
  | Promise<unknown>
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>

/**
 * What may be given for an argument of type T: a value, or a job that gives it, which is then not waited for here. A
 * map may stand for an array. Both may also stand inside arrays and objects.
 * @example
 * import { type Chained, cluster } from 'farcall'
 *
 * const half = cluster((n: number) => n / 2)
 * const add = cluster((pair: { a: number; b: number }) => pair.a + pair.b)
 * const pair: Chained<{ a: number; b: number }> = { a: half(10), b: 1 }
 * console.log(await add(pair)) // 6
 */
export type Chained<T> =
  | T
  | Job<T>
  | (T extends readonly (infer E)[] ? JobArray<E> : never)
  | (T extends Whole ? never : { [K in keyof T]: Chained<T[K]> })

/** A list of arguments, each of which may be a job. */
export type ChainedList<A extends unknown[]> = { [K in keyof A]: Chained<A[K]> }
