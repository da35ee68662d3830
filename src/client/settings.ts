import { loadConfig } from '../config/load.ts'
import { resolveProfile } from '../config/profile.ts'
import { getConfig } from '../config/runtime.ts'
import type { ResolvedProfile } from '../config/types.ts'

const known = new Map<string, Promise<ResolvedProfile>>()

/**
 * The profile that a call runs with. Configuration files are read once a process; `configure()`, the
 * environment and the working directory may change between calls.
 * @throws ConfigError
 */
export function profileFor(name: string | undefined): Promise<ResolvedProfile> {
  const variables = Object.entries(process.env).filter(
    ([key]) => key.startsWith('FARCALL_') || key.startsWith('XDG_'),
  )
  const key = JSON.stringify([name, process.cwd(), getConfig(), variables])
  let profile = known.get(key)
  if (!profile) {
    profile = loadConfig(name === undefined ? {} : { profile: name }).then(
      (loaded) => resolveProfile(loaded).profile,
    )
    profile.catch(() => known.delete(key))
    known.set(key, profile)
  }
  return profile
}
