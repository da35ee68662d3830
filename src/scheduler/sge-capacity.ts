import type { CommandResult } from '../core/shell.ts'
import type { PartitionCapacity } from './scheduler.ts'
import { requireAnswer, text } from './sge-answers.ts'
import { readRecords } from './sge-xml.ts'

/** Of the first line of `qstat -help`: 'SGE 8.1.9', 'GE 6.2u5', 'UGE 8.6.18'. */
export function parseVersion(result: CommandResult): string | undefined {
  return /^[A-Z]*GE (\S+)\s*$/m.exec(text(result))?.[1]
}

/** Of capacityScript: queues, each with the nodes that are in it. */
export function parseCapacity(result: CommandResult): PartitionCapacity[] {
  requireAnswer(result, 'qstat')
  const [list = '', limits = ''] = text(result).split(/^== limits$/m)
  const queues = new Map<string, { total: number; idle: number; allocated: number; other: number }>()
  for (const { name = '', qtype = '', slots_used, state = '' } of readRecords(
    list.replaceAll(/<job_list.*?<\/job_list>/gs, ''),
    'Queue-List',
  )) {
    const queue = name.split('@')[0]!
    if (queue === '' || !/[BP]/.test(qtype)) continue
    const nodes = queues.get(queue) ?? { total: 0, idle: 0, allocated: 0, other: 0 }
    nodes.total++
    // Disabled, unknown, in error, suspended, not to be asked: no job starts there now.
    if (/[duEsSCDo]/.test(state)) nodes.other++
    else if (Number(slots_used) > 0) nodes.allocated++
    else nodes.idle++
    queues.set(queue, nodes)
  }
  const times = readTimes(limits)
  return [...queues].map(([name, nodes]) => {
    const timeLimitSeconds = times.get(name)
    return {
      name,
      // A job that names none goes to whichever has room.
      isDefault: true,
      up: nodes.other < nodes.total,
      ...(timeLimitSeconds === undefined ? {} : { timeLimitSeconds }),
      nodes,
    }
  })
}

/** Of `qconf -sq`: h_rt of each queue, as it is where no host has its own. */
function readTimes(limits: string): Map<string, number> {
  const times = new Map<string, number>()
  let queue = ''
  for (const line of limits.split('\n')) {
    queue = /^qname\s+(\S+)/.exec(line)?.[1] ?? queue
    const [, hours, minutes, seconds] = /^h_rt\s+(\d+):(\d+):(\d+)/.exec(line) ?? []
    if (seconds !== undefined) times.set(queue, Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds))
  }
  return times
}
