import { ConfigError } from '../core/errors.ts'
import type { Environment } from '../core/profile.ts'
import { type Resources, resourceNames } from '../core/resources.ts'

/**
 * What a call asks for: resources as in a profile, and where and how it runs.
 *
 * @example cluster({ cores: 8, memory: '16GB', time: '2h', profile: 'hpc' }, simulate)
 */
export interface ClusterOptions extends Omit<Resources, 'signal'> {
  /** A profile of the configuration; default: the configuration's, or this machine. */
  profile?: string
  /** Added to the profile's environment. */
  environment?: Environment
  /** Array members that may run at once. */
  concurrency?: number
  /** Items for each array member; 'auto' lets farcall choose. */
  chunk?: number | 'auto'
  /** An AbortSignal cancels the job; a string is the scheduler's signal before the time limit: 'USR1@90'. */
  signal?: AbortSignal | string
}

/** Options of one `map`. */
export interface MapOptions {
  chunk?: number | 'auto'
  concurrency?: number
  signal?: AbortSignal
}

const ownNames = ['profile', 'environment', 'concurrency', 'chunk', 'signal'] as const

export interface SplitOptions {
  readonly resources: Resources
  readonly profile: string | undefined
  readonly environment: Environment
  readonly concurrency: number | undefined
  readonly chunk: number | 'auto'
  readonly signal: AbortSignal | undefined
}

/** Options apart: what the scheduler is asked, and what is farcall's own. Unknown keys stay with the resources, which refuse them. */
export function splitOptions(options: ClusterOptions): SplitOptions {
  const resources: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!(ownNames as readonly string[]).includes(key)) resources[key] = value
  }
  const { signal, concurrency, chunk = 'auto', profile, environment = {} } = options
  if (typeof signal === 'string') resources['signal'] = signal
  if (concurrency !== undefined) requireCount(concurrency, 'concurrency')
  if (chunk !== 'auto') requireCount(chunk, 'chunk')
  return {
    resources: resources as Resources,
    profile,
    environment,
    concurrency,
    chunk,
    signal: typeof signal === 'string' ? undefined : signal,
  }
}

function requireCount(value: unknown, name: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return
  throw new ConfigError(
    'OPTION_INVALID',
    `${name}: expected a whole number from 1, got ${JSON.stringify(value)}`,
  )
}

export const optionNames: readonly string[] = [...ownNames, ...resourceNames]
