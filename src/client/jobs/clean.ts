import { ConfigError } from '../../core/errors.ts'
import type { Duration } from '../../core/resources.ts'
import { parseDuration } from '../../core/units.ts'
import type { Cleaned } from '../../executor/executor.ts'
import { profileFor } from '../options/settings.ts'
import { sessionFor } from '../session/sessions.ts'

/** Options of `clean`. */
export interface CleanOptions {
  /** The place to clean; default: the configuration's profile. */
  profile?: string
  /** Removes nothing; what is given back would have gone. */
  dryRun?: boolean
  /**
   * Jobs that were collected longer ago than this, also those kept by `keep: 'all'`: '30d', or a number of seconds.
   * Default: failed jobs after the profile's `keepFor`, and none of the others.
   */
  olderThan?: Duration
  /**
   * Also jobs whose results nobody has taken, when they cannot run any more and nothing has happened in their folders
   * for `olderThan`, which must then be given. Their results are lost.
   */
  uncollected?: boolean
}

/**
 * Removes from a place what is done with: folders of failed jobs after `keepFor`, bundles that were not used for
 * `keepBlobs`, leftovers of programs that crashed. It happens by itself once a day when a program ends; jobs whose
 * results nobody has taken are never touched unless `uncollected` says so.
 *
 * Gives the ids of jobs and the names of shared files that were removed, and how many bytes that was on the disk.
 *
 * @throws (by rejecting) ConfigError OPTION_INVALID, UNIT_INVALID; FarcallError COMMAND_FAILED, TransportError
 * @example
 * import { clean } from 'farcall'
 *
 * const { jobs, bytes } = await clean({ olderThan: '30d', dryRun: true })
 * console.log(`${jobs.length} jobs, ${bytes} bytes could go`)
 */
export async function clean(options: CleanOptions = {}): Promise<Cleaned> {
  const { profile, dryRun = false, olderThan, uncollected = false } = options
  if (uncollected && olderThan === undefined)
    throw new ConfigError('OPTION_INVALID', 'clean: `uncollected` needs `olderThan`', {
      hint: "say for how long nothing must have happened: { uncollected: true, olderThan: '60d' }",
    })
  const age = olderThan === undefined ? {} : { olderThan: parseDuration(olderThan, 'olderThan') }
  const session = await sessionFor(await profileFor(profile))
  const nothing: Cleaned = { jobs: [], blobs: [], bytes: 0 }
  return (await session.executor.clean?.({ ...age, dryRun, uncollected })) ?? nothing
}
