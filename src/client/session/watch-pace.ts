import { ConfigError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import type { Duration } from '../../core/resources.ts'
import { parseDuration } from '../../core/units.ts'
import type { Settings } from '../options/settings.ts'

/**
 * How long to wait between two questions, milliseconds: what the profile says, or more.
 * @throws ConfigError UNIT_INVALID, OPTION_INVALID for less
 */
export function watchPace(
  { name, profile, sources }: { name: string; profile: Profile; sources?: Settings['sources'] },
  interval: Duration | undefined,
): number {
  const least = queryMs(profile)
  if (interval === undefined) return least
  const asked = 1000 * parseDuration(interval, 'interval')
  if (asked >= least) return asked
  const source = sources?.get('queryInterval')
  const from = !source ? '' : source.kind === 'default' ? ", farcall's own" : `, set in ${source.name}`
  throw new ConfigError(
    'OPTION_INVALID',
    `interval: ${asked / 1000} s is less than profile ${name} lets its scheduler be asked: every ${least / 1000} s (queryInterval${from})`,
    {
      hint: 'login nodes lock out who asks more often; ask less often, or set queryInterval of the profile where the site allows more',
    },
  )
}

/** @throws ConfigError UNIT_INVALID */
export function queryMs({ queryInterval = '10s' }: Profile): number {
  return 1000 * parseDuration(queryInterval, 'queryInterval')
}
