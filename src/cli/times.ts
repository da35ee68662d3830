import { ConfigError } from '../core/errors.ts'
import { parseDuration } from '../core/units.ts'

/** '12 s', '3 min', '5 h', '2 d': how long, in one unit. */
export function inOneUnit(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 100) return `${seconds} s`
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/** '2026-03-01 14:05:09', by the clock of this machine. */
export function localTime(time: number): string {
  const date = new Date(time)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** A time as one gives it on a command line: '2d' ago, or '2026-03-01' (of this machine's clock), '2026-03-01T12:00Z'. */
export function readTime(text: string, option: string, now: number): Date {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text)
  if (isDay || /^\d{4}-\d{2}-\d{2}[T ]\d/.test(text)) {
    const time = Date.parse(isDay ? `${text}T00:00` : text)
    if (!Number.isNaN(time)) return new Date(time)
  }
  try {
    return new Date(now - parseDuration(text, option) * 1000)
  } catch (cause) {
    throw new ConfigError('OPTION_INVALID', `${option}: '${text}' is no time`, {
      hint: `how long ago, like 2d or 12h, or when: ${option} 2026-03-01`,
      cause,
    })
  }
}
