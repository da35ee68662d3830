import { stat } from 'node:fs/promises'
import { homedir, hostname } from 'node:os'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { ConfigError } from '../core/errors.ts'
import { storeFolder } from '../store/folder.ts'
import { cacheFolder } from './cache-folder.ts'
import { checkVariables, isNobodys, profileFromEnvironment } from './environment.ts'
import { isTree, mergeLayers, pathKey } from './merge.ts'
import { validate } from './problems.ts'
import { type Found, folderPlaces, projectPlaces, readFile, readFolder } from './read.ts'
import { getConfig } from './runtime.ts'
import type { Config, Layer, LoadedConfig, Source } from './types.ts'

export interface LoadOptions {
  /** Where the search for the project's file starts, upward; default: the working directory. */
  cwd?: string
  /** Default: process.env */
  env?: NodeJS.ProcessEnv
  home?: string
  /** Default: what `configure()` has set. */
  runtime?: Config
  /** Selects a profile, as --profile does; wins over FARCALL_PROFILE. */
  profile?: string
  /** Default: /etc/farcall */
  siteDir?: string
}

/**
 * The configuration of all sources, merged by key: `configure()`, FARCALL_ variables, project, user and site file.
 * @throws ConfigError CONFIG_INVALID, CONFIG_UNREADABLE, PROFILE_UNKNOWN
 */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { env = process.env, home = homedir(), siteDir = '/etc/farcall' } = options
  const cwd = resolve(options.cwd ?? process.cwd())
  const show = (file: string) => shownPath(file, cwd, home)
  const place = { cwd, env, home, show }

  const runtime = await layer({ kind: 'runtime', name: 'configure()' }, options.runtime ?? getConfig(), place)
  const files: Layer[] = []
  const project = await findProject(place)
  if (project) files.push(await layer({ kind: 'project', name: project.file }, project.content, place))
  for (const { kind, find } of ownFolders(place, siteDir)) {
    const found = await find()
    if (found) files.push(await layer({ kind, name: found.file }, found.content, place))
  }

  const below = mergeLayers([runtime, ...files])
  checkVariables(env, secretNames([runtime, ...files]))
  const [selected, selectedBy] = select(options, env, runtime, below)
  const environment = await environmentLayer(env, selected, place)
  const layers = [runtime, environment, ...files]
  const { config, sources } = mergeLayers(layers)
  return {
    config,
    layers,
    selected,
    selectedBy,
    cacheDir: cacheFolder(env, home),
    storeDir: config.store ?? storeFolder(env, home, hostname()),
    files: files.map(({ source }) => source.name),
    sources,
  }
}

/**
 * Where jobs are recorded, by the same sources, for commands that need no more: their schema takes longer to load than a list
 * to print. What is odd about a source is left to `loadConfig()`, which says it.
 * @throws ConfigError as `loadConfig()`
 */
export async function loadStoreDir(options: Omit<LoadOptions, 'runtime'> = {}): Promise<string> {
  const { env = process.env, home = homedir(), siteDir = '/etc/farcall' } = options
  const cwd = resolve(options.cwd ?? process.cwd())
  // One that is misspelt may be FARCALL_STORE, and others hold secrets under names that only the files tell.
  const isOdd = Object.keys(env).some(isNobodys) || !isPlain(env['FARCALL_STORE'] || 'none')
  if (isOdd) return (await loadConfig(options)).storeDir
  if (env['FARCALL_STORE']) return inFolder(env['FARCALL_STORE'], cwd, home)
  const place = { cwd, env, home, show: (file: string) => shownPath(file, cwd, home), only: 'store' }
  for (const find of [() => findProject(place), ...ownFolders(place, siteDir).map(({ find }) => find)]) {
    const found = await find()
    if (!found) continue
    const store = isTree(found.content) ? found.content['store'] : null
    if (store === undefined) continue
    if (!isPlain(store)) return (await loadConfig(options)).storeDir
    return inFolder(store, dirname(found.file), home)
  }
  return storeFolder(env, home, hostname())
}

const isPlain = (store: unknown): store is string =>
  typeof store === 'string' && store !== '' && !/[\x00-\x1f\x7f]/.test(store)

type Locate = (path: readonly PropertyKey[]) => string

