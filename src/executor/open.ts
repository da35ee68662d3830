import type { Clock } from '../core/clock.ts'
import { type Profile, unnamedScheduler } from '../core/profile.ts'
import { findScheduler } from '../scheduler/all.ts'
import { openTransport } from '../transport/open.ts'
import type { Transport } from '../transport/transport.ts'
import { BatchExecutor } from './batch/batch-executor.ts'
import type { Executor } from './executor.ts'
import { thisMachine } from './interpreter/provide.ts'
import { KubernetesExecutor } from './kubernetes/kubernetes-executor.ts'
import { isKubernetes } from './kubernetes/name.ts'
import { LearnedLimits } from './learned-limits.ts'

let wrap = (transport: Transport): Transport => transport

/** All transports opened from now on are what this makes of them: to see, delay or break what is done there. @internal */
export function wrapTransports(wrapper: (transport: Transport) => Transport): void {
  wrap = wrapper
}

/** That there is an executor for it; 'auto' is found out there. @throws ConfigError SCHEDULER_UNKNOWN */
export function requireScheduler(name: string): void {
  if (name !== unnamedScheduler && !isKubernetes(name)) findScheduler(name)
}

/**
 * The executor that a profile names; nothing is connected before its first use.
 * @param cacheDir where it keeps what it learns of the place's limits, and the Node that it sends to machines without one;
 * without it none is sent
 * @throws ConfigError
 */
export function openExecutor(
  profile: Profile,
  clock: Clock,
  cacheDir?: string,
  random = Math.random,
): Executor {
  if (isKubernetes(profile.scheduler)) return new KubernetesExecutor({ profile, clock, random })
  const scheduler = findScheduler(profile.scheduler)
  const transport = wrap(openTransport(profile))
  const kept =
    cacheDir === undefined
      ? {}
      : { provider: thisMachine(cacheDir), learned: new LearnedLimits(cacheDir, profile) }
  return new BatchExecutor({ profile, scheduler, transport, clock, random, ...kept })
}
