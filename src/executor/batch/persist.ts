import type { Clock } from '../../core/clock.ts'
import { TransportError } from '../../core/errors.ts'
import { backoffMs } from './backoff.ts'

/** A connection that is gone this long is not only a passing fault. */
const patienceMs = 300_000

export interface Persistence {
  readonly clock: Clock
  readonly random: () => number
  /** Aborts when nobody waits any more. */
  readonly stop: AbortSignal
}

/** `persist` with all but the work given. */
export type Persist = <T>(work: () => Promise<T>) => Promise<T>

/** Repeats what may be done twice for as long as only the connection is at fault; at most five minutes. */
export async function persist<T>(work: () => Promise<T>, { clock, random, stop }: Persistence): Promise<T> {
  const begun = clock.now()
  for (let failures = 1; ; failures++) {
    try {
      return await work()
    } catch (error) {
      const waitMs = backoffMs(failures, random)
      if (!isLostConnection(error) || clock.now() + waitMs - begun > patienceMs) throw error
      await clock.sleep(waitMs, stop)
      if (stop.aborted) throw error
    }
  }
}

function isLostConnection(error: unknown): boolean {
  return (
    error instanceof TransportError &&
    error.transient === true &&
    (error.code === 'CONNECTION_LOST' || error.code === 'HOST_UNREACHABLE')
  )
}
