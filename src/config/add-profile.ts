/** A profile put into a configuration file's text, which otherwise stays as it is. */
import { isDeepStrictEqual } from 'node:util'
import { ConfigError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { type Edit, type EditablePlace, editConfig, readConfig } from './edit.ts'
import type { Config } from './types.ts'

export interface AddProfile {
  /** For messages. */
  readonly file: string
  readonly name: string
  readonly profile: Partial<Profile>
  /** Makes it the default one where none is set. */
  readonly asDefault?: boolean
  /** Where the configuration stands in the file: ['farcall'] in package.json. */
  readonly at?: readonly string[]
}

/**
 * The text with the profile in it; undefined: it holds that very profile already. YAML keeps its comments; JSON its indent.
 * @throws ConfigError CONFIG_INVALID when another profile has the name, CONFIG_UNREADABLE when the text cannot be read
 */
export function withProfile(text: string, format: 'yaml' | 'json', asked: AddProfile): string | undefined {
  const { file, name, profile, asDefault = false, at = [] } = asked
  const place: EditablePlace = { file, format, at, text }
  const config: Config = readConfig(place)
  if (!isNew(config, asked)) return undefined
  const edits: Edit[] = [{ path: ['profiles', name], value: profile }]
  if (asDefault && config.defaultProfile === undefined) edits.push({ path: ['defaultProfile'], value: name })
  return editConfig(place, edits)
}

function isNew({ profiles }: Config, { file, name, profile }: AddProfile): boolean {
  const there = profiles && Object.hasOwn(profiles, name) ? profiles[name] : undefined
  if (there === undefined) return true
  if (Object.entries(profile).every(([key, value]) => isDeepStrictEqual(there[key as keyof Profile], value)))
    return false
  throw new ConfigError(
    'CONFIG_INVALID',
    `${file}: there is a profile '${name}' already, and it says something else`,
    {
      hint: 'it is left as it is: choose another name (--name), or change it by hand',
    },
  )
}
