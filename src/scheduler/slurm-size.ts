import type { CommandResult } from '../core/shell.ts'
import { text } from './slurm-answers.ts'

/**
 * Of sizeLimitScript: how many members an array may have. MaxArraySize caps the index, and max_array_tasks the number
 * (https://slurm.schedmd.com/slurm.conf.html#OPT_max_array_tasks).
 */
export function parseSizeLimit(result: CommandResult): number | undefined {
  const said = text(result)
  const known = [
    /^MaxArraySize\s*=\s*(\d+)\s*$/m.exec(said)?.[1],
    /^SchedulerParameters\s*=.*\bmax_array_tasks=(\d+)/m.exec(said)?.[1],
  ].filter((size) => size !== undefined)
  return known.length === 0 ? undefined : Math.max(1, Math.min(...known.map(Number)))
}

/** Of sizeLimitScript: bytes that a script may have. */
export function parseScriptSize(result: CommandResult): number | undefined {
  const size = /^SchedulerParameters\s*=.*\bmax_script_size=(\d+)/m.exec(text(result))?.[1]
  return size === undefined ? undefined : Number(size)
}

/**
 * Of sizeLimitScript: how many jobs the user may have submitted. Which association and QOS a job comes to have is decided
 * later, so the most generous ones count: a submission is never smaller than it has to be.
 */
export function parseSubmitLimit(result: CommandResult): number | undefined {
  const lines = text(result).split('\n')
  const qos = new Map<string, number>()
  for (const line of lines) {
    const [, name, most] = /^qos\|([^|]*)\|(-?\d*)\s*$/.exec(line) ?? []
    if (name !== undefined) qos.set(name, limit(most!))
  }
  const associations = lines.flatMap((line) => {
    const [, most, names] = /^association\|(-?\d*)\|([^|]*)$/.exec(line) ?? []
    if (names === undefined) return []
    const own = names.split(',').map((name) => qos.get(name.trim()) ?? Number.POSITIVE_INFINITY)
    return [Math.min(limit(most!), Math.max(...own))]
  })
  const most = associations.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...associations)
  return Number.isFinite(most) ? Math.max(1, most) : undefined
}

/** Nothing, or -1 in older ones, is no limit. */
const limit = (text: string) => (text === '' || Number(text) < 0 ? Number.POSITIVE_INFINITY : Number(text))
