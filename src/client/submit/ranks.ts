import { ConfigError } from '../../core/errors.ts'
import type { Ranks } from '../../core/launcher.ts'
import type { JobSpec } from '../../core/protocol.ts'
import { isKubernetes } from '../../executor/kubernetes/name.ts'
import type { ClusterOptions } from '../options/options.ts'
import { splitOptions } from '../options/split-options.ts'
import type { NodePlace } from '../payload/node-seen.ts'

/** What is asked besides. */
type Beside = Pick<JobSpec, 'stream' | 'slots'>

/**
 * The processes that run each item together, by `nodes` and `tasksPerNode`. Undefined: there is one.
 * @throws ConfigError OPTION_INVALID for what several processes cannot do
 */
export function resolveRanks(
  { profile, resources, environment }: NodePlace,
  options: ClusterOptions,
  beside: Beside,
): Ranks | undefined {
  const { launcher = profile.launcher ?? 'auto', gather, parallel } = splitOptions(options)
  const { nodes = 1, tasksPerNode = 1 } = resources
  const isOne = launcher === 'single' || nodes * tasksPerNode === 1
  if (isOne && !gather) return undefined
  const refuse = (what: string, hint: string): never => {
    const why = isOne ? "gather: 'all'" : `several processes (nodes: ${nodes}, tasksPerNode: ${tasksPerNode})`
    throw new ConfigError('OPTION_INVALID', `${what} and ${why} do not go together`, { hint })
  }
  const single = "with launcher: 'single' one process runs it on the first node"
  if (isKubernetes(profile.scheduler)) refuse('Kubernetes', `a pod runs one process of a function; ${single}`)
  if (beside.stream) refuse('a generator function', `return what it yields as an array; ${single}`)
  if (parallel)
    refuse(`parallel: '${parallel}'`, 'split the loop by rank yourself: currentTask() has rank and size')
  if (beside.slots)
    refuse(
      'coresPerItem and gpusPerItem',
      'an item has all of its member: leave them out, and map over smaller jobs',
    )
  const contained = environment.container !== undefined && !isOne
  if (contained && (nodes > 1 || launcher === 'srun' || launcher === 'mpirun'))
    refuse(
      'a container',
      `inside of one there is no srun and no mpirun: ask for one node, with launcher 'multiple'; ${single}`,
    )
  const all = gather ? ({ gather: true } as const) : {}
  return isOne
    ? { launcher: 'multiple', nodes: 1, perNode: 1, ...all }
    : { launcher: contained ? 'multiple' : launcher, nodes, perNode: tasksPerNode, ...all }
}
