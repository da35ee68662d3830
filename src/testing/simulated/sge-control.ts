import type { Call, Cluster, Job, Reply } from './model.ts'
import { isOver, phaseOf } from './model.ts'
import { readIndexes } from './options.ts'

/** What a name of `5`, `5.3`, `5.1-3` means; and -t RANGE, for all. */
function find(
  id: string,
  range: string | undefined,
  { jobs }: Cluster,
): { job: Job; indexes?: number[] } | undefined {
  const [, number, own] = /^(\d+)(?:\.(.+))?$/.exec(id) ?? []
  const job = jobs.get(Number(number))
  if (!job || isOver(job)) return undefined
  const indexes = readIndexes((own ?? range ?? '').replaceAll(/:1$/g, ''))
  return indexes ? { job, indexes } : { job }
}

export function qdel({ args, user }: Call, cluster: Cluster): Reply {
  const range = args.includes('-t') ? args[args.indexOf('-t') + 1] : undefined
  const lines: string[] = []
  let exitCode = 0
  for (const id of args
    .filter((arg, at) => /^\d/.test(arg) && args[at - 1] !== '-t')
    .flatMap((arg) => arg.split(','))) {
    const found = find(id, range, cluster)
    if (!found) {
      lines.push(`denied: job "${id.split('.')[0]}" does not exist`)
      exitCode = 1
      continue
    }
    lines.push(...end(found, user, cluster))
  }
  return { exitCode, stdout: lines.map((line) => `${line}\n`).join('') }
}

function end({ job, indexes }: { job: Job; indexes?: number[] }, user: string, cluster: Cluster): string[] {
  const open = job.members.filter(
    (member) => phaseOf(member).state !== 'ended' && (!indexes || indexes.includes(member.index!)),
  )
  if (open.length === 0) return indexes!.map((index) => `job "${job.number}" task "${index}" does not exist`)
  const lines = open.flatMap((member) => {
    if (phaseOf(member).state !== 'running') return []
    if (member.doom) return [`job ${job.number} is already in deletion`]
    const what =
      member.index === undefined ? `job ${job.number}` : `job-array task ${job.number}.${member.index}`
    return [`${user} has registered the ${what} for deletion`]
  })
  const waited = open.filter((member) => phaseOf(member).state !== 'running')
  cluster.end(job, indexes, 'deleted')
  if (waited.length === 0) return lines
  if (!indexes) return [...lines, `${user} has deleted job ${job.number}`]
  return [...lines, ...waited.map(({ index }) => `${user} has deleted job-array task ${job.number}.${index}`)]
}

/** -rj: another run of what runs. */
export function qmod({ args, user }: Call, cluster: Cluster): Reply {
  const [option, ...ids] = args
  if (option !== '-rj') return { exitCode: 1, stderr: `error: Unknown option ${option ?? ''}\n` }
  const replies = ids.map((id) => {
    const found = find(id, undefined, cluster)
    if (!found) return { exitCode: 1, line: `invalid queue or job "${id}"` }
    if (!found.job.requeue) return { exitCode: 1, line: `Job ${id} is not rerunnable` }
    cluster.end(found.job, found.indexes, 'requeued')
    return { exitCode: 0, line: `${user} - reschedules job ${id}` }
  })
  return {
    exitCode: Math.max(0, ...replies.map(({ exitCode }) => exitCode)),
    stdout: replies.map(({ line }) => `${line}\n`).join(''),
  }
}

export const qhold = (call: Call, cluster: Cluster) => change(call, cluster, 'hold')
export const qrls = (call: Call, cluster: Cluster) => change(call, cluster, 'release')

function change({ args }: Call, cluster: Cluster, how: 'hold' | 'release'): Reply {
  const lines: string[] = []
  let exitCode = 0
  for (const id of args.filter((arg) => /^\d/.test(arg))) {
    const found = find(id, undefined, cluster)
    if (found) cluster[how](found.job)
    else exitCode = 1
    lines.push(found ? `modified hold of job ${id}` : `denied: job "${id}" does not exist`)
  }
  return { exitCode, stdout: lines.map((line) => `${line}\n`).join('') }
}
