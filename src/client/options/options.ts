import { notifySchema } from '../../config/notify-schema.ts'
import { validateOption } from '../../config/problems.ts'
import { containerSchema, environmentSchema } from '../../config/schema.ts'
import type { ContainerSettings } from '../../core/container-settings.ts'
import { ConfigError } from '../../core/errors.ts'
import { type Launcher, launchers } from '../../core/launcher.ts'
import { nearest } from '../../core/nearest.ts'
import { callbackNames, type NotifyOptions, notifyNames } from '../../core/notification.ts'
import { mergePackages } from '../../core/package-settings.ts'
import type { Environment } from '../../core/profile.ts'
import { resolveContainer } from '../../core/resolve-container.ts'
import { resolveResources } from '../../core/resolve-resources.ts'
import { resolveRetry } from '../../core/resolve-retry.ts'
import { type Duration, type Memory, type Resources, resourceNames } from '../../core/resources.ts'
import type { RetryOptions, RetryPolicy } from '../../core/retry-policy.ts'
import { requirePlainText } from '../../core/shell.ts'
import { parseDuration, parseMemory } from '../../core/units.ts'
import type { StreamWindow } from '../../core/yields.ts'
import type { Progress } from '../job/job-array.ts'
import { checkStage, type StageOptions } from '../staging/stage-options.ts'

/**
 * What a call asks for: resources as in a profile, and where and how it runs.
 *
 * @example
 * import { type ClusterOptions, cluster } from 'farcall'
 *
 * const long: ClusterOptions = { cores: 8, memory: '16GB', time: '2h', profile: 'hpc' }
 * const simulate = cluster(long, (seed: number) => Math.sin(seed))
 */
export interface ClusterOptions extends Omit<Resources, 'signal'>, NotifyOptions {
  /** A profile of the configuration; default: the configuration's, or this machine. */
  profile?: string
  /** Added to the profile's environment. */
  environment?: Environment
  /**
   * The container that it runs in: its image, or a record that says more; in place of the profile's. false: none.
   */
  container?: string | ContainerSettings | false
  /** Array members that may run at once. */
  concurrency?: number
  /**
   * Cores for each item of an array member: so many items as `cores` have room for then run at once, each in a process
   * of its own. Default: all of them, one item after the other.
   */
  coresPerItem?: number
  /** GPUs for each item, of those that `gpus` asks for: each sees its own, and as many items run at once. */
  gpusPerItem?: number
  /**
   * What starts the processes where `nodes` and `tasksPerNode` ask for several: 'srun', 'mpirun', or 'multiple', which
   * needs neither and keeps to one node; 'single' starts one, and leaves the others to your function. Default 'auto': srun
   * on Slurm, else mpirun over several nodes and 'multiple' on one.
   */
  launcher?: Launcher
  /** Items for each array member; 'auto' lets farcall choose: `map.plan(items)` says what. */
  chunk?: number | 'auto'
  /** How long a member is to run where farcall chooses its items; a number is seconds. Default: 2 minutes where jobs queue. */
  targetTime?: Duration
  /** Maps of at most so many items run on this machine instead, where nothing that they ask for is missing here; default 0. */
  localThreshold?: number
  /**
   * Where nobody knows how long an item of a map takes, the first three run on this machine before, for 5 s at most, and
   * their results are thrown away. Only for functions that may run twice, and here; default false.
   */
  probe?: boolean
  /** Tries again what failed for no fault of yours, or for other reasons that you name; a number is `retries`. */
  retry?: number | RetryOptions
  /** An AbortSignal cancels the job; a string is the scheduler's signal before the time limit: 'USR1@90'. */
  signal?: AbortSignal | string
  /**
   * An identical call (code, captured values, arguments, environment) that runs is joined, and one that is done gives
   * its result again; default false. Errors are not kept. For functions whose result depends on nothing else.
   */
  cache?: boolean
  /** With `cache`: runs it again, and keeps the new result. */
  force?: boolean
  /** Like that of a map. */
  bufferSize?: number
  /** Like that of a map. */
  onError?: 'collect' | 'fail-fast'
  /** Like that of a map. */
  onProgress?: (progress: Progress) => void
  /** Words to find its jobs by: `jobs({ tag })`. */
  tags?: readonly string[]
  /** Of a generator function: how much it may yield that is not read yet, until it waits; default 1,000 values or 64 MB. */
  window?: { items?: number; memory?: Memory }
  /**
   * Looks for loops in the function whose turns do not depend on one another, and runs these as tasks of an array job;
   * 'strict' takes nothing to be pure that is not proven to be. Default false. See docs/loops.md.
   */
  parallel?: 'auto' | 'strict' | false
  /** Files that go along, and files that come back. The function then has a working directory of its own. */
  stage?: StageOptions
}

