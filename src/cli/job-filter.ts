import type { Command } from 'commander'
import { ConfigError } from '../core/errors.ts'
import type { JobState } from '../core/status.ts'
import type { ListFilter } from '../store/types.ts'
import { wrongWord } from './print.ts'
import { readTime } from './times.ts'

export interface FilterOptions {
  readonly state?: string
  readonly profile?: string
  readonly tag?: string
  readonly function?: string
  readonly since?: string
  readonly until?: string
  readonly limit?: string
}

export const jobStates: readonly JobState[] = ['NEW', 'QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED']
export const openStates: readonly JobState[] = ['NEW', 'QUEUED', 'ACTIVE']
/** What people call them. */
const others: Readonly<Record<string, readonly JobState[]>> = {
  OPEN: openStates,
  PENDING: ['NEW', 'QUEUED'],
  RUNNING: ['ACTIVE'],
  DONE: ['COMPLETED'],
  CANCELLED: ['CANCELED'],
}

export function filterOptions(command: Command): Command {
  return command
    .option('--state <states>', `only these, like FAILED,CANCELED; open: ${openStates.join(', ')}`)
    .option('--profile <name>', 'only jobs of this profile')
    .option('--tag <tag>', 'only jobs that have it')
    .option('--function <name>', 'only jobs of this function')
    .option('--since <time>', 'only jobs made since: 2d, 12h, 2026-03-01')
    .option('--until <time>', 'only jobs made before that')
    .option('--limit <number>', 'at most so many')
}

/** @throws ConfigError OPTION_INVALID */
export function filterOf(options: FilterOptions, now: number): ListFilter {
  const { state, since, until, limit, profile, tag } = options
  return {
    maps: true,
    ...(state === undefined ? {} : { state: readStates(state) }),
    ...(profile === undefined ? {} : { profile }),
    ...(tag === undefined ? {} : { tag }),
    ...(options.function === undefined ? {} : { function: options.function }),
    ...(since === undefined ? {} : { since: readTime(since, '--since', now).getTime() }),
    ...(until === undefined ? {} : { until: readTime(until, '--until', now).getTime() }),
    ...(limit === undefined ? {} : { limit: readCount(limit, '--limit') }),
  }
}

export function readStates(text: string): JobState[] {
  return text.split(',').flatMap((word) => {
    const name = word.trim().toUpperCase()
    const found = jobStates.find((state) => state === name)
    const meant = found ? [found] : others[name]
    if (!meant) throw wrongWord('--state', word, [...jobStates, ...Object.keys(others)])
    return meant
  })
}

export function readCount(text: string, option: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= 1) return count
  throw new ConfigError('OPTION_INVALID', `${option}: '${text}' is no whole number from 1`)
}
