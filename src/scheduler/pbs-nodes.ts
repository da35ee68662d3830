import type { NodeState, Share } from '../core/capacity.ts'
import { readInteger, readSize } from './pbs-answers.ts'
import type { Attributes, NodeReader } from './pbs-capacity.ts'

/**
 * A node of PBS: what it has is resources_available, what jobs have resources_assigned.
 * https://help.altair.com: PBS Professional Reference Guide, "Vnode Attributes" and "Vnode States".
 */
export const readPbsNode: NodeReader = {
  capacity(node) {
    const used = readInteger(node.get('resources_assigned.ncpus')) ?? 0
    const cores = shareOf(node, 'ncpus', readInteger)
    const memory = shareOf(node, 'mem', readSize)
    const gpus = shareOf(node, 'ngpus', readInteger)
    return {
      state: readNodeState(node.get('state') ?? '', used > 0 || node.has('jobs')),
      ...(cores && { cores }),
      ...(memory && { memory }),
      gpus: new Map(gpus && gpus.total > 0 ? [['', gpus]] : []),
    }
  },
  isFor(node, queue, attributes) {
    const own = node.get('queue')
    // A node that is a queue's own takes nobody else's jobs, and a queue with nodes of its own uses no other.
    if (own !== undefined || attributes.get('hasnodes') === 'True') return own === queue
    // Sites join the two by a resource of their own, mostly Qlist: Administrator's Guide, "Associating Vnodes with Queues".
    return [...attributes].every(([key, value]) => {
      const resource = /^default_chunk\.(?!(?:ncpus|mem|ngpus|mpiprocs|ompthreads|vmem|host)$)(.+)$/.exec(
        key,
      )?.[1]
      return resource === undefined || listOf(node.get(`resources_available.${resource}`)).includes(value)
    })
  },
}

const listOf = (text = '') => text.split(',').map((one) => one.trim())

function shareOf(
  node: Attributes,
  resource: string,
  read: (text: string | undefined) => number | undefined,
): Share | undefined {
  const total = read(node.get(`resources_available.${resource}`))
  return total === undefined
    ? undefined
    : { total, used: read(node.get(`resources_assigned.${resource}`)) ?? 0 }
}

/** Several words with commas between: the worst counts. Torque has some of them as well. */
export function readNodeState(words: string, runsJobs: boolean): NodeState {
  const states = words.split(',').map((word) => word.trim())
  const has = (...wanted: string[]) => wanted.some((word) => states.includes(word))
  if (has('down', 'unknown', 'state-unknown', 'stale', 'unresolvable', 'Stale')) return 'down'
  if (has('offline')) return 'drained'
  const known = ['free', 'job-busy', 'job-exclusive', 'job-sharing', 'busy', 'time-shared', 'has-job']
  if (states.some((word) => !known.includes(word))) return 'other'
  // Busy by what others do there: it takes no jobs.
  if (has('busy')) return runsJobs ? 'allocated' : 'other'
  return runsJobs || has('job-busy', 'job-exclusive', 'job-sharing') ? 'allocated' : 'idle'
}
