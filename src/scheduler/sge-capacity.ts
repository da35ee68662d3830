import {
  type NodeCapacity,
  type NodeState,
  type PartitionCapacity,
  type Share,
  sumNodes,
} from '../core/capacity.ts'
import type { CommandResult } from '../core/shell.ts'
import { readBytes, requireAnswer, text } from './sge-answers.ts'
import { amountAsked } from './sge-requests.ts'
import type { SgeResource, SgeSite } from './sge-site.ts'
import { readRecords, recordsIn } from './sge-xml.ts'

/** Of the first line of `qstat -help`: 'SGE 8.1.9', 'GE 6.2u5', 'UGE 8.6.18'. */
export function parseVersion(result: CommandResult): string | undefined {
  return /^[A-Z]*GE (\S+)\s*$/m.exec(text(result))?.[1]
}

/** What qstat is asked about on each node. A name that a site does not have, it refuses. */
export function capacityResources(site: SgeSite): readonly string[] {
  return ['slots', 'mem_total', 'mem_free', ...countedOf(site).map(({ name }) => name)]
}

/** Resources of which a node has less with each job. */
function countedOf({ asked, gpus, memory }: SgeSite): readonly SgeResource[] {
  return asked ? [gpus, memory[0]].filter((one) => one?.counted).map((one) => one!) : []
}

/** A queue on a node. */
interface Instance {
  readonly queue: string
  readonly host: string
  readonly state: NodeState
  readonly slots: Share
  readonly resources: ReadonlyMap<string, { readonly level: string; readonly value: string }>
  /** By resource: what jobs in this queue have of it. */
  readonly held: ReadonlyMap<string, number>
}

/** Of capacityScript: queues, each with the nodes that are in it. */
export function parseCapacity(result: CommandResult, site: SgeSite): PartitionCapacity[] {
  requireAnswer(result, 'qstat')
  const [list = '', limits = ''] = text(result).split(/^== limits$/m)
  const counted = countedOf(site)
  const instances = readInstances(list, counted)
  const onHost = new Map<string, number>()
  for (const { host, held } of instances)
    for (const [name, amount] of held)
      onHost.set(`${host}\0${name}`, (onHost.get(`${host}\0${name}`) ?? 0) + amount)
  const times = readTimes(limits)
  const memory = counted.find((one) => one === site.memory[0])
  const queues = new Map<string, NodeCapacity[]>()
  for (const instance of instances) {
    const share = (resource: SgeResource | undefined) => resource && sharesOf(instance, resource.name, onHost)
    const gpus = site.asked ? share(site.gpus?.counted ? site.gpus : undefined) : undefined
    const node: NodeCapacity = {
      state: instance.state,
      cores: instance.slots,
      ...optional('memory', share(memory) ?? loadOf(instance)),
      // A site that counts GPUs and says nothing of this node has none there.
      ...(site.asked && site.gpus ? { gpus: new Map(gpus ? [['', gpus]] : []) } : {}),
    }
    const before = queues.get(instance.queue)
    if (before) before.push(node)
    else queues.set(instance.queue, [node])
  }
  return [...queues].map(([name, nodes]) => ({
    name,
    // A job that names none goes to whichever has room.
    isDefault: true,
    up: nodes.some(({ state }) => state === 'idle' || state === 'allocated'),
    ...optional('timeLimitSeconds', times.get(name)),
    ...sumNodes(nodes),
  }))
}

const optional = <K extends string, V>(key: K, value: V | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V }

function readInstances(list: string, counted: readonly SgeResource[]): Instance[] {
  // What is for one job of a parallel environment on several nodes is with its first.
  const seen = new Set<string>()
  return recordsIn(list, 'Queue-List').flatMap((said) => {
    const own = said.replaceAll(/<job_list.*?<\/job_list>/gs, '')
    const [record] = readRecords(`<own>${own}</own>`, 'own')
    const {
      name = '',
      qtype = '',
      slots_used = '0',
      slots_resv = '0',
      slots_total = '0',
      state = '',
    } = record!
    const [queue = '', host = ''] = name.split('@')
    if (queue === '' || !/[BP]/.test(qtype)) return []
    const resources = new Map(
      [...own.matchAll(/<resource name="([\w-]+)" type="(\w+)">([^<]*)<\/resource>/g)].map(
        ([, resource, level, value]) => [resource!, { level: level!, value: value! }] as const,
      ),
    )
    const held = new Map<string, number>()
    for (const job of recordsIn(said, 'job_list'))
      for (const resource of counted) {
        const amount = amountAsked(job, resource, seen)
        if (amount) held.set(resource.name, (held.get(resource.name) ?? 0) + amount)
      }
    const used = Number(slots_used)
    const left = Number(resources.get('slots')?.value ?? slots_total)
    const slots = {
      total: Number(slots_total),
      used,
      free: Math.min(left, Number(slots_total) - used - Number(slots_resv)),
    }
    return [{ queue, host, state: readQueueState(state, used), slots, resources, held }]
  })
}

/**
 * Letters of a queue's state (qstat(1), https://gridscheduler.sourceforge.net/htmlman/htmlman1/qstat.html): disabled; unknown,
 * in error, orphaned; suspended in one way or another, not to be asked, ambiguous, and over its load threshold.
 */
function readQueueState(state: string, used: number): NodeState {
  if (/[uEo]/.test(state)) return 'down'
  if (state.includes('d')) return 'drained'
  if (/[sSCDca]/.test(state)) return 'other'
  return used > 0 ? 'allocated' : 'idle'
}

/** What is left of a counted resource, and what jobs have of it: on the node, or in this queue of it. */
function sharesOf(
  { host, resources, held }: Instance,
  name: string,
  onHost: ReadonlyMap<string, number>,
): Share | undefined {
  const left = resources.get(name)
  // Of the whole cluster, or no resource of the node but a limit of the queue.
  if (!left || !/^[hq]c$/.test(left.level)) return undefined
  const used = (left.level === 'hc' ? onHost.get(`${host}\0${name}`) : held.get(name)) ?? 0
  return { total: (readBytes(left.value) ?? 0) + used, used }
}

/** Memory as the node itself has it, where jobs are not promised any. */
function loadOf({ resources }: Instance): Share | undefined {
  const total = readBytes(resources.get('mem_total')?.value)
  const free = readBytes(resources.get('mem_free')?.value)
  return total === undefined || free === undefined ? undefined : { total, used: Math.max(0, total - free) }
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