interface Place {
  cwd: string
  env: NodeJS.ProcessEnv
  home: string
  show: (file: string) => string
  /** As of `readFolder()`. */
  only?: string
}

/** A source's content, checked, with its relative paths made absolute. */
async function layer(source: Source, content: unknown, { cwd, home, show }: Place): Promise<Layer> {
  // zod takes a while to load; most programs have one layer or none.
  if (isTree(content) && Object.keys(content).length === 0) return { source, config: {} }
  const { configSchema } = await import('./schema.ts')
  const where = source.kind === 'runtime' ? source.name : show(source.name)
  const locate = (path: readonly PropertyKey[]) =>
    [where, path.map(String).join('.')].filter(Boolean).join(': ')
  const config = validate(configSchema, withoutUndefined(content, [], locate), locate)
  const folder = isAbsolute(source.name) ? dirname(source.name) : cwd
  return { source, config: normalize(config, { folder, home }, locate) }
}

async function environmentLayer(
  env: NodeJS.ProcessEnv,
  selected: string,
  { cwd, home }: Place,
): Promise<Layer> {
  const source: Source = { kind: 'environment', name: 'FARCALL_*' }
  const names = new Map<string, string>()
  const content: Record<string, unknown> = {}
  const set = (path: readonly string[], value: unknown, variable: string) => {
    names.set(pathKey(path), variable)
    path.slice(0, -1).reduce<Record<string, unknown>>((tree, key) => {
      if (!Object.hasOwn(tree, key)) tree[key] = {}
      return tree[key] as Record<string, unknown>
    }, content)[path.at(-1)!] = value
  }
  for (const { path, value, variable } of profileFromEnvironment(env))
    set(['profiles', selected, ...path], value, variable)
  if (env['FARCALL_STORE']) set(['store'], env['FARCALL_STORE'], 'FARCALL_STORE')
  if (names.size === 0) return { source, config: {} }
  const { configSchema } = await import('./schema.ts')
  const locate = (path: readonly PropertyKey[]) =>
    names.get(pathKey(path.map(String))) ?? path.map(String).join('.')
  const config = normalize(validate(configSchema, content, locate), { folder: cwd, home }, locate)
  const queue = names.get(pathKey(['profiles', selected, 'resources', 'queue']))
  if (queue) names.set(pathKey(['profiles', selected, 'resources', 'partition']), queue)
  return { source, config, names }
}

/** `queue` becomes `partition`, so that layers that spell it differently meet; ~ and relative local paths are filled. */
function normalize(
  config: Config,
  { folder, home }: { folder: string; home: string },
  locate: Locate,
): Config {
  const local = (path: string) => inFolder(path, folder, home)
  const result: Config = { ...config }
  if (config.store) result.store = local(config.store)
  if (config.profiles) {
    const entries = Object.entries(config.profiles).map(([name, profile]) => {
      const copy = { ...profile }
      for (const key of ['sshConfig', 'identityFile', 'knownHosts', 'template'] as const)
        if (copy[key]) copy[key] = local(copy[key])
      if (copy.resources?.queue !== undefined) {
        const { queue, ...resources } = copy.resources
        if (resources.partition !== undefined && resources.partition !== queue) {
          throw new ConfigError(
            'CONFIG_INVALID',
            `${locate(['profiles', name, 'resources', 'queue'])}: it is another word for partition, and both are set`,
            { hint: 'keep one of them' },
          )
        }
        copy.resources = { ...resources, partition: queue }
      }
      return [name, copy] as const
    })
    result.profiles = Object.fromEntries(entries)
  }
  return result
}

function select(
  options: LoadOptions,
  env: NodeJS.ProcessEnv,
  runtime: Layer,
  { config, sources }: { config: Config; sources: ReadonlyMap<string, Source> },
): [string, Source] {
  const names = Object.keys(config.profiles ?? {})
  if (options.profile) return [options.profile, { kind: 'runtime', name: '--profile' }]
  if (runtime.config.defaultProfile) return [runtime.config.defaultProfile, runtime.source]
  if (env['FARCALL_PROFILE'])
    return [env['FARCALL_PROFILE'], { kind: 'environment', name: 'FARCALL_PROFILE' }]
  if (config.defaultProfile) return [config.defaultProfile, sources.get('defaultProfile')!]
  const byDefault: Source = { kind: 'default', name: 'default' }
  if (names.length < 2) return [names[0] ?? 'local', byDefault]
  // Guessing one of several could start heavy work on a login node.
  throw new ConfigError('PROFILE_UNKNOWN', `no profile is chosen; there are ${names.join(', ')}`, {
    hint: 'set defaultProfile in the configuration, or FARCALL_PROFILE',
  })
}

