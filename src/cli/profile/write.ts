import { readAssignment, setting, settingPath } from '../../config/assignments.ts'
import type { Edit } from '../../config/edit.ts'
import { loadConfig } from '../../config/load.ts'
import type { ConfigPlace } from '../../config/where-to-write.ts'
import { ConfigError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { type ChangeOptions, change, chosenPlace, placeWith, valueIn } from '../config/change.ts'

/** Settings that have a flag of their own. */
const flags = ['scheduler', 'host', 'user', 'port', 'workdir'] as const

type AddOptions = ChangeOptions & { default?: boolean } & Partial<Record<(typeof flags)[number], string>>

/** @throws ConfigError */
export function addProfile(name: string, settings: readonly string[], options: AddOptions): void {
  const within = ['profiles', name]
  const place = chosenPlace(options)
  const there = placeWith(['profiles', name])
  if (there)
    throw new ConfigError('CONFIG_INVALID', `there is a profile '${name}' already, in ${there.file}`, {
      hint: `change it with \`farcall profile update ${name}\`, or choose another name`,
    })
  const edits: Edit[] = [
    ...flags.flatMap((key) => (options[key] === undefined ? [] : [setting(key, options[key], within)])),
    ...settings.map((text) => readAssignment(text, within)),
  ]
  if (edits.length === 0) edits.push({ path: ['profiles', name, 'scheduler'], value: 'auto' })
  if (options.default && valueIn(place, ['defaultProfile']) === undefined)
    edits.push({ path: ['defaultProfile'], value: name })
  change(place, edits, options)
}

/** @throws ConfigError */
export async function updateProfile(
  name: string,
  settings: readonly string[],
  options: ChangeOptions & { unset: readonly string[] },
): Promise<void> {
  const within = ['profiles', name]
  const edits: Edit[] = [
    ...settings.map((text) => readAssignment(text, within)),
    ...options.unset.map((key) => ({ path: settingPath(key, within), value: undefined })),
  ]
  if (edits.length === 0)
    throw new ConfigError('OPTION_INVALID', 'nothing is to be changed', {
      hint: 'give KEY=VALUE, or --unset KEY',
    })
  const place = await placeOf(name)
  change(place, edits, options)
}

/** @throws ConfigError PROFILE_UNKNOWN */
export async function useProfile(name: string, options: ChangeOptions): Promise<void> {
  const loaded = await loadConfig({ profile: name })
  const names = [...Object.keys(loaded.config.profiles ?? {}), 'local']
  if (!names.includes(name)) throw unknown(name, names)
  change(chosenPlace(options), [{ path: ['defaultProfile'], value: name }], options)
}

/** @throws ConfigError PROFILE_UNKNOWN */
export async function removeProfile(name: string, options: ChangeOptions): Promise<void> {
  const place = await placeOf(name)
  const isDefault = valueIn(place, ['defaultProfile']) === name
  const edits: Edit[] = [
    { path: ['profiles', name], value: undefined },
    ...(isDefault ? [{ path: ['defaultProfile'] as const, value: undefined }] : []),
  ]
  change(place, edits, options)
}

/** The file that has the profile. @throws ConfigError PROFILE_UNKNOWN, CONFIG_UNREADABLE */
async function placeOf(name: string): Promise<ConfigPlace> {
  const place = placeWith(['profiles', name])
  if (place) return place
  const { config, sources } = await loadConfig({ profile: name })
  const names = Object.keys(config.profiles ?? {})
  if (!names.includes(name)) throw unknown(name, names)
  const from = [...sources].find(([key]) => key.startsWith(`profiles\0${name}\0`))?.[1].name
  throw new ConfigError(
    'CONFIG_UNREADABLE',
    `the profile '${name}' is said by ${from}, which is not changed from here`,
    {
      hint: 'change it by hand; what your own file says of it comes first',
    },
  )
}

function unknown(name: string, names: readonly string[]): ConfigError {
  const near = nearest(name, names)
  return new ConfigError(
    'PROFILE_UNKNOWN',
    `there is no profile '${name}'; there are ${names.join(', ') || 'none'}`,
    {
      hint: near ? `did you mean '${near}'?` : '`farcall profile add` adds one',
    },
  )
}
