/** A profile put into a configuration file's text, which otherwise stays as it is. */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, parseDocument } from 'yaml'
import { ConfigError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
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
  return format === 'json' ? inJson(text, asked) : inYaml(text, asked)
}

function inYaml(text: string, asked: AddProfile): string | undefined {
  const { file, name, profile, asDefault = false, at = [] } = asked
  const document: Document = parseDocument(text)
  if (document.errors.length > 0) throw unreadable(file, document.errors[0]!.message.split('\n')[0]!)
  const before = (document.toJS() ?? {}) as object
  const config = configAt(before, at)
  if (!isNew(config, asked)) return undefined
  if (document.contents === null || !isMap(document.contents)) {
    if (document.contents !== null && before !== null && Object.keys(before).length > 0)
      throw unreadable(file, 'it holds no record')
    document.contents = document.createNode({}) as never
  }
  if (isMap(document.contents) && document.contents.items.length === 0) document.contents.flow = false
  // `profiles:` with nothing behind it, or {}
  if (!isMap(document.getIn([...at, 'profiles'])))
    document.setIn([...at, 'profiles'], document.createNode({}))
  const profiles = document.getIn([...at, 'profiles'])
  if (isMap(profiles) && profiles.items.length === 0) profiles.flow = false
  document.setIn([...at, 'profiles', name], document.createNode(profile))
  if (asDefault && config.defaultProfile === undefined) document.setIn([...at, 'defaultProfile'], name)
  return checked(document.toString({ lineWidth: 0 }), (made) => parseDocument(made).toJS(), config, asked)
}

function inJson(text: string, asked: AddProfile): string | undefined {
  const { file, name, profile, asDefault = false, at = [] } = asked
  let whole: Record<string, unknown>
  try {
    whole = text.trim() === '' ? {} : JSON.parse(text)
  } catch (error) {
    throw unreadable(file, (error as Error).message)
  }
  const config = configAt(whole, at)
  if (!isNew(config, asked)) return undefined
  const made: Config = {
    ...config,
    profiles: { ...config.profiles, [name]: profile },
    ...(asDefault && config.defaultProfile === undefined ? { defaultProfile: name } : {}),
  }
  const nested = at.reduceRight<unknown>((inner, key) => ({ [key]: inner }), made) as object
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  '
  return `${JSON.stringify({ ...whole, ...nested }, null, indent)}\n`
}

function configAt(whole: object, at: readonly string[]): Config {
  return at.reduce<object>(
    (inner, key) => ((inner as Record<string, unknown>)[key] as object) ?? {},
    whole,
  ) as Config
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

/** Nothing else may have changed. */
function checked(made: string, read: (text: string) => object, before: Config, asked: AddProfile): string {
  const after = configAt(read(made), asked.at ?? [])
  const { [asked.name]: added, ...others } = after.profiles ?? {}
  if (!isDeepStrictEqual(others, { ...before.profiles }) || !isDeepStrictEqual(added, asked.profile))
    throw unreadable(asked.file, 'a profile cannot be added without changing the rest; add it by hand')
  return made
}

function unreadable(file: string, why: string): ConfigError {
  return new ConfigError('CONFIG_UNREADABLE', `${file}: ${why}`, {
    hint: 'nothing was changed; correct the file first',
  })
}
