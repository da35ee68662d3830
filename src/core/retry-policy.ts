import type { Duration } from './resources.ts'
import type { JobReason } from './status.ts'

/** Why a try can fail. */
export const retryReasons = [
  'exception',
  'exit-code',
  'signal',
  'timeout',
  'out-of-memory',
  'node-failure',
  'preempted',
  'launch-failed',
  'submit-failed',
  'interpreter-missing',
  'lost',
] as const satisfies readonly JobReason[]

/** A reason that a try can fail for; 'exception' is what your own function throws. */
export type RetryReason = (typeof retryReasons)[number]

/**
 * When and how a call that failed is tried again.
 *
 * @example
 * import { cluster, type RetryOptions } from 'farcall'
 *
 * const retry: RetryOptions = { retries: 3, base: '1s', on: ['out-of-memory', 'exception'], escalate: { memory: 2 } }
 * const simulate = cluster({ memory: '1GB', retry }, (seed: number) => Math.sin(seed))
 * console.log(await simulate(42))
 */
export interface RetryOptions {
  /** How many times it may be tried again; default 0. */
  retries?: number
  /** Each wait twice the one before, with jitter, or all alike; default 'exp'. */
  backoff?: 'fixed' | 'exp'
  /** The first wait; a number is seconds; default '2s'. */
  base?: Duration
  /** No wait is longer; a number is seconds; default '60s'. */
  cap?: Duration
  /**
   * Reasons to try again for. Default: what is no fault of yours and may pass ('node-failure', 'preempted',
   * 'launch-failed', 'submit-failed' where it is transient), and what `escalate` gives more of.
   */
  on?: readonly RetryReason[]
  /** Factors: after it ran out of memory or time, each try is granted so many times what the one before was. */
  escalate?: { memory?: number; time?: number }
}

/** The same, complete; travels in the job's spec. */
export interface RetryPolicy {
  readonly retries: number
  readonly backoff: 'fixed' | 'exp'
  readonly baseMs: number
  readonly capMs: number
  readonly on: readonly RetryReason[]
  readonly escalate: { readonly memory?: number; readonly time?: number }
}
