import type { ErrorCode } from '../../core/error-codes.ts'
import { FarcallError } from '../../core/errors.ts'

/** The rungs of the ladder, in order. Stable: scripts may rely on them. */
export const rungs = [
  'name',
  'port',
  'host-key',
  'login',
  'shell',
  'link',
  'workdir',
  'permissions',
  'space',
  'quota',
  'scheduler',
  'partitions',
  'limits',
  'node',
  'job',
  'compute-node',
  'shared-folder',
  'clock',
] as const

export type Rung = (typeof rungs)[number]

/**
 * 'warning': jobs run, and something is better mended. 'failed': jobs will not run, or not all of them.
 * 'skipped': it could not be looked at, and `found` says why.
 */
export type Verdict = 'ok' | 'slow' | 'warning' | 'failed' | 'skipped'

/** What was found at one rung. */
export interface Step {
  readonly name: Rung
  readonly verdict: Verdict
  /** In words, one line. */
  readonly found: string
  /** What to do. */
  readonly hint?: string
  /** The error that a call would end with; docs/errors/CODE.md explains it. */
  readonly code?: ErrorCode
  /** The figures behind the words; seconds and bytes. */
  readonly facts?: Readonly<Record<string, unknown>>
}

type Facts = NonNullable<Step['facts']>

export const ok = (name: Rung, found: string, facts?: Facts): Step => step(name, 'ok', found, { facts })
export const skipped = (name: Rung, found: string): Step => step(name, 'skipped', found, {})

/** Something to do. */
export function trouble(
  name: Rung,
  verdict: 'slow' | 'warning' | 'failed',
  found: string,
  hint: string,
  more: { code?: ErrorCode; facts?: Facts } = {},
): Step {
  return step(name, verdict, found, { hint, ...more })
}

/** What a call would be told, too. */
export function failure(name: Rung, error: unknown, fallbackHint: string, facts?: Facts): Step {
  if (!(error instanceof FarcallError)) throw error
  // The message of an error carries its hint.
  const found = error.hint === undefined ? error.message : error.message.split('\n  hint: ')[0]!
  return step(name, 'failed', found, { hint: error.hint ?? fallbackHint, code: error.code, facts })
}

function step(
  name: Rung,
  verdict: Verdict,
  found: string,
  more: { hint?: string; code?: ErrorCode; facts?: Facts | undefined },
): Step {
  const { hint, code, facts } = more
  return {
    name,
    verdict,
    found: found.trim().replace(/\s*\n\s*/g, '; '),
    ...(hint === undefined ? {} : { hint }),
    ...(code === undefined ? {} : { code }),
    ...(facts === undefined ? {} : { facts }),
  }
}

/** '3 ms', '1.4 s', '2 min', '1 h 5 min' */
export function span(seconds: number): string {
  const size = Math.abs(seconds)
  if (size < 1) return `${Math.round(size * 1000)} ms`
  if (size < 120) return `${Math.round(size * 10) / 10} s`
  const minutes = Math.round(size / 60)
  if (minutes < 60) return `${minutes} min`
  if (minutes >= 2 * 1440) return `${Math.round(minutes / 144) / 10} days`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
