/** Inside a job the runtime has the real ones, which the bundle's 'farcall' calls; these are what runs here. */

/**
 * Saves the state of a call while it runs: a later attempt of the same call (a retry, or a requeue by the scheduler)
 * gets the last one whole from `lastCheckpoint`. Written at once and to the disk, so save as often as losing the work
 * since would hurt, not in every turn of a short loop. Once the warning of `signal` has come, and there will be
 * another attempt, it does not return: the attempt ends there, without `finally`, and is run again. Outside of a job
 * it does nothing.
 *
 * @throws CaptureError VALUE_REFUSED for what cannot travel
 * @example
 * import { checkpoint, cluster, lastCheckpoint } from 'farcall'
 *
 * const sum = cluster({ retry: 3 }, (steps: number) => {
 *   let { step, total } = lastCheckpoint<{ step: number; total: number }>() ?? { step: 0, total: 0 }
 *   while (step < steps) {
 *     total += Math.sqrt(++step)
 *     if (step % 1000 === 0) checkpoint({ step, total })
 *   }
 *   return total
 * })
 * console.log(await sum(5000))
 */
export function checkpoint(_state: unknown): void {}

/**
 * What this call last gave to `checkpoint`, in this attempt or an earlier one; undefined when there is none, and
 * always outside of a job.
 *
 * @example
 * import { cluster, lastCheckpoint } from 'farcall'
 *
 * const resume = cluster(() => lastCheckpoint<number>() ?? 0)
 * console.log(await resume.local())
 */
export function lastCheckpoint<T>(): T | undefined {
  return undefined
}

/**
 * Calls `save` when the scheduler warns of the time limit (`signal: 'USR1@90'`: 90 seconds before it) or ends the job
 * to make room. What it returns is saved as by `checkpoint` (undefined: nothing). Then the attempt ends and is run
 * again, by the scheduler with `requeue: true`, else as one of the `retry` tries; where there is neither, the function
 * goes on to its limit. A loop that never waits hears of it by `warned` and at its next `checkpoint` only.
 *
 * @example
 * import { cluster, lastCheckpoint, onWarning } from 'farcall'
 *
 * const wait = cluster({ time: '1h', signal: 'USR1@90', retry: 5 }, async (turns: number) => {
 *   let turn = lastCheckpoint<number>() ?? 0
 *   onWarning(() => turn)
 *   for (; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
 *   return turn
 * })
 * console.log(await wait(10))
 */
export function onWarning(_save: () => unknown): void {}

/**
 * Whether the warning of `signal` has come. For loops that never wait: `if (warned()) checkpoint(state)`. Always
 * false outside of a job.
 *
 * @example
 * import { checkpoint, cluster, lastCheckpoint, warned } from 'farcall'
 *
 * const count = cluster({ time: '1h', signal: 'USR1@90', retry: 5 }, (to: number) => {
 *   let n = lastCheckpoint<number>() ?? 0
 *   for (; n < to; n++) if (n % 1000 === 0 && warned()) checkpoint(n)
 *   return n
 * })
 * console.log(await count(10_000))
 */
export function warned(): boolean {
  return false
}