/**
 * Options of a function that several processes run together, and whose value is the array of all of theirs by their rank.
 *
 * @example
 * import { cluster, currentTask, type GatheredOptions } from 'farcall'
 *
 * const four: GatheredOptions = { tasksPerNode: 4, gather: 'all' }
 * const ranks = cluster(four, () => currentTask().rank)
 * console.log(await ranks()) // [0, 1, 2, 3]
 */
export interface GatheredOptions extends ClusterOptions {
  /** Of all ranks; without it the value is that of rank 0. */
  gather: 'all'
}

/** Options of `job.logs()`. */
export interface LogOptions {
  /** Goes on until the job has ended. */
  follow?: boolean
  /** Which of the two; default stdout. */
  stream?: 'stdout' | 'stderr'
  /** Of which of the processes that run the item together; default 0. */
  rank?: number
}

/** Options of one `map`; they win over those of the function. */
export interface MapOptions extends NotifyOptions {
  /** Items for each array member; 'auto' lets farcall choose. */
  chunk?: number | 'auto'
  /** Like that of the function. */
  targetTime?: Duration
  /** Like that of the function. */
  localThreshold?: number
  /** Like that of the function. */
  probe?: boolean
  /** Array members that may run at once. */
  concurrency?: number
  /** Like that of the function. */
  coresPerItem?: number
  /** Like that of the function. */
  gpusPerItem?: number
  /** Tries again what failed. */
  retry?: number | RetryOptions
  /** Cancels what has not ended. */
  signal?: AbortSignal
  /** Like that of the function. */
  cache?: boolean
  /** Like that of the function. */
  force?: boolean
  /**
   * Of inputs that come one by one (generators, async iterables): at most so many are read ahead of what is done with,
   * where a loop over the results is done with an item once it has been handed its value. Default 10,000.
   */
  bufferSize?: number
  /**
   * What becomes of the others when an item fails: 'collect', the default, lets them run, and the array rejects with an
   * AggregateError in the end; 'fail-fast' cancels them, and it rejects with the first failure at once.
   */
  onError?: 'collect' | 'fail-fast'
  /** Told how far the map is whenever that changes, at most five times a second, and once at its end. */
  onProgress?: (progress: Progress) => void
}

const ownNames = [
  ...notifyNames,
  'profile',
  'environment',
  'container',
  'concurrency',
  'chunk',
  'targetTime',
  'localThreshold',
  'probe',
  'coresPerItem',
  'gpusPerItem',
  'launcher',
  'gather',
  'retry',
  'signal',
  'cache',
  'force',
  'bufferSize',
  'onError',
  'onProgress',
  'tags',
  'stage',
  'window',
  'parallel',
] as const

export interface SplitOptions {
  readonly resources: Resources
  readonly profile: string | undefined
  readonly environment: Environment
  readonly container: string | ContainerSettings | false | undefined
  readonly concurrency: number | undefined
  readonly chunk: number | 'auto'
  /** Seconds. */
  readonly targetTime: number | undefined
  readonly localThreshold: number | undefined
  readonly probe: boolean
  readonly coresPerItem: number | undefined
  readonly gpusPerItem: number | undefined
  readonly launcher: Launcher | undefined
  /** The values of all ranks. */
  readonly gather: boolean
  readonly retry: RetryPolicy | undefined
  readonly signal: AbortSignal | undefined
  readonly cache: boolean
  readonly force: boolean
  readonly bufferSize: number
  readonly onError: 'collect' | 'fail-fast'
  readonly onProgress: ((progress: Progress) => void) | undefined
  readonly tags: readonly string[]
  readonly stage: StageOptions | undefined
  readonly window: Partial<StreamWindow> | undefined
  readonly parallel: 'auto' | 'strict' | false
}

