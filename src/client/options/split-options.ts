import type { ContainerSettings } from '../../core/container-settings.ts'
import { type Launcher, launchers } from '../../core/launcher.ts'
import type { Environment } from '../../core/profile.ts'
import { resolveRetry } from '../../core/resolve-retry.ts'
import type { Memory, Resources } from '../../core/resources.ts'
import type { RetryPolicy } from '../../core/retry-policy.ts'
import { parseDuration, parseMemory } from '../../core/units.ts'
import type { StreamWindow } from '../../core/yields.ts'
import type { Progress } from '../job/job-array.ts'
import type { StageOptions } from '../staging/stage-options.ts'
import { type ClusterOptions, type GatheredOptions, ownNames } from './options.ts'
import { invalid, isRecord, requireCount, requireKnown } from './refusals.ts'

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
