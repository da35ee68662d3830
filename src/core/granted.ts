/** What a process may use of the machine that it is on, by what the kernel and the scheduler say. */

/** What is read of the machine. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Processors that the machine has. */
  readonly processors: number
  /** A file's text; undefined when it cannot be read. */
  read(path: string): string | undefined
}

/**
 * Cores that this process may keep busy: what the scheduler granted, less where the kernel gives less. `asked` is what
 * was asked for; undefined: all that there are.
 */
export function grantedCores(asked: number | undefined, machine: Machine): number {
  const { processors, read } = machine
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status') ?? '')?.[1]
  const quotas = [
    ...limits(machine, '', 'cpu.max', (text) => {
      const [quota, period] = text.split(' ').map(Number)
      return quota! / period!
    }),
    ...limits(
      machine,
      'cpu',
      'cpu.cfs_quota_us',
      (text, beside) => Number(text) / Number(beside('cpu.cfs_period_us')),
    ),
  ]
  const cores = Math.min(asked ?? processors, allowed ? countOf(allowed) : processors, ...quotas)
  return Math.max(1, Math.floor(cores))
}

/** Bytes that this process may use; undefined where nobody set a limit. */
export function grantedMemory(asked: number | undefined, machine: Machine): number | undefined {
  const all = [
    ...(asked === undefined ? [] : [asked]),
    ...limits(machine, '', 'memory.max', Number),
    ...limits(machine, 'memory', 'memory.limit_in_bytes', Number),
  ]
  const least = Math.min(...all)
  // Version 1 has a number near 2 ** 63 where there is no limit.
  return least < 2 ** 60 ? least : undefined
}

/** In the order in which the vendors' libraries go by them. */
const gpuVariables = [
  'CUDA_VISIBLE_DEVICES',
  'ROCR_VISIBLE_DEVICES',
  'HIP_VISIBLE_DEVICES',
  'ZE_AFFINITY_MASK',
]

/** The GPUs of this process, as the vendor's own variable numbers or names them. */
export function grantedGpus({ env }: Pick<Machine, 'env'>): string[] {
  for (const name of [...gpuVariables, 'SLURM_JOB_GPUS', 'GPU_DEVICE_ORDINAL']) {
    const value = env[name]
    if (value === undefined || value === '') continue
    // What CUDA does: an id that is none hides all after it.
    const ids = value.split(',').map((id) => id.trim())
    const none = ids.findIndex((id) => /^(-\d+|NoDevFiles|none|)$/i.test(id))
    return none < 0 ? ids : ids.slice(0, none)
  }
  return []
}

/** The variables by which the vendors' libraries see GPUs, for each of `count` processes that have `each` of their own. */
export function dealGpus(
  { env }: Pick<Machine, 'env'>,
  count: number,
  each: number,
): Record<string, string>[] | undefined {
  if (each === 0) return Array.from({ length: count }, () => ({}))
  const names = [...gpuVariables, 'GPU_DEVICE_ORDINAL'].filter((name) => env[name])
  // Where a site's scheduler sets none of them, CUDA's is what programs look at.
  const lists =
    names.length > 0 ? names.map((name) => [name, grantedGpus({ env: { [name]: env[name] } })] as const) : []
  const all = lists.length > 0 ? lists : [['CUDA_VISIBLE_DEVICES', grantedGpus({ env })] as const]
  if (all.some(([, ids]) => ids.length < count * each)) return undefined
  return Array.from({ length: count }, (_, slot) =>
    Object.fromEntries(all.map(([name, ids]) => [name, ids.slice(slot * each, (slot + 1) * each).join()])),
  )
}

/** Processes that the kernel has killed for the memory of this one's control group; undefined where that is not told. */
export function oomKills({ read }: Machine): number | undefined {
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined) continue
    const file = controllers.split(',').includes('memory')
      ? `/sys/fs/cgroup/memory${group}/memory.oom_control`
      : `/sys/fs/cgroup${group}/memory.events`
    const count = /^oom_kill (\d+)$/m.exec(read(file) ?? '')?.[1]
    if (count !== undefined) return Number(count)
  }
  return undefined
}

/** '0-3,8' */
function countOf(list: string): number {
  let count = 0
  for (const range of list.split(',')) {
    const [from, to = from] = range.split('-').map(Number)
    count += to! - from! + 1
  }
  return count
}

/** Limits of this process' control group and of those above it; '' is the controller of version 2. */
function limits(
  { read }: Machine,
  controller: string,
  file: string,
  parse: (text: string, beside: (file: string) => string | undefined) => number,
): number[] {
  const found: number[] = []
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || !controllers.split(',').includes(controller)) continue
    for (let path = group!; ; path = path.slice(0, path.lastIndexOf('/'))) {
      const folder = `/sys/fs/cgroup${controller && `/${controller}`}${path === '/' ? '' : path}`
      const limit = parse(read(`${folder}/${file}`)?.trim() ?? '', (other) => read(`${folder}/${other}`))
      // 'max', and -1, are none.
      if (limit > 0) found.push(limit)
      if (path.length <= 1) break
    }
  }
  return found
}