/** Options apart: what the scheduler is asked, and what is farcall's own. Unknown keys stay with the resources, which refuse them. */
export function splitOptions(options: ClusterOptions & Partial<GatheredOptions>): SplitOptions {
  const resources: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!(ownNames as readonly string[]).includes(key)) resources[key] = value
  }
  const { signal, concurrency, chunk = 'auto', profile, environment = {} } = options
  const { cache = false, force = false, probe = false, tags = [] } = options
  const { bufferSize = 10_000, onError = 'collect', onProgress } = options
  if (typeof signal === 'string') resources['signal'] = signal
  if (concurrency !== undefined) requireCount(concurrency, 'concurrency')
  if (chunk !== 'auto') requireCount(chunk, 'chunk')
  requireCount(bufferSize, 'bufferSize')
  if (onError !== 'collect' && onError !== 'fail-fast')
    throw invalid('onError', onError, "'collect' or 'fail-fast'")
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw invalid('onProgress', onProgress, 'a function')
  const { coresPerItem, gpusPerItem, targetTime, localThreshold, launcher, gather } = options
  if (launcher !== undefined && !launchers.includes(launcher))
    throw invalid('launcher', launcher, launchers.map((name) => `'${name}'`).join(', '))
  if (gather !== undefined && gather !== 'all')
    throw invalid('gather', gather, "'all', or nothing for the value of rank 0")
  if (localThreshold !== undefined && !(Number.isSafeInteger(localThreshold) && localThreshold >= 0))
    throw invalid('localThreshold', localThreshold, 'a number of items, a whole number from 0')
  if (coresPerItem !== undefined) requireCount(coresPerItem, 'coresPerItem')
  if (gpusPerItem !== undefined) requireCount(gpusPerItem, 'gpusPerItem')
  return {
    resources: resources as Resources,
    profile,
    environment,
    container: options.container,
    concurrency,
    chunk,
    targetTime: targetTime === undefined ? undefined : parseDuration(targetTime, 'targetTime'),
    localThreshold,
    probe,
    coresPerItem,
    gpusPerItem,
    launcher,
    gather: options.gather !== undefined,
    retry: options.retry === undefined ? undefined : resolveRetry(options.retry),
    signal: typeof signal === 'string' ? undefined : signal,
    cache,
    force,
    bufferSize,
    onError,
    onProgress,
    tags,
    stage: options.stage,
    parallel: options.parallel ?? false,
    window: options.window === undefined ? undefined : readWindow(options.window),
  }
}

/** @throws ConfigError OPTION_INVALID, OPTION_UNKNOWN, UNIT_INVALID */
function readWindow(window: unknown): Partial<StreamWindow> {
  if (!isRecord(window)) throw invalid('window', window, "{ items: 1_000, memory: '64MB' }")
  for (const key of Object.keys(window)) requireKnown(key, ['items', 'memory'], `window.${key}`, 'setting')
  const { items, memory } = window
  if (items !== undefined) requireCount(items, 'window.items')
  return {
    ...(items === undefined ? {} : { items: items as number }),
    ...(memory === undefined ? {} : { bytes: parseMemory(memory as Memory, 'window.memory') }),
  }
}

/**
 * Refuses options that cannot be used, where they are written and not where the function is called.
 * @throws ConfigError OPTION_UNKNOWN, OPTION_INVALID, UNIT_INVALID, VALUE_UNSAFE
 */
