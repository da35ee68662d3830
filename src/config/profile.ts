import { ConfigError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { type NotifyOptions, notifyNames } from '../core/notification.ts'
import { type Profile, unnamedScheduler } from '../core/profile.ts'
import type { LoadedConfig, ResolvedProfile, Source } from './types.ts'

const builtIn: Source = { kind: 'default', name: 'default' }

/**
 * A profile with every default filled in, and where each value came from ('resources.partition' → source).
 * @throws ConfigError PROFILE_UNKNOWN, CONFIG_INVALID
 * @example const { profile } = resolveProfile(await loadConfig())
 */
export function resolveProfile(
  loaded: LoadedConfig,
  name = loaded.selected,
): {
  name: string
  profile: ResolvedProfile
  notify: NotifyOptions
  sources: ReadonlyMap<string, Source>
} {
  const profiles = loaded.config.profiles ?? {}
  const own = Object.hasOwn(profiles, name) ? profiles[name] : undefined
  if (!own && name !== 'local') throw unknownProfile(name, Object.keys(profiles), loaded)
  const { notify, rest } = notifyApart(loaded.config.notify, own ?? {})
  const written = { ...(name === 'local' ? { scheduler: 'direct' } : {}), ...rest }
  const { scheduler = unnamedScheduler } = written
  if ((written.transport ?? 'local') !== 'local' && written.host === undefined) {
    throw new ConfigError(
      'CONFIG_INVALID',
      `profiles.${name}.host: expected a host name for transport '${written.transport}', got nothing`,
    )
  }
  // A list replaces a list elsewhere; what a site forbids is not to be taken back by a project.
  const denied = loaded.layers.flatMap(({ config }) => config.deniedMounts ?? [])
  const profile: ResolvedProfile = {
    transport: written.host === undefined ? 'local' : 'ssh',
    workdir: '$HOME/.farcall',
    queryInterval: '10s',
    filePoll: '2s',
    // A dead process of the same machine leaves no file behind later; elsewhere files may lag behind.
    grace: scheduler === 'direct' ? '2s' : '120s',
    keep: 'failed',
    keepFor: '7d',
    keepBlobs: '30d',
    interrupt: 'cancel',
    ...(denied.length === 0 ? {} : { deniedMounts: denied }),
    ...written,
    scheduler,
    resources: { ...written.resources },
    environment: { node: 'auto', ...written.environment },
  }
  const sources = new Map<string, Source>()
  for (const path of leaves(profile)) {
    sources.set(path.join('.'), loaded.sources.get(['profiles', name, ...path].join('\0')) ?? builtIn)
  }
  return { name, profile, notify, sources }
}

/** What a profile's jobs tell, and to whom; that of no profile of its own, where the name is not there. */
export function notifyOf({ config }: LoadedConfig, name: string): NotifyOptions {
  const { profiles = {} } = config
  return notifyApart(config.notify, (Object.hasOwn(profiles, name) && profiles[name]) || {}).notify
}

function notifyApart(general: NotifyOptions['notify'], profile: Partial<Profile>) {
  const rest: Record<string, unknown> = { ...profile }
  const notify: Record<string, unknown> = general ? { notify: general } : {}
  for (const key of notifyNames) {
    if (profile[key] !== undefined) notify[key] = profile[key]
    delete rest[key]
  }
  return { notify: notify as NotifyOptions, rest: rest as Partial<Omit<Profile, keyof NotifyOptions>> }
}

function unknownProfile(name: string, names: string[], loaded: LoadedConfig): ConfigError {
  const near = nearest(name, names)
  const by =
    name === loaded.selected && loaded.selectedBy.kind !== 'default' ? ` (${loaded.selectedBy.name})` : ''
  const there = [...new Set([...names, 'local'])].join(', ')
  return new ConfigError('PROFILE_UNKNOWN', `there is no profile '${name}'${by}; there are ${there}`, {
    hint: near
      ? `did you mean '${near}'?`
      : 'profiles are set in a farcall.config file (docs/configuration.md); `farcall setup HOST` adds one',
  })
}

/** Paths of all values; a list is one value. */
function leaves(value: object, path: readonly string[] = []): string[][] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? leaves(inner, [...path, key])
      : [[...path, key]],
  )
}
