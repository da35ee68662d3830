import type { Clock } from '../core/clock.ts'
import type { Profile } from '../core/profile.ts'
import { findScheduler } from '../scheduler/all.ts'
import { openTransport } from '../transport/open.ts'
import { BatchExecutor } from './batch/batch-executor.ts'
import type { Executor } from './executor.ts'

/** The executor that a profile names; nothing is connected before its first use. @throws ConfigError */
export function openExecutor(profile: Profile, clock: Clock, random = Math.random): Executor {
  const scheduler = findScheduler(profile.scheduler)
  return new BatchExecutor({ profile, scheduler, transport: openTransport(profile), clock, random })
}
