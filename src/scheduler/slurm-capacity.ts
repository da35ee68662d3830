import type { CommandResult } from '../core/shell.ts'
import type { PartitionCapacity } from './scheduler.ts'
import { requireAnswer, text } from './slurm-answers.ts'

/** Of `sinfo --version`: 'slurm-wlm 22.05.8', 'slurm 24.05.1'. */
export function parseVersion(result: CommandResult): string | undefined {
  return /^slurm\S* (\S+)\s*$/m.exec(text(result))?.[1]
}

/** Of capacityScript: a line for each partition. */
export function parseCapacity(result: CommandResult): PartitionCapacity[] {
  requireAnswer(result, 'sinfo')
  return text(result)
    .split('\n')
    .flatMap((line) => {
      const match = /^([^|*]+)(\*?)\|(\w+)\|([^|]+)\|(\d+)\/(\d+)\/(\d+)\/(\d+)\|\s*$/.exec(line)
      if (!match) return []
      const [, name, star, availability, limit, allocated, idle, other, total] = match
      const timeLimitSeconds = readLimit(limit!)
      return [
        {
          name: name!,
          isDefault: star === '*',
          up: availability === 'up',
          ...(timeLimitSeconds === undefined ? {} : { timeLimitSeconds }),
          nodes: {
            total: Number(total),
            idle: Number(idle),
            allocated: Number(allocated),
            other: Number(other),
          },
        },
      ]
    })
}

/** Seconds of '1-00:00:00', '2:00:00', '30:00'; undefined for 'infinite' and 'n/a'. */
function readLimit(limit: string): number | undefined {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(limit)
  if (!match) return undefined
  const [, days = '0', hours = '0', minutes, seconds] = match
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}
