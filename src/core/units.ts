import { ConfigError } from './errors.ts'
import type { Duration, Memory } from './resources.ts'

// Binary powers throughout, as Slurm and PBS read K, M, G and T
// (https://slurm.schedmd.com/sbatch.html#OPT_mem): '16GB' is what `--mem=16G` grants.
const memoryPowers: Record<string, number> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 }
const timeUnits: Record<string, number> = { s: 1, m: 60, min: 60, h: 3600, d: 86400, w: 604800 }

/**
 * Bytes of a memory size. Units are powers of 1024, as schedulers count.
 * @throws ConfigError UNIT_INVALID
 * @example parseMemory('16GB') // 17179869184
 */
export function parseMemory(value: Memory, where = 'memory'): number {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value > 0) return value
  } else {
    const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?\s*$/i.exec(value)
    const bytes = match && Math.round(Number(match[1]) * 1024 ** memoryPowers[match[2]!.toLowerCase()]!)
    if (bytes && Number.isSafeInteger(bytes)) return bytes
  }
  throw new ConfigError('UNIT_INVALID', `${where}: ${JSON.stringify(value)} is not a memory size`, {
    hint: "write it like '512MB' or '16GB', or as a whole number of bytes",
  })
}

/**
 * How much of a disk must be free: a share of it, or bytes. 0 is both: no limit.
 * @throws ConfigError UNIT_INVALID
 * @example parseFree('2%') // { percent: 2 }
 */
export function parseFree(
  value: Memory,
  where = 'minFree',
): { readonly percent?: number; readonly bytes?: number } {
  if (value === 0 || value === '0') return { bytes: 0 }
  const match = typeof value === 'string' && /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(value)
  if (match && Number(match[1]) < 100) return { percent: Number(match[1]) }
  try {
    return { bytes: parseMemory(value, where) }
  } catch (cause) {
    throw new ConfigError('UNIT_INVALID', `${where}: ${JSON.stringify(value)} is no amount of disk space`, {
      hint: "write it like '2%' or '10GB'; 0 is no limit",
      cause,
    })
  }
}

/**
 * Seconds of a duration: '90s', '2h', '1d12h', 'HH:MM:SS', 'MM:SS', 'D-HH:MM:SS', or a number of seconds.
 * @throws ConfigError UNIT_INVALID
 * @example parseDuration('1-12:00:00') // 129600
 */
export function parseDuration(value: Duration, where = 'time'): number {
  const seconds = typeof value === 'number' ? value : (clockSeconds(value) ?? unitSeconds(value))
  if (seconds !== undefined && Number.isFinite(seconds) && seconds > 0) return seconds
  throw new ConfigError('UNIT_INVALID', `${where}: ${JSON.stringify(value)} is not a duration`, {
    hint: "write it like '90s', '2h', '02:00:00' or '1-00:00:00', or as a number of seconds",
  })
}

function clockSeconds(text: string): number | undefined {
  const match = /^\s*(?:(\d+)-)?(\d+):(\d{1,2})(?::(\d{1,2}))?\s*$/.exec(text)
  if (!match) return undefined
  const [, days, first, second, third] = match
  if (Number(second) > 59 || Number(third ?? 0) > 59) return undefined
  // Slurm reads D-HH:MM as hours and minutes, and MM:SS without days.
  const clock =
    third !== undefined
      ? Number(first) * 3600 + Number(second) * 60 + Number(third)
      : days !== undefined
        ? Number(first) * 3600 + Number(second) * 60
        : Number(first) * 60 + Number(second)
  return Number(days ?? 0) * 86400 + clock
}

function unitSeconds(text: string): number | undefined {
  const compact = text.replace(/\s+/g, '').toLowerCase()
  if (/^\d+(\.\d+)?ms$/.test(compact)) return Number.parseFloat(compact) / 1000
  if (!/^(?:\d+(?:\.\d+)?(?:min|[smhdw]))+$/.test(compact)) return undefined
  let total = 0
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(min|[smhdw])/g))
    total += Number(amount) * timeUnits[unit!]!
  return total
}

/** '16 GB', '1.5 GB', '300 MB': in the largest unit that it fills. */
export function formatMemory(bytes: number): string {
  const unit = memoryUnit(bytes)
  return `${inUnit(bytes, unit)} ${unit.name}`
}

/** '15.9 of 16 GB', in the unit of what was asked; '46 MB of 64 GB' of what is nothing in that. */
export function formatMemoryOf(used: number, asked: number): string {
  const unit = memoryUnit(asked)
  if (used > 0 && inUnit(used, unit) < 0.5 && used < unit.size / 2)
    return `${formatMemory(used)} of ${formatMemory(asked)}`
  return `${inUnit(used, unit)} of ${inUnit(asked, unit)} ${unit.name}`
}

/** '61 s', and from ten minutes on '2:00:05'. */
export function formatSeconds(seconds: number): string {
  return seconds < 600 ? `${tenths(seconds)} s` : clock(seconds)
}

/** '61 of 60 s', '2:00:05 of 2:00:00', in the form of what was asked; '4.2 s of 2:00:00' of what is nothing in that. */
export function formatSecondsOf(used: number, asked: number): string {
  if (asked < 600) return `${tenths(used)} of ${tenths(asked)} s`
  return `${used < 60 ? `${tenths(used)} s` : clock(used)} of ${clock(asked)}`
}

function memoryUnit(bytes: number): { name: string; size: number } {
  const names = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']
  const power = Math.max(
    0,
    names.findLastIndex((_, index) => bytes >= 1024 ** index),
  )
  return { name: names[power]!, size: 1024 ** power }
}

const inUnit = (bytes: number, { size }: { size: number }) => tenths(bytes / size)
const tenths = (value: number) => Math.round(value * 10) / 10

function clock(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}
