import type { NotifyEndpoint, PlaceNotification } from '../../core/notification.ts'
import { notifyFor } from '../options/settings.ts'
import { deliver, warnOfNotify } from './outbox.ts'
import { readyTargets } from './telling.ts'

/** Who else is told, beside whoever reads the loop. */
export interface TellOptions {
  /** Servers; `true` are those of the configuration, of the profile or of all. */
  notify?: true | readonly NotifyEndpoint[]
}

/** The endpoints that are meant. @throws ConfigError */
export async function endpointsOf(
  { notify }: TellOptions,
  profile: string,
): Promise<readonly NotifyEndpoint[]> {
  return notify === true ? ((await notifyFor(profile)).notify ?? []) : (notify ?? [])
}

export interface PlaceNotifyOptions {
  /** Servers; an e-mail is a job's, and is passed over here. */
  readonly notify?: readonly NotifyEndpoint[]
  readonly onResources?: (notification: PlaceNotification) => unknown
  readonly onReport?: (notification: PlaceNotification) => unknown
}

/**
 * Tells of a place, whatever `on` says: whoever asked for a report wants it. Resolves when it is on its way; `close()`
 * waits until it has arrived.
 * @throws ConfigError TEMPLATE_INVALID
 */
export async function tellOfPlace(
  notification: PlaceNotification,
  { notify = [], onResources, onReport }: PlaceNotifyOptions,
): Promise<void> {
  const targets = await readyTargets(notify)
  const [name, callback] =
    notification.event === 'report' ? ['onReport', onReport] : ['onResources', onResources]
  void Promise.resolve(notification)
    .then(callback)
    .catch((error) => warnOfNotify(`${name} of ${notification.profile} threw: ${String(error)}`))
  deliver(notification, targets)
}
