import { clockTime } from '../../core/clock.ts'
import { capacityTable } from './capacity-table.ts'
import type { PlaceReport, ResourcesSeen } from './place-resources.ts'

/** 'hpc: free GPUs: gpu 4 of 8': of those that have any. */
export function resourcesText({ partitions, profile }: ResourcesSeen, minGpus: number | undefined): string {
  if (minGpus === undefined) return `${profile}\n${capacityTable(partitions, 80).trimEnd()}`
  const having = partitions.filter(({ gpus }) => (gpus?.total ?? 0) > 0)
  const enough = having.filter(({ gpus }) => gpus!.free >= minGpus)
  const told = (enough.length > 0 ? enough : having).map(
    ({ name, gpus }) => `${name} ${gpus!.free} of ${gpus!.total}`,
  )
  return `${profile}: ${enough.length > 0 ? '' : `no partition has ${minGpus} `}free GPUs: ${told.join(', ')}`
}

/** Several lines: what is free, the queue, and one's own jobs. */
export function reportText({ profile, time, partitions, notes, queue, jobs }: PlaceReport): string {
  const counts = Object.entries(jobs).map(([state, count]) => `${count} ${state}`)
  return [
    `${clockTime(time)}  ${profile}`,
    capacityTable(partitions, 80).trimEnd(),
    ...(queue
      ? [
          `queue: ${queue.running} running, ${queue.waiting} waiting; yours: ${queue.mine.running} running, ${queue.mine.waiting} waiting`,
        ]
      : []),
    `jobs on record: ${counts.length === 0 ? 'none under way, none ended since' : counts.join(', ')}`,
    ...notes.map((note) => `note: ${note}`),
    '',
  ].join('\n')
}
