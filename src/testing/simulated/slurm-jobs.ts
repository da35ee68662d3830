import type { Cluster, Job, Member, Phase } from './model.ts'
import { phaseAt } from './model.ts'

/** Its only node, and its partitions, the default one first. */
export const node = 'node1'
export const partitions: readonly string[] = ['short', 'long']

export const cannotConnect = 'Unable to contact slurm controller (connect failure)'

/** A member as it was seen at a time. */
export interface Seen {
  readonly job: Job
  readonly member: Member
  readonly phase: Phase
}

export function seenOf(job: Job, time: number): Seen[] {
  return job.members.flatMap((member) => {
    const phase = phaseAt(member, time)
    return phase ? [{ job, member, phase }] : []
  })
}

/** Of `5`, `5_3`, and of a member's own number; without `member`: the whole job. */
export function findAll(id: string, { jobs }: Cluster): { job: Job; member?: Member }[] {
  const [, number, index] = /^(\d+)(?:_(\d+))?$/.exec(id) ?? []
  if (number === undefined) return []
  const job = jobs.get(Number(number))
  if (job && index === undefined) return [{ job }]
  const members = job
    ? job.members.filter((member) => member.index === Number(index)).map((member) => ({ job, member }))
    : [...jobs.values()].flatMap((each) =>
        each.members
          .filter((member) => member.number === Number(number))
          .map((member) => ({ job: each, member })),
      )
  return members
}

/** Slurm's word for where a member stands. */
export function stateOf({ phase }: Seen): string {
  if (phase.state === 'running') return 'RUNNING'
  if (phase.state !== 'ended') return 'PENDING'
  switch (phase.cause) {
    case 'time':
      return 'TIMEOUT'
    case 'memory':
      return 'OUT_OF_MEMORY'
    case 'node':
      return 'NODE_FAIL'
    case 'preempted':
      return 'PREEMPTED'
    case 'deleted':
    case 'dependency':
      return 'CANCELLED'
    default:
      return phase.exitCode === 0 ? 'COMPLETED' : 'FAILED'
  }
}

/** What %r says: why it waits, or how it ended. */
export function reasonOf(seen: Seen, { knobs, asOf }: Cluster): string {
  const { job, member, phase } = seen
  const state = stateOf(seen)
  if (state === 'FAILED')
    return phase.cause === 'launch' || phase.signal ? 'JobLaunchFailure' : 'NonZeroExitCode'
  if (state === 'TIMEOUT') return 'TimeLimit'
  if (state === 'OUT_OF_MEMORY') return 'OutOfMemory'
  if (state !== 'PENDING') return 'None'
  if (phase.state === 'held') {
    if (phase.cause === 'dependency') return 'DependencyNeverSatisfied'
    return job.depends.length > 0 && !job.held ? 'Dependency' : 'JobHeldUser'
  }
  if (job.cores > (knobs.cores ?? 4)) return 'PartitionConfig'
  if (member.restarts > 0) return 'BeginTime'
  const running = seenOf(job, asOf).filter((other) => other.phase.state === 'running').length
  if (running > 0 && running >= (job.array?.throttle ?? Number.POSITIVE_INFINITY)) return 'JobArrayTaskLimit'
  return asOf - job.submittedAt < (knobs.startDelay ?? 0) * 1000 ? 'Priority' : 'Resources'
}

/** code:signal */
export function exitCodeOf({ phase }: Seen): string {
  switch (phase.cause) {
    case 'launch':
      return '0:53'
    case 'memory':
      return '0:125'
    case 'time':
    case 'node':
    case 'preempted':
    case 'dependency':
    case 'deleted':
      return '0:0'
    default:
      return `${phase.exitCode ?? 0}:${phase.signal ?? 0}`
  }
}

/** What waits of an array and has never begun is one record; each other member one of its own. */
export function recordsOf(job: Job, cluster: Cluster): Seen[][] {
  const groups = new Map<string, Seen[]>()
  for (const seen of seenOf(job, cluster.asOf)) {
    const waits = seen.phase.state !== 'running' && seen.phase.state !== 'ended'
    const isWhole = (waits || seen.member.startedAt === undefined) && seen.member.restarts === 0
    const key =
      isWhole && seen.phase.cause !== 'launch'
        ? `${stateOf(seen)} ${reasonOf(seen, cluster)}`
        : `${seen.member.index}`
    groups.set(key, [...(groups.get(key) ?? []), seen])
  }
  return [...groups.values()]
}

/** 2-9%2 */
export function taskText(seen: readonly Seen[], isPending: boolean): string {
  const indexes = seen.map(({ member }) => member.index!)
  const ranges: [number, number][] = []
  for (const index of indexes) {
    const last = ranges.at(-1)
    if (last && index === last[1] + 1) last[1] = index
    else ranges.push([index, index])
  }
  const text = ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
  const { throttle } = seen[0]!.job.array!
  return isPending && throttle ? `${text}%${throttle}` : text
}