const inFolder = (path: string, folder: string, home: string) =>
  resolve(folder, path.replace(/^~(?=\/|$)/, home))

/** The user's, which nobody else may have written, and the site's. */
function ownFolders({ env, home, show, only }: Place, siteDir: string) {
  return [['user', userFolder(env, home)] as const, ['site', siteDir] as const].map(([kind, folder]) => {
    const trust = (file: string, owner: number) =>
      refuseForeign(show(file), owner, kind === 'user' ? [self()] : [self(), 0], 'make it your own: `chown`')
    return {
      kind,
      find: () =>
        readFolder(folder, { places: folderPlaces, show, trust, ...(only === undefined ? {} : { only }) }),
    }
  })
}

/** The nearest project file at or above cwd, up to the home folder or the root. */
async function findProject({ cwd, env, home, show, only }: Place): Promise<Found | undefined> {
  const named = env['FARCALL_CONFIG']
  if (named) return readFile(resolve(cwd, named), { show, trust: () => {} })
  const { uid: owner } = await stat(cwd).catch((cause: Error) => {
    throw new ConfigError('CONFIG_UNREADABLE', `${cwd}: it cannot be looked at: ${cause.message}`, { cause })
  })
  // A file planted above the project, in a shared /scratch or /tmp, would choose what runs and where.
  const trust = (file: string, of: number) =>
    refuseForeign(show(file), of, [self(), 0, owner], `trust it by naming it: FARCALL_CONFIG=${file}`)
  for (let folder = cwd; ; folder = dirname(folder)) {
    const found = await readFolder(folder, {
      places: projectPlaces,
      show,
      trust,
      ...(only === undefined ? {} : { only }),
    })
    if (found || folder === home || folder === dirname(folder)) return found
  }
}

function refuseForeign(shown: string, owner: number, trusted: readonly number[], hint: string): void {
  if (trusted.includes(owner)) return
  throw new ConfigError('CONFIG_UNREADABLE', `${shown}: it belongs to another user (uid ${owner})`, { hint })
}

const self = (): number => process.getuid?.() ?? 0

/** XDG: a relative value is to be ignored. */
const absolute = (path: string | undefined): string | undefined =>
  path && isAbsolute(path) ? path : undefined

export function userFolder(env: NodeJS.ProcessEnv, home: string): string {
  return join(absolute(env['XDG_CONFIG_HOME']) ?? join(home, '.config'), 'farcall')
}

function shownPath(file: string, cwd: string, home: string): string {
  const within = relative(cwd, file)
  if (!within.startsWith('..')) return within
  return file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file
}

function secretNames(layers: readonly Layer[]): Set<string> {
  const profiles = layers.flatMap(({ config }) => Object.values(config.profiles ?? {}))
  const endpoints = [...layers.map(({ config }) => config), ...profiles].flatMap(({ notify = [] }) => notify)
  const values = [
    ...profiles.flatMap(({ password, passphrase }) => [password, passphrase]),
    ...endpoints.flatMap((one) => ('url' in one ? [one.url] : [])),
    ...endpoints.flatMap((one) => ('headers' in one ? Object.values(one.headers ?? {}) : [])),
  ]
  return new Set(values.flatMap((value) => (typeof value === 'object' ? [value.env] : [])))
}

/** A key whose value is undefined is not set: `host: process.env.HOST` in a farcall.config.ts. */
function withoutUndefined(value: unknown, path: readonly string[], locate: Locate): unknown {
  if (!isTree(value) || Object.getPrototypeOf(Object.getPrototypeOf(value) ?? {}) !== null) return value
  const result: Record<string, unknown> = {}
  for (const [key, inner] of Object.entries(value)) {
    // zod would drop it in silence.
    if (key === '__proto__')
      throw new ConfigError('CONFIG_INVALID', `${locate([...path, key])}: this name cannot be used`)
    if (inner !== undefined) result[key] = withoutUndefined(inner, [...path, key], locate)
  }
  return result
}
