import { settingsFor } from '../client/options/settings.ts'
import { systemClock } from '../core/clock.ts'
import { FarcallError } from '../core/errors.ts'
import type { JobId } from '../core/ids.ts'
import { openExecutor } from '../executor/open.ts'
import type { JobStore } from '../store/types.ts'

/** Takes a job in that another machine has submitted. @throws FarcallError JOB_UNKNOWN, TransportError, ConfigError */
export async function putOnRecord(
  store: JobStore,
  id: JobId,
  profileName: string | undefined,
): Promise<void> {
  const { name, profile } = await settingsFor(profileName)
  await using executor = openExecutor(profile, systemClock)
  const found = (await executor.find([id])).get(id)
  if (found?.nativeId === undefined)
    throw new FarcallError(
      'JOB_UNKNOWN',
      `there is no job ${id} on record here, nor on the place of '${name}'`,
      {
        hint: 'name the profile that it was sent to: --profile',
      },
    )
  store.restore({ name, settings: profile }, [found])
}
