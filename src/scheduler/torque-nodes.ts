import type { Share } from '../core/capacity.ts'
import { readInteger, readSize } from './pbs-answers.ts'
import type { NodeReader } from './pbs-capacity.ts'
import { readNodeState } from './pbs-nodes.ts'

/**
 * A node of Torque: its cores by number, with the jobs that have them; memory as the node itself measures it.
 * http://docs.adaptivecomputing.com/torque/: "pbsnodes", "Node Properties", "Server node file".
 */
export const readTorqueNode: NodeReader = {
  capacity(node) {
    const np = readInteger(node.get('np'))
    const used = coresOf(node.get('jobs') ?? '')
    const exclusive = /job-exclusive/.test(node.get('state') ?? '')
    const state = readNodeState(node.get('state') ?? '', used > 0)
    const status = new Map(
      (node.get('status') ?? '').split(',').flatMap((part) => {
        const [, key, value] = /^(\w+)=(.*)$/.exec(part.trim()) ?? []
        return key === undefined ? [] : [[key, value!] as const]
      }),
    )
    const [physical, total, left] = ['physmem', 'totmem', 'availmem'].map((key) => readSize(status.get(key)))
    // Of what is available, swap is a part: what is used of both counts.
    const memory =
      physical === undefined || total === undefined || left === undefined
        ? undefined
        : { total: physical, used: Math.min(physical, Math.max(0, total - left)) }
    const gpus = gpusOf(readInteger(node.get('gpus')) ?? 0, node.get('gpu_status'), used > 0 || exclusive)
    return {
      state,
      ...(np === undefined ? {} : { cores: { total: np, used: exclusive ? np : Math.min(np, used) } }),
      ...(memory && { memory }),
      gpus: new Map(gpus ? [['', gpus]] : []),
    }
  },
  isFor(node, _, attributes) {
    // "Mapping a Queue to a Subset of Resources": jobs of the queue need nodes of that property.
    const needed = attributes.get('resources_default.neednodes')
    if (needed === undefined || /^\d/.test(needed)) return true
    const properties = (node.get('properties') ?? '').split(',')
    return needed.split(':').every((one) => properties.includes(one))
  },
}

/** '0/101.server, 1/101.server', and of newer ones '0-3,6/101.server'. */
function coresOf(jobs: string): number {
  let cores = 0
  for (const [, list] of jobs.matchAll(/(?:^|[\s,])([\d,-]+)\/[^\s,]+/g))
    for (const part of list!.split(',')) {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
      if (from !== undefined) cores += Number(to) - Number(from) + 1
    }
  return cores
}

/** Which of them are given away the node's status tells; where it does not, those of a node with jobs count as used. */
function gpusOf(total: number, status: string | undefined, runsJobs: boolean): Share | undefined {
  if (total === 0) return undefined
  const states = [...(status ?? '').matchAll(/gpu_state=(\w+)/g)].map(([, state]) => state)
  if (states.length < total) return { total, used: runsJobs ? total : 0 }
  return { total, used: states.filter((state) => state !== 'Unallocated').length }
}
