/** How much of something there is. What is neither used nor free is on nodes that take no jobs now. */
export interface Amount {
  readonly total: number
  /** Promised to jobs. */
  readonly used: number
  /** On nodes that take jobs now. */
  readonly free: number
}

/** GPUs, and how many of each kind where kinds are told apart. */
export interface GpuAmount extends Amount {
  readonly kinds: Readonly<Record<string, Amount>>
}

/** Nodes by what becomes of a job that goes there. Each is counted once: the rest adds up to `total`. */
export interface NodeCounts {
  readonly total: number
  readonly idle: number
  /** Jobs run there, wholly or in part. */
  readonly allocated: number
  /** Down, failed, or not answering. */
  readonly down: number
  /** Taken out by whoever runs the cluster, also when jobs still run there. */
  readonly drained: number
  /** Reserved, in maintenance, starting again, closed to us. */
  readonly other: number
}

/** A partition, a queue or a namespace, and what it has. What is not told there is absent. */
export interface PartitionCapacity {
  readonly name: string
  /** Where a job goes that names none. */
  readonly isDefault: boolean
  /** Whether jobs start there now. */
  readonly up: boolean
  /** Absent: no limit. */
  readonly timeLimitSeconds?: number
  readonly nodes?: NodeCounts
  readonly cores?: Amount
  /** Bytes. */
  readonly memory?: Amount
  readonly gpus?: GpuAmount
}

export type NodeState = Exclude<keyof NodeCounts, 'total'>

/** What one node has, and what jobs have of it. */
export interface NodeCapacity {
  readonly state: NodeState
  readonly cores?: Share
  readonly memory?: Share
  /** By kind; '' where kinds are not told. */
  readonly gpus?: ReadonlyMap<string, Share>
}

export interface Share {
  readonly total: number
  readonly used: number
  /** Where less is to be had than is not used. */
  readonly free?: number
}

const none: Amount = { total: 0, used: 0, free: 0 }

/** What nodes have together: what is on nodes that take no jobs is not free. */
export function sumNodes(
  nodes: Iterable<NodeCapacity>,
): Required<Pick<PartitionCapacity, 'nodes'>> & Pick<PartitionCapacity, 'cores' | 'memory' | 'gpus'> {
  const counts = { total: 0, idle: 0, allocated: 0, down: 0, drained: 0, other: 0 }
  let cores: Amount | undefined
  let memory: Amount | undefined
  let gpus: Amount | undefined
  const kinds = new Map<string, Amount>()
  for (const node of nodes) {
    counts.total++
    counts[node.state]++
    const takesJobs = node.state === 'idle' || node.state === 'allocated'
    if (node.cores) cores = add(cores, node.cores, takesJobs)
    if (node.memory) memory = add(memory, node.memory, takesJobs)
    for (const [kind, share] of node.gpus ?? []) {
      gpus = add(gpus, share, takesJobs)
      if (kind !== '') kinds.set(kind, add(kinds.get(kind), share, takesJobs))
    }
    if (node.gpus) gpus ??= none
  }
  return {
    nodes: counts,
    ...(cores && { cores }),
    ...(memory && { memory }),
    ...(gpus && { gpus: { ...gpus, kinds: Object.fromEntries(kinds) } }),
  }
}

function add({ total, used, free } = none, share: Share, takesJobs: boolean): Amount {
  const left = Math.max(0, Math.min(share.total - share.used, share.free ?? Number.POSITIVE_INFINITY))
  return { total: total + share.total, used: used + share.used, free: free + (takesJobs ? left : 0) }
}
