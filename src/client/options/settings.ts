import { loadConfig } from '../../config/load.ts'
import { notifyOf, resolveProfile } from '../../config/profile.ts'
import { getConfig } from '../../config/runtime.ts'
import type { LoadedConfig, ResolvedProfile, Source } from '../../config/types.ts'
import type { NotifyOptions } from '../../core/notification.ts'
import { withScheduler } from './found-schedulers.ts'

/** What the configuration says of a call. */
export interface Settings {
  /** The profile's name. */
  readonly name: string
  readonly profile: ResolvedProfile
  /** Where jobs are recorded. */
  readonly storeDir: string
  /** Who is told of its jobs, where a call does not say. */
  readonly notify: NotifyOptions
  /** Where each value of the profile came from: 'resources.partition' → source. */
  readonly sources: ReadonlyMap<string, Source>
}

const known = new Map<string, Promise<LoadedConfig>>()

/**
 * The profile that a call runs with. Configuration files are read once a process; `configure()`, the
 * environment and the working directory may change between calls.
 * @throws ConfigError
 */
export async function profileFor(name: string | undefined): Promise<ResolvedProfile> {
  return (await settingsFor(name)).profile
}

/** The same, with the profile's name and where jobs are recorded. @throws ConfigError */
export async function settingsFor(name: string | undefined): Promise<Settings> {
  const settings = await writtenSettings(name)
  const { storeDir } = settings
  return { ...settings, profile: await withScheduler(settings.profile, storeDir) }
}

/** The same as it is written: nobody has been asked which scheduler there is, where it names none. @throws ConfigError */
export async function writtenSettings(name: string | undefined): Promise<Settings> {
  const loaded = await configFor(name)
  return { ...resolveProfile(loaded), storeDir: loaded.storeDir }
}

/** The profile of this machine, for a call that would run with another one: variables are that one's. @throws ConfigError */
export async function localSettings(name: string | undefined): Promise<Settings> {
  const loaded = await configFor(name)
  return { ...resolveProfile(loaded, 'local'), storeDir: loaded.storeDir }
}

/** Where jobs are recorded; for that no profile has to be chosen among several. @throws ConfigError */
export async function storeDirFor(): Promise<string> {
  return (await configFor('local')).storeDir
}

/** Who is told of jobs of a profile, as the configuration has it now: it need not be there any more. @throws ConfigError */
export async function notifyFor(profile: string): Promise<NotifyOptions> {
  return notifyOf(await configFor('local'), profile)
}

function configFor(name: string | undefined): Promise<LoadedConfig> {
  const variables = Object.entries(process.env).filter(
    ([key]) => key.startsWith('FARCALL_') || key.startsWith('XDG_'),
  )
  const key = JSON.stringify([name, process.cwd(), getConfig(), variables])
  let config = known.get(key)
  if (!config) {
    config = loadConfig(name === undefined ? {} : { profile: name })
    config.catch(() => known.delete(key))
    known.set(key, config)
  }
  return config
}
