import { systemClock } from '../../core/clock.ts'
import { FarcallError } from '../../core/errors.ts'
import type { PlaceNotification } from '../../core/notification.ts'
import type { Duration } from '../../core/resources.ts'
import { isFinal, type JobState } from '../../core/status.ts'
import { stoppable, unlessStopped } from '../../core/stoppable.ts'
import { endpointsOf, type TellOptions, tellOfPlace } from '../notify/place.ts'
import { settingsFor } from '../options/settings.ts'
import type { Session } from '../session/session.ts'
import { leaveSession, sessionFor } from '../session/sessions.ts'
import { queryMs, watchPace } from '../session/watch-pace.ts'
import { recorderOf } from '../submission/recorder.ts'
import {
  type ClusterQueue,
  type PlaceReport,
  type QueueCounts,
  queueOf,
  resourcesOf,
} from './place-resources.ts'
import { reportText } from './place-text.ts'

/** Options of `watchReports`. */
export interface WatchReportsOptions extends TellOptions {
  readonly profile?: string
  /** Between two reports. */
  readonly every: Duration
  readonly signal?: AbortSignal
  /** Told of a report that could not be made. */
  readonly onTrouble?: (error: FarcallError) => void
  /** Called with each report, as text and facts. */
  readonly onReport?: (notification: PlaceNotification) => unknown
}

/**
 * How a place is, at once and then every so often: what is free, the queue, and one's own jobs. A report that cannot be made
 * is told of, and the next one tried. It ends with its signal, or with the loop.
 * @throws (by rejecting) ConfigError OPTION_INVALID for a time below the profile's `queryInterval`; FarcallError and
 * TransportError when the first cannot be made
 * @example
 * import { watchReports } from 'farcall'
 *
 * async function hourly(profile: string) {
 *   for await (const { queue } of watchReports({ profile, every: '1h', notify: true })) console.log(queue?.waiting)
 * }
 */
export function watchReports(options: WatchReportsOptions): AsyncGenerator<PlaceReport, void, void> {
  return stoppable(options.signal, (stop) => reports(options, stop))
}

async function* reports(
  { profile, every, onTrouble, onReport, ...telling }: WatchReportsOptions,
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
      let dueMs = now + everyMs
      try {
        const made = await unlessStopped(reportOf(session, settings, since), stop)
        if (!made) return
        const { report, asked } = made
        since = now
        // What it tells of was asked for a moment later: the next one would have it again.
        dueMs = Math.max(dueMs, asked + queryMs(settings.profile))
        const { name } = settings
        const text = reportText(report)
        const notification = {
          event: 'report',
          profile: name,
          time: report.time,
          text,
          facts: report,
        } as const
        await tellOfPlace(notification, {
          notify: await endpointsOf(telling, name),
          ...(onReport && { onReport }),
        })
        yield report
        isFirst = false
      } catch (error) {
        if (isFirst || !(error instanceof FarcallError && error.transient)) throw error
        await onTrouble?.(error)
      }
      // A timer may be a millisecond early.
      while (!stop.aborted && systemClock.now() < dueMs)
        await systemClock.sleep(dueMs - systemClock.now(), stop)
    }
  } finally {
    await leaveSession(session)
  }
}

async function reportOf(
  session: Session,
  { name, storeDir }: { name: string; storeDir: string },
  since: number,
): Promise<{ report: PlaceReport; asked: number }> {
  const resources = await resourcesOf(session, name, {})
  const queue = session.executor.queue ? await queueOf(session, name, {}) : undefined
  const report = {
    ...resources,
    ...(queue && { queue: countsOf(queue) }),
    jobs: jobsSince(storeDir, name, since),
    since,
  }
  return { report, asked: Math.max(resources.time, queue?.time ?? 0) }
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