export function checkOptions(options: unknown, where: string): asserts options is ClusterOptions {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('OPTION_INVALID', `${where}: expected options, got ${shown(options)}`, {
      hint: `options are a record, like { cores: 8, memory: '16GB' }`,
    })
  for (const key of Object.keys(options)) requireKnown(key, optionNames, key, 'option')
  if ('gather' in options && where !== 'cluster')
    throw new ConfigError('OPTION_INVALID', `gather: it makes another function, and ${where} cannot`, {
      hint: "say it where the function is marked: cluster({ gather: 'all', tasksPerNode: 4 }, fn)",
    })
  const { resources, profile, signal, environment, container, tags, stage, parallel, ...flags } =
    splitOptions(options as ClusterOptions)
  checkNotify(options as ClusterOptions)
  for (const name of ['cache', 'force', 'probe'] as const)
    if (typeof flags[name] !== 'boolean') throw invalid(name, flags[name], 'true or false')
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string' && tag !== ''))
    throw invalid('tags', tags, "a list of words: tags: ['…']")
  if (!['auto', 'strict', false].includes(parallel))
    throw invalid('parallel', parallel, "'auto', 'strict' or false")
  if (profile !== undefined && typeof profile !== 'string')
    throw invalid('profile', profile, "a profile's name")
  if (signal !== undefined && !isAbortSignal(signal))
    throw invalid('signal', signal, "an AbortSignal, or a signal for the scheduler like 'USR1@90'")
  checkEnvironment(environment)
  if (container !== undefined && container !== false) {
    validateOption(containerSchema, container, 'container')
    resolveContainer(container)
  }
  if (stage !== undefined) {
    checkStage(stage)
    if (flags.cache && stage.out?.length)
      throw new ConfigError(
        'OPTION_INVALID',
        '`cache` and `stage.out` do not go together: files are not kept',
        {
          hint: 'return what is to be kept, or write it to a folder of your own there',
        },
      )
  }
  resolveResources(resources)
}

/** @throws ConfigError OPTION_UNKNOWN, OPTION_INVALID */
export function checkNotify(options: NotifyOptions): void {
  if (options.notify !== undefined) validateOption(notifySchema, options.notify, 'notify')
  for (const name of callbackNames) {
    const callback: unknown = options[name]
    if (callback !== undefined && typeof callback !== 'function') throw invalid(name, callback, 'a function')
  }
}

function checkEnvironment(environment: unknown): void {
  if (isRecord(environment)) requirePlainSettings(environment)
  validateOption(environmentSchema, environment, 'environment')
  for (const [name, value] of Object.entries((environment as Environment).variables ?? {}))
    if (value.includes('\0'))
      throw new ConfigError('VALUE_UNSAFE', `environment.variables.${name}: it holds a NUL character`, {
        hint: 'no variable can hold one; pass such text as an argument of the function',
      })
}

/** What is no text of several lines by nature. */
function requirePlainSettings({
  setup,
  variables,
  secrets,
  packages,
  ...settings
}: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(settings))
    for (const [key, text] of isRecord(value) || Array.isArray(value) ? Object.entries(value) : [['', value]])
      if (typeof text === 'string')
        requirePlainText(text, `environment.${name}${Array.isArray(value) ? `[${key}]` : key && `.${key}`}`)
}

function requireKnown(key: string, names: readonly string[], where: string, what: string): void {
  if (names.includes(key)) return
  const near = nearest(key, names)
  const more = what === 'option' ? "; a directive that farcall does not know goes into native: ['…']" : ''
  throw new ConfigError('OPTION_UNKNOWN', `${where}: there is no such ${what}`, {
    hint: near ? `did you mean '${near}'?` : `${what}s are ${names.join(', ')}${more}`,
  })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** By what it can do: one of another realm, or of a library, is as good. */
function isAbortSignal(value: unknown): boolean {
  return isRecord(value) && 'aborted' in value && typeof value['addEventListener'] === 'function'
}

function invalid(where: string, value: unknown, wanted: string): ConfigError {
  return new ConfigError('OPTION_INVALID', `${where}: expected ${wanted}, got ${shown(value)}`)
}

function shown(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
}

/** Options on top of others; an environment is merged like that of a profile. */
export function mergeOptions(under: ClusterOptions, over: ClusterOptions): ClusterOptions {
  const merged = { ...under, ...over }
  if (under.environment && over.environment)
    merged.environment = mergeEnvironments(under.environment, over.environment)
  return merged
}

/** Setting by setting, variables and the two ends of PATH one by one; a list replaces a list. */
export function mergeEnvironments(under: Environment, over: Environment): Environment {
  const said = Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined))
  const merged: Environment = {
    ...under,
    ...said,
    variables: { ...under.variables, ...over.variables },
  }
  if (under.packages || over.packages) merged.packages = mergePackages(under.packages, over.packages)
  if (under.path || over.path) merged.path = { ...under.path, ...over.path }
  return merged
}

function requireCount(value: unknown, name: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return
  throw invalid(name, value, 'a whole number from 1')
}

export const optionNames: readonly string[] = [...ownNames, ...resourceNames]
