import { systemClock } from '../../core/clock.ts'
import { ConfigError, FarcallError } from '../../core/errors.ts'
import type { PlaceNotification } from '../../core/notification.ts'
import type { Duration } from '../../core/resources.ts'
import { stoppable, unlessStopped } from '../../core/stoppable.ts'
import { endpointsOf, type TellOptions, tellOfPlace } from '../notify/place.ts'
import { settingsFor } from '../options/settings.ts'
import { leaveSession, sessionFor } from '../session/sessions.ts'
import { watchPace } from '../session/watch-pace.ts'
import { type ClusterResources, type ResourcesSeen, resourcesOf } from './place-resources.ts'
import { resourcesText } from './place-text.ts'

/** Options of `watchResources`. */
export interface WatchResourcesOptions extends TellOptions {
  /** Default: the configuration's profile. */
  profile?: string
  /** A partition or queue, or several with commas between; default: all that you may see. */
  partition?: string
  /** Tells only when a partition comes to have so many free GPUs, and when none has them any more. */
  minGpus?: number
  /** Between two questions; default, and least: `queryInterval` of the profile. */
  interval?: Duration
  /** Ends it. */
  signal?: AbortSignal
  /** Told of what keeps the cluster from answering for a while; it is asked again. */
  onTrouble?: (error: FarcallError) => void
  /** Called with what the loop is given, as text and facts. */
  onResources?: (notification: PlaceNotification) => unknown
}

/**
 * What there is to run on, at once and then whenever it has changed. All that watch one profile in this program share its
 * questions to the scheduler. It ends with its signal, or with the loop.
 *
 * @throws (by rejecting) ConfigError OPTION_INVALID for an `interval` below the profile's `queryInterval`, and for more
 * GPUs than any partition has; FarcallError COMMAND_FAILED, REQUEST_FORBIDDEN, SCHEDULER_MISSING; TransportError
 * @example
 * import { watchResources } from 'farcall'
 *
 * async function whenFree(gpus: number, profile: string) {
 *   for await (const { enough, partitions } of watchResources({ profile, minGpus: gpus }))
 *     if (enough) return partitions.find((one) => (one.gpus?.free ?? 0) >= gpus)?.name
 *   return undefined
 * }
 */
export function watchResources(
  options: WatchResourcesOptions = {},
): AsyncGenerator<ResourcesSeen, void, void> {
  return stoppable(options.signal, (stop) => watch(options, stop))
}

async function* watch(
  { profile, partition, minGpus, interval, onTrouble, onResources, ...telling }: WatchResourcesOptions,
  stop: AbortSignal,
): AsyncGenerator<ResourcesSeen, void, void> {
  if (minGpus !== undefined && !(Number.isSafeInteger(minGpus) && minGpus > 0))
    throw new ConfigError('OPTION_INVALID', `minGpus: expected a number from 1, got ${String(minGpus)}`)
  const settings = await settingsFor(profile)
  const intervalMs = watchPace(settings, interval)
  const session = await sessionFor(settings.profile)
  session.guests++
  try {
    let told: string | undefined
    while (!stop.aborted) {
      const asked = systemClock.now()
      let dueMs = asked + intervalMs
      try {
        const now = await unlessStopped(
          resourcesOf(session, settings.name, partition === undefined ? {} : { partition }),
          stop,
        )
        if (!now) return
        dueMs = now.time + intervalMs
        const seen: ResourcesSeen = minGpus === undefined ? now : { ...now, enough: hasFree(now, minGpus) }
        const news = minGpus === undefined ? JSON.stringify([now.partitions, now.notes]) : String(seen.enough)
        if (news !== told) {
          const text = resourcesText(seen, minGpus)
          const { name } = settings
          const notification = {
            event: 'resources',
            profile: name,
            time: seen.time,
            text,
            facts: seen,
          } as const
          await tellOfPlace(notification, {
            notify: await endpointsOf(telling, name),
            ...(onResources && { onResources }),
          })
          yield seen
        }
        told = news
      } catch (error) {
        const passes = error instanceof FarcallError && error.transient
        if (told === undefined || !passes) throw error
        await onTrouble?.(error)
      }
      await systemClock.sleep(Math.max(0, dueMs - systemClock.now()), stop)
    }
  } finally {
    await leaveSession(session)
  }
}

/** @throws ConfigError OPTION_INVALID when it never can */
function hasFree({ partitions }: ClusterResources, minGpus: number): boolean {
  if (partitions.some(({ gpus }) => (gpus?.free ?? 0) >= minGpus)) return true
  const most = Math.max(0, ...partitions.map(({ gpus }) => gpus?.total ?? 0))
  if (most >= minGpus) return false
  throw new ConfigError(
    'OPTION_INVALID',
    `minGpus: ${minGpus} are never free: ${most === 0 ? 'no partition here tells of any' : `the most that a partition has is ${most}`}`,
    { hint: 'cluster.resources() and `farcall resources` list them' },
  )
}
