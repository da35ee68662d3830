/** Whether and when a call that failed is tried again. Pure: time and randomness come in as arguments. */
import { ConfigError } from '../../core/errors.ts'
import type { ResolvedResources } from '../../core/resources.ts'
import type { RetryPolicy, RetryReason } from '../../core/retry-policy.ts'
import type { JobStatus } from '../../core/status.ts'

/** `retried`: how many retries there have been. `requeue`: the function itself asked for it. */
export function isTriedAgain(
  policy: RetryPolicy,
  retried: number,
  status: JobStatus,
  requeue: boolean,
): boolean {
  if (status.state !== 'FAILED' || retried >= policy.retries) return false
  return requeue || policy.on.includes(status.reason as RetryReason)
}

/** Milliseconds before retry number `retry`, from 1. Exponential ones are spread over their upper half. */
export function delayBefore(policy: RetryPolicy, retry: number, random: () => number): number {
  const { backoff, baseMs, capMs } = policy
  if (backoff === 'fixed') return Math.min(capMs, baseMs)
  const ceiling = Math.min(capMs, baseMs * 2 ** (retry - 1))
  return ceiling / 2 + (random() * ceiling) / 2
}

/** What the next try asks for, after one with these resources ended for these reasons. */
export function escalated(
  resources: ResolvedResources,
  policy: RetryPolicy,
  reasons: ReadonlySet<JobStatus['reason']>,
): ResolvedResources {
  const { memory, time } = policy.escalate
  const more: { memoryBytes?: number; timeSeconds?: number } = {}
  if (memory && resources.memoryBytes && reasons.has('out-of-memory'))
    more.memoryBytes = upTo(resources.memoryBytes * memory)
  if (time && resources.timeSeconds && reasons.has('timeout'))
    more.timeSeconds = upTo(resources.timeSeconds * time)
  return { ...resources, ...more }
}

/** What is too much for any scheduler is still a number that can be written down. */
const upTo = (amount: number) => Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(amount))

/** @throws ConfigError OPTION_INVALID for a factor of what was not asked for */
export function requireBase(policy: RetryPolicy, resources: ResolvedResources): void {
  const missing =
    policy.escalate.memory && resources.memoryBytes === undefined
      ? 'memory'
      : policy.escalate.time && resources.timeSeconds === undefined
        ? 'time'
        : undefined
  if (!missing || policy.retries === 0) return
  const example = missing === 'memory' ? "memory: '4GB'" : "time: '1h'"
  throw new ConfigError('OPTION_INVALID', `retry.escalate.${missing}: the job asks for no ${missing}`, {
    hint: `say what the first try is granted: ${example}`,
  })
}
