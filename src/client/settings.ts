import { loadConfig } from '../config/load.ts'
import { resolveProfile } from '../config/profile.ts'
import { getConfig } from '../config/runtime.ts'
import type { ResolvedProfile } from '../config/types.ts'

/** What the configuration says of a call. */
export interface Settings {
  /** The profile's name. */
  readonly name: string
  readonly profile: ResolvedProfile
  /** Where jobs are recorded. */
  readonly storeDir: string
}

const known = new Map<string, Promise<Settings>>()

/**
 * The profile that a call runs with. Configuration files are read once a process; `configure()`, the
 * environment and the working directory may change between calls.
 * @throws ConfigError
 */
export async function profileFor(name: string | undefined): Promise<ResolvedProfile> {
  return (await settingsFor(name)).profile
}

/** The same, with the profile's name and where jobs are recorded. @throws ConfigError */
export function settingsFor(name: string | undefined): Promise<Settings> {
  const variables = Object.entries(process.env).filter(
    ([key]) => key.startsWith('FARCALL_') || key.startsWith('XDG_'),
  )
  const key = JSON.stringify([name, process.cwd(), getConfig(), variables])
  let settings = known.get(key)
  if (!settings) {
    settings = loadConfig(name === undefined ? {} : { profile: name }).then((loaded) => {
      const { name, profile } = resolveProfile(loaded)
      return { name, profile, storeDir: loaded.storeDir }
    })
    settings.catch(() => known.delete(key))
    known.set(key, settings)
  }
  return settings
}
