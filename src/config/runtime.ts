import type { Config } from './types.ts'

let current: Config = {}

/**
 * Types a farcall.config.ts; gives the same object back.
 * @example
 * import { defineConfig } from 'farcall'
 *
 * export default defineConfig({ profiles: { hpc: { scheduler: 'slurm', host: 'login.hpc.edu' } } })
 */
export function defineConfig<const C extends Config>(config: C): C {
  return config
}

/**
 * Sets configuration from code: it wins over environment and files, and merges by key with what was set before.
 * It is checked with the rest, at the next call that needs it (CONFIG_INVALID).
 * @example
 * import { configure } from 'farcall'
 *
 * configure({ defaultProfile: 'hpc', profiles: { hpc: { scheduler: 'slurm', resources: { partition: 'debug' } } } })
 */
export function configure(partial: Config): void {
  current = combine(current, partial) as Config
}

/**
 * What `configure()` has set so far, as a copy; files and environment are not in it.
 * @example
 * import { configure, getConfig } from 'farcall'
 *
 * configure({ defaultProfile: 'hpc' })
 * console.log(getConfig().defaultProfile) // hpc
 */
export function getConfig(): Config {
  return combine({}, current) as Config
}

/** Forgets what `configure()` has set. */
export function resetConfig(): void {
  current = {}
}

// Plain copies: a caller who changes the object later does not change the configuration.
function combine(under: unknown, over: unknown): unknown {
  if (Array.isArray(over)) return over.map((item) => combine(undefined, item))
  if (!isPlain(over)) return over
  const result: Record<string, unknown> = isPlain(under) ? { ...under } : {}
  for (const [key, value] of Object.entries(over)) {
    Object.defineProperty(result, key, {
      value: combine(Object.hasOwn(result, key) ? result[key] : undefined, value),
      writable: true,
      enumerable: true,
      configurable: true,
    })
  }
  return result
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
