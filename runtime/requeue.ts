import type { JobSpec } from '../src/core/protocol.ts'

/** job.sh asks the scheduler when this file lies in the run's folder. */
export const requeueFile = 'requeue'
export const requeueCode = 99

/** Who starts the next attempt of this member: the scheduler itself, the client by its retries, or nobody. */
export function canRequeue(spec: JobSpec, env: NodeJS.ProcessEnv): 'scheduler' | 'client' | undefined {
  if (spec.resources.requeue && env['FARCALL_REQUEUE']) return 'scheduler'
  return (spec.retry?.retries ?? 0) > (spec.retried ?? 0) ? 'client' : undefined
}
