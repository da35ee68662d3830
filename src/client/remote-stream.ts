import type { ChainedList } from './chained.ts'
import type { JobStream } from './job/job-stream.ts'
import type { ClusterOptions } from './options/options.ts'

/**
 * A generator function that runs on the cluster when it is called; `cluster(function* …)` makes one.
 * @example
 * import { cluster, type RemoteStream } from 'farcall'
 *
 * const count: RemoteStream<[to: number], number, string> = cluster(function* (to: number) {
 *   for (let n = 0; n < to; n++) yield n
 *   return 'done'
 * })
 * for await (const n of count(3)) console.log(n)
 */
export interface RemoteStream<A extends unknown[], Y, R> {
  /** Runs it there, at once; what it yields is read by `for await`. A job that is given as an argument is its value there. */
  (...args: ChainedList<A>): JobStream<Y, R>
  (...args: A): JobStream<Y, R>
  /** Runs it here, as if farcall were not there: the generator itself. */
  local(...args: A): AsyncGenerator<Y, R, void> | Generator<Y, R, void>
  /** The same function with other options on top of its own. */
  with(options: ClusterOptions): RemoteStream<A, Y, R>
  /** The script that would be submitted. Nothing is sent. */
  script(...args: ChainedList<A>): Promise<string>
}

/** What a function with this return type gives away bit by bit: its values, and what it returns; false: nothing (without strictNullChecks, undefined would be any pair). */
export type Streamed<R> = 0 extends 1 & R
  ? false
  : [R] extends [never]
    ? false
    : [R] extends [AsyncIterator<infer Y, infer T, infer N>]
      ? Taking<N, Y, T>
      : [R] extends [AsyncIterable<infer Y>]
        ? [Y, unknown]
        : [R] extends [Iterator<infer Y, infer T, infer N>]
          ? Taking<N, Awaited<Y>, Awaited<T>>
          : false

/** A value cannot be sent into a function that runs elsewhere: `yield` gives it undefined. */
type Taking<N, Y, T> = undefined extends N ? [Y, T] : never
