import { inspect } from 'node:util'
import { ConfigError } from './errors.ts'
import { nearest } from './nearest.ts'
import type { Duration } from './resources.ts'
import { type RetryOptions, type RetryPolicy, type RetryReason, retryReasons } from './retry-policy.ts'
import { parseDuration } from './units.ts'

const names = ['retries', 'backoff', 'base', 'cap', 'on', 'escalate'] as const
const factors = ['memory', 'time'] as const

/** What is no fault of the user's and may pass. Not 'lost': such a job may still be running somewhere. */
const passing: readonly RetryReason[] = ['node-failure', 'preempted', 'launch-failed', 'submit-failed']

/**
 * The `retry` option complete; a number alone is `retries`.
 * @throws ConfigError OPTION_INVALID, OPTION_UNKNOWN, UNIT_INVALID
 */
export function resolveRetry(given: unknown, where = 'retry'): RetryPolicy {
  const options = (
    typeof given === 'number' ? { retries: given } : record(given, names, where)
  ) as RetryOptions
  const { retries = 0, backoff = 'exp', base = '2s', cap = '60s', on, escalate = {} } = options
  if (!Number.isSafeInteger(retries) || retries < 0)
    throw invalid(typeof given === 'object' ? `${where}.retries` : where, retries, 'a whole number from 0')
  if (backoff !== 'fixed' && backoff !== 'exp') throw invalid(`${where}.backoff`, backoff, "'fixed' or 'exp'")
  const more = record(escalate, factors, `${where}.escalate`) as { memory?: number; time?: number }
  for (const name of factors) {
    const factor = more[name]
    if (factor !== undefined && !(Number.isFinite(factor) && factor > 1))
      throw invalid(`${where}.escalate.${name}`, factor, 'a factor above 1, like 2')
  }
  return {
    retries,
    backoff,
    baseMs: milliseconds(base, `${where}.base`),
    capMs: milliseconds(cap, `${where}.cap`),
    on: reasons(on, more, `${where}.on`),
    escalate: more,
  }
}

function milliseconds(given: unknown, where: string): number {
  if (typeof given !== 'number' && typeof given !== 'string')
    throw invalid(where, given, "a duration like '2s', or a number of seconds")
  return Math.min(Number.MAX_SAFE_INTEGER, 1000 * parseDuration(given as Duration, where))
}

function reasons(
  on: unknown,
  escalate: { memory?: number; time?: number },
  where: string,
): readonly RetryReason[] {
  const given = on ?? passing
  if (!Array.isArray(given)) throw invalid(where, on, "a list of reasons: ['node-failure']")
  for (const reason of given) {
    if ((retryReasons as readonly unknown[]).includes(reason)) continue
    const near = typeof reason === 'string' ? nearest(reason, retryReasons) : undefined
    throw new ConfigError('OPTION_INVALID', `${where}: ${shown(reason)} is no reason to try again`, {
      hint: near ? `did you mean '${near}'?` : `reasons are ${retryReasons.join(', ')}`,
    })
  }
  const all = new Set<RetryReason>(given)
  if (escalate.memory !== undefined) all.add('out-of-memory')
  if (escalate.time !== undefined) all.add('timeout')
  return [...all]
}

function record(value: unknown, known: readonly string[], where: string): object {
  if (typeof value !== 'object' || Object.prototype.toString.call(value) !== '[object Object]')
    throw invalid(where, value, where === 'retry' ? 'a number, or a record like { retries: 3 }' : 'a record')
  for (const key of Object.keys(value!)) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    throw new ConfigError('OPTION_UNKNOWN', `${where}.${key}: there is no such setting of retry`, {
      hint: near ? `did you mean '${near}'?` : `settings are ${known.join(', ')}`,
    })
  }
  return { ...value }
}

const shown = (value: unknown) =>
  typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 0, breakLength: Infinity })

function invalid(where: string, value: unknown, wanted: string): ConfigError {
  return new ConfigError('OPTION_INVALID', `${where}: expected ${wanted}, got ${shown(value)}`)
}
