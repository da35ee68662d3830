import type { Clock } from '../core/clock.ts'
import type { Profile } from '../core/profile.ts'
import { findScheduler } from '../scheduler/all.ts'
import { openTransport } from '../transport/open.ts'
import type { Transport } from '../transport/transport.ts'
import { BatchExecutor } from './batch/batch-executor.ts'
import type { Executor } from './executor.ts'

let wrap = (transport: Transport): Transport => transport

/** All transports opened from now on are what this makes of them: to see, delay or break what is done there. @internal */
export function wrapTransports(wrapper: (transport: Transport) => Transport): void {
  wrap = wrapper
}

/** The executor that a profile names; nothing is connected before its first use. @throws ConfigError */
export function openExecutor(profile: Profile, clock: Clock, random = Math.random): Executor {
  const scheduler = findScheduler(profile.scheduler)
  return new BatchExecutor({ profile, scheduler, transport: wrap(openTransport(profile)), clock, random })
}
