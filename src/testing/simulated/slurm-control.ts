import { userInfo } from 'node:os'
import type { Call, Cluster, Reply } from './model.ts'
import { phaseOf } from './model.ts'
import { readOptions, writeClock } from './options.ts'
import {
  exitCodeOf,
  findAll,
  node,
  partitions,
  reasonOf,
  recordsOf,
  type Seen,
  stateOf,
  taskText,
} from './slurm-jobs.ts'

const invalidId = 'Invalid job id specified'

export function scancel({ args }: Call, cluster: Cluster): Reply {
  const { operands } = readOptions(args, new Set(['-M', '--clusters', '-u', '--user']))
  for (const id of operands)
    for (const { job, member } of findAll(id, cluster))
      if (member && member.index !== undefined) cluster.end(job, [member.index], 'deleted')
      else cluster.end(job, undefined, 'deleted')
  // 22.05 says nothing of those that it does not know.
  return { exitCode: 0 }
}

export function scontrol({ args }: Call, cluster: Cluster): Reply {
  const { operands } = readOptions(args, new Set(['-M', '--clusters']))
  const [verb, what = '', id = ''] = operands
  if (verb === 'show' && what === 'config') return config(cluster)
  if (verb === 'show' && what === 'job') return showJob(id, cluster)
  if (verb === 'show' && what === 'node')
    return {
      exitCode: 0,
      stdout: `NodeName=${node} Arch=x86_64\n   NodeAddr=127.0.0.1 NodeHostName=${node}\n\n`,
    }
  if (verb === 'requeue') return requeue(what, cluster)
  if (verb === 'hold' || verb === 'release') {
    const found = findAll(what, cluster)
    if (found.length === 0) return { exitCode: 1, stderr: `${invalidId} for job ${what}\n` }
    for (const { job } of found) verb === 'hold' ? cluster.hold(job) : cluster.release(job)
    return { exitCode: 0 }
  }
  return { exitCode: 1, stderr: `invalid keyword: ${verb ?? ''}\n` }
}

function config({ knobs }: Cluster): Reply {
  const settings = [
    ['AccountingStorageEnforce', knobs.maxJobs === undefined ? 'none' : 'associations,limits'],
    ['AccountingStorageType', `accounting_storage/${knobs.accounting === false ? 'none' : 'slurmdbd'}`],
    ['ClusterName', 'lab'],
    ['MaxArraySize', String(knobs.maxArraySize)],
  ]
  return { exitCode: 0, stdout: settings.map(([key, value]) => `${key!.padEnd(23)} = ${value}\n`).join('') }
}

function requeue(id: string, cluster: Cluster): Reply {
  const found = findAll(id, cluster)
  if (found.length === 0) return { exitCode: 1, stderr: `${invalidId} for job ${id}\n` }
  for (const { job, member } of found) {
    const members = member ? [member] : job.members
    if (!job.requeue)
      return { exitCode: 1, stderr: `Requested operation is presently disabled for job ${id}\n` }
    if (members.every((each) => phaseOf(each).state !== 'running'))
      return { exitCode: 1, stderr: `Job is pending execution for job ${id}\n` }
    const indexes = member?.index === undefined ? undefined : [member.index]
    cluster.end(job, indexes, 'requeued')
  }
  return { exitCode: 0 }
}

function showJob(id: string, cluster: Cluster): Reply {
  const [found] = findAll(id, cluster)
  const records = found
    ? recordsOf(found.job, cluster).filter(
        (record) => !found.member || record.some(({ member }) => member === found.member),
      )
    : []
  if (records.length === 0) return { exitCode: 1, stderr: `slurm_load_jobs error: ${invalidId}\n` }
  return { exitCode: 0, stdout: records.map((record) => describe(record, cluster)).join('') }
}

function describe(record: readonly Seen[], cluster: Cluster): string {
  const seen = record[0]!
  const { job, member, phase } = seen
  const array =
    member.index === undefined
      ? ''
      : ` ArrayJobId=${job.number} ArrayTaskId=${taskText(record, member.startedAt === undefined)}`
  const until = phase.state === 'ended' ? phase.at : cluster.asOf
  const ran =
    member.startedAt === undefined || phase.state === 'queued' ? 0 : (until - member.startedAt) / 1000
  const limit = job.timeSeconds === undefined ? 'UNLIMITED' : writeClock(job.timeSeconds)
  const time = (at: number | undefined) =>
    at === undefined ? 'Unknown' : new Date(at).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)
  const ids = `UserId=${job.user}(${job.uid}) GroupId=${job.user}(${userInfo().gid})`
  return [
    `JobId=${member.number ?? job.number}${array} JobName=${job.name}`,
    `   ${ids} MCS_label=N/A`,
    '   Priority=4294901760 Nice=0 Account=lab QOS=normal',
    `   JobState=${cluster.knobs.unknownState ?? stateOf(seen)} Reason=${reasonOf(seen, cluster)} Dependency=(null)`,
    `   Requeue=${Number(job.requeue ?? false)} Restarts=${member.restarts} BatchFlag=1 Reboot=0 ExitCode=${exitCodeOf(seen)}`,
    `   RunTime=${writeClock(ran)} TimeLimit=${limit} TimeMin=N/A`,
    `   SubmitTime=${time(job.submittedAt)} EligibleTime=${time(job.submittedAt)}`,
    `   StartTime=${time(member.startedAt)} EndTime=${time(phase.state === 'ended' ? phase.at : undefined)} Deadline=N/A`,
    `   Partition=${job.queue ?? partitions[0]} AllocNode:Sid=login:1`,
    `   NumNodes=1 NumCPUs=${job.cores} NumTasks=1 CPUs/Task=${job.cores} ReqB:S:C:T=0:0:*:*`,
    `   Command=${job.submitArgs}`,
    `   WorkDir=${job.cwd ?? '/'}`,
    '   Power=',
    '   ',
    '',
  ].join('\n')
}

/** On this machine a step beside a job is a process of whoever asks. */
export function srun({ args }: Call): Reply {
  if (args.includes('--help'))
    return { exitCode: 0, stdout: 'Usage: srun [OPTIONS(0)... [executable(0)\n      --overlap\n' }
  const at = args.findIndex((arg) => !arg.startsWith('-'))
  return at < 0
    ? { exitCode: 1, stderr: 'srun: fatal: No command given to execute.\n' }
    : { exitCode: 0, exec: args.slice(at) }
}
