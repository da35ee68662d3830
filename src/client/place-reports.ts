import { systemClock } from '../core/clock.ts'
import { FarcallError } from '../core/errors.ts'
import type { Duration } from '../core/resources.ts'
import { isFinal, type JobState } from '../core/status.ts'
import { stoppable, unlessStopped } from '../core/stoppable.ts'
import { type ClusterQueue, type ClusterResources, queueOf, resourcesOf } from './place-resources.ts'
import { recorderOf } from './recorder.ts'
import { leaveSession, type Session, sessionFor } from './session.ts'
import { settingsFor } from './settings.ts'
import { watchPace } from './watch-pace.ts'

export interface ReportsOptions {
  readonly profile?: string
  /** Between two reports. */
  readonly every: Duration
  readonly signal?: AbortSignal
  /** Told of a report that could not be made. */
  readonly onTrouble?: (error: FarcallError) => void
}

export interface QueueCounts {
  readonly running: number
  readonly waiting: number
}

/** How a place is, and what became of one's own jobs there. */
export interface PlaceReport extends ClusterResources {
  /** Entries of the queue; absent where there is none. */
  readonly queue?: QueueCounts & { readonly mine: QueueCounts }
  /** Of this machine's record: those under way, and those that have ended since `since`. */
  readonly jobs: Readonly<Partial<Record<JobState, number>>>
  /** Milliseconds since the epoch. */
  readonly since: number
}

/**
 * A report at once, then every so often. One that cannot be made is told of, and the next one tried.
 * @throws (by rejecting) ConfigError OPTION_INVALID for a time below the profile's `queryInterval`
 */
export function placeReports(options: ReportsOptions): AsyncGenerator<PlaceReport, void, void> {
  return stoppable(options.signal, (stop) => reports(options, stop))
}

async function* reports(
  { profile, every, onTrouble }: ReportsOptions,
  stop: AbortSignal,
): AsyncGenerator<PlaceReport, void, void> {
  const settings = await settingsFor(profile)
  const everyMs = watchPace(settings, every)
  const session = await sessionFor(settings.profile)
  session.guests++
  let [isFirst, since] = [true, systemClock.now() - everyMs]
  try {
    while (!stop.aborted) {
      const now = systemClock.now()
      try {
        const report = await unlessStopped(reportOf(session, settings, since), stop)
        if (!report) return
        since = now
        yield report
        isFirst = false
      } catch (error) {
        if (isFirst || !(error instanceof FarcallError && error.transient)) throw error
        onTrouble?.(error)
      }
      await systemClock.sleep(Math.max(0, now + everyMs - systemClock.now()), stop)
    }
  } finally {
    await leaveSession(session)
  }
}

async function reportOf(
  session: Session,
  { name, storeDir }: { name: string; storeDir: string },
  since: number,
): Promise<PlaceReport> {
  const resources = await resourcesOf(session, name, {})
  const queue = session.executor.queue ? await queueOf(session, name, {}) : undefined
  return {
    ...resources,
    ...(queue && { queue: countsOf(queue) }),
    jobs: jobsSince(storeDir, name, since),
    since,
  }
}

function countsOf({ jobs }: ClusterQueue): QueueCounts & { mine: QueueCounts } {
  const count = (some: ClusterQueue['jobs']) => ({
    running: some.filter(({ status }) => status.state === 'ACTIVE').length,
    waiting: some
      .filter(({ status }) => status.state === 'QUEUED')
      .reduce((sum, one) => sum + (one.members ?? 1), 0),
  })
  return { ...count(jobs), mine: count(jobs.filter(({ mine }) => mine)) }
}

const most = 10_000

function jobsSince(storeDir: string, profile: string, since: number): Partial<Record<JobState, number>> {
  const recorder = recorderOf(storeDir)
  recorder.flush()
  const counts: Partial<Record<JobState, number>> = {}
  for (const { status, endedAt = 0 } of recorder.store.list({ profile, maps: true, limit: most }))
    if (!isFinal(status.state) || endedAt >= since) counts[status.state] = (counts[status.state] ?? 0) + 1
  return counts
}
