import { ConfigError } from '../core/errors.ts'
import { direct } from './direct.ts'
import { pbs } from './pbs.ts'
import type { Scheduler } from './scheduler.ts'
import { sge } from './sge.ts'
import { slurm } from './slurm.ts'
import { torque } from './torque.ts'

export const schedulers: readonly Scheduler[] = [slurm, sge, pbs, torque, direct]

/**
 * The scheduler of this name or alias, whatever its case.
 * @throws ConfigError SCHEDULER_UNKNOWN
 */
export function findScheduler(name: string): Scheduler {
  const wanted = name.toLowerCase()
  const found = schedulers.find(
    (scheduler) => scheduler.name === wanted || scheduler.aliases?.includes(wanted),
  )
  if (found) return found
  throw new ConfigError('SCHEDULER_UNKNOWN', `there is no scheduler ${JSON.stringify(name)}`, {
    hint: `schedulers are ${schedulers.map((scheduler) => scheduler.name).join(', ')}`,
  })
}
