import { type NodeCapacity, type NodeState, type PartitionCapacity, sumNodes } from '../core/capacity.ts'
import type { CommandResult } from '../core/shell.ts'
import { requireAnswer, text } from './slurm-answers.ts'
import { gpusIn } from './slurm-gres.ts'

/** Of `sinfo --version`: 'slurm-wlm 22.05.8', 'slurm 24.05.1'. */
export function parseVersion(result: CommandResult): string | undefined {
  return /^slurm\S* (\S+)\s*$/m.exec(text(result))?.[1]
}

/** Of capacityScript: a line for each partition, then one for each node that is in it. */
export function parseCapacity(result: CommandResult): PartitionCapacity[] {
  requireAnswer(result, 'sinfo')
  const [list = '', nodeList = ''] = text(result).split(/^== nodes$/m)
  const nodes = new Map<string, NodeCapacity[]>()
  for (const line of nodeList.split('\n')) {
    const found = readNode(line)
    if (!found) continue
    const [partition, node] = found
    const before = nodes.get(partition)
    if (before) before.push(node)
    else nodes.set(partition, [node])
  }
  return list.split('\n').flatMap((line) => {
    const match = /^([^|*]+)(\*?)\|(\w+)\|([^|]+)\|\d+\/\d+\/\d+\/\d+\|\s*$/.exec(line)
    if (!match) return []
    const [, name, star, availability, limit] = match
    const timeLimitSeconds = readLimit(limit!)
    return [
      {
        name: name!,
        isDefault: star === '*',
        up: availability === 'up',
        ...(timeLimitSeconds === undefined ? {} : { timeLimitSeconds }),
        ...sumNodes(nodes.get(name!) ?? []),
      },
    ]
  })
}

const mebi = 2 ** 20

/** 'short*|n1|mixed|2/2/0/4|4000|500|gpu:a100:2|gpu:a100:1(IDX:0)|' */
function readNode(line: string): readonly [partition: string, node: NodeCapacity] | undefined {
  const match =
    /^([^|*]+)\*?\|[^|]*\|([^|]+)\|(\d+)\/\d+\/\d+\/(\d+)\|(\d+)\|(\d+)\|([^|]*)\|([^|]*)\|\s*$/.exec(line)
  if (!match) return undefined
  const [, partition, word, cores, allCores, memory, usedMemory, gres, usedGres] = match
  const used = gpusIn(usedGres!)
  const gpus = new Map(
    [...gpusIn(gres!)].map(([kind, total]) => [kind, { total, used: used.get(kind) ?? 0 }] as const),
  )
  return [
    partition!,
    {
      state: readNodeState(word!),
      cores: { total: Number(allCores), used: Number(cores) },
      memory: { total: Number(memory) * mebi, used: Number(usedMemory) * mebi },
      gpus,
    },
  ]
}

/** https://slurm.schedmd.com/sinfo.html#SECTION_NODE-STATE-CODES */
const nodeStates: Record<string, NodeState> = {
  IDLE: 'idle',
  ALLOCATED: 'allocated',
  MIXED: 'allocated',
  COMPLETING: 'allocated',
  DOWN: 'down',
  FAIL: 'down',
  FAILING: 'down',
  ERROR: 'down',
  UNKNOWN: 'down',
  INVAL: 'down',
  NO_RESPOND: 'down',
  FUTURE: 'down',
  DRAINED: 'drained',
  DRAINING: 'drained',
  DRAIN: 'drained',
}

/**
 * A node that is switched off (~) is switched on for a job, and one that starts (#) is there soon; one that does not answer
 * (*), is being switched off (% and !), in maintenance ($), to be started again (@ and ^) or kept for a larger job (-) takes
 * none now. A word that is not known here is 'other': nothing there is counted as free.
 */
export function readNodeState(word: string): NodeState {
  const [, base = '', flags = ''] = /^([A-Za-z_]+)([^A-Za-z_]*)$/.exec(word) ?? []
  const state = nodeStates[base.toUpperCase()] ?? 'other'
  if (state === 'down' || state === 'drained') return state
  if (flags.includes('*')) return 'down'
  return /[%!$@^-]/.test(flags) ? 'other' : state
}

/** Seconds of '1-00:00:00', '2:00:00', '30:00'; undefined for 'infinite' and 'n/a'. */
export function readLimit(limit: string): number | undefined {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(limit)
  if (!match) return undefined
  const [, days = '0', hours = '0', minutes, seconds] = match
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}
