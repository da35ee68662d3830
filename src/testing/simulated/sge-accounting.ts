import type { Call, Cluster, Job, Member, Phase, Reply } from './model.ts'

const rule = `${'='.repeat(62)}\n`

/** qacct -o OWNER -j [ID]: a record for each run of each task, in the order in which they ended. */
export function qacct({ args }: Call, cluster: Cluster): Reply {
  const { knobs, asOf, jobs } = cluster
  if (knobs.accounting === false)
    return {
      exitCode: 1,
      stderr:
        '/var/lib/gridengine/default/common/accounting: No such file or directory\nno jobs running since startup\n',
    }
  const owner = args.includes('-o') ? args[args.indexOf('-o') + 1] : undefined
  const id = args[args.indexOf('-j') + 1]
  const isOne = id !== undefined && /^\d+$/.test(id)
  const records = [...jobs.values()]
    .filter((job) => (owner === undefined || job.user === owner) && (!isOne || job.number === Number(id)))
    .flatMap((job) => job.members.flatMap((member) => runsOf(job, member)))
    .filter(({ end }) => end.at <= asOf)
    .sort((a, b) => a.end.at - b.end.at)
  if (isOne && records.length === 0) return { exitCode: 1, stderr: `error: job id ${id} not found\n` }
  return { exitCode: 0, stdout: records.map((record) => rule + write(record)).join('') }
}

interface Run {
  readonly job: Job
  readonly member: Member
  /** Undefined: it could not be started. */
  readonly startedAt: number | undefined
  readonly end: Phase
}

/** What has never been started leaves no record, unless that was an error. */
function runsOf(job: Job, member: Member): Run[] {
  return member.phases.flatMap((end, at): Run[] => {
    const before = member.phases[at - 1]
    if (before?.state === 'running') return [{ job, member, startedAt: before.at, end }]
    return end.cause === 'launch' ? [{ job, member, startedAt: undefined, end }] : []
  })
}

const signalNames: Readonly<Record<number, string>> = {
  6: 'Aborted',
  9: 'Killed',
  10: 'User defined signal 1',
  11: 'Segmentation fault',
  15: 'Terminated',
}

function write({ job, member, startedAt, end }: Run): string {
  const { failed, exit } = endOf(end)
  const wasLost = failed.startsWith('19') || startedAt === undefined
  const seconds = wasLost ? 0 : Math.floor((end.at - startedAt) / 1000)
  const signal = signalNames[exit - 128]
  const fields: [string, string | number][] = [
    ['qname', job.queue?.split(',')[0] ?? 'all.q'],
    ['hostname', 'node1'],
    ['group', job.user],
    ['owner', job.user],
    ['project', 'NONE'],
    ['department', 'defaultdepartment'],
    ['jobname', job.name],
    ['jobnumber', job.number],
    ['taskid', member.index ?? 'undefined'],
    ['account', 'sge'],
    ['priority', 0],
    ['qsub_time', date(job.submittedAt)],
    ['start_time', wasLost ? '-/-' : date(startedAt)],
    ['end_time', wasLost ? '-/-' : date(end.at)],
    ['granted_pe', job.cores === 1 ? 'NONE' : 'smp'],
    ['slots', job.cores],
    ['failed', failed],
    ['exit_status', signal === undefined ? exit : `${String(exit).padEnd(20)} (${signal})`],
    ['ru_wallclock', `${seconds}s`],
    // The kernel's number of kB, which 8.1.9 writes as if it were bytes.
    ['ru_maxrss', size(wasLost ? 0 : member.peakMemory / 1024)],
    ['cpu', `${(wasLost ? 0 : member.cpuSeconds).toFixed(3)}s`],
    ['mem', '0.000Bs'],
    ['io', '0.000B'],
    ['maxvmem', size(wasLost ? 0 : member.peakVirtual)],
    ['category', job.category ?? 'NONE'],
  ]
  return fields.map(([key, value]) => `${key.padEnd(12)} ${String(value).padEnd(20)}\n`).join('')
}

/** Of sge_status(5): what went wrong around it, and with what it ended. */
function endOf({ cause, exitCode, signal, state }: Phase): { failed: string; exit: number } {
  const exit = signal === undefined ? (exitCode ?? 0) : 128 + signal
  if (cause === 'launch' && exitCode === undefined)
    return { failed: '26  : opening input/output file', exit: 0 }
  if (cause === 'node') return { failed: '19  : before writing exit_status', exit: 0 }
  if (state === 'queued') return { failed: '25  : rescheduling', exit }
  if (cause === 'time' || cause === 'memory')
    return { failed: '37  : qmaster enforced h_rt, h_cpu, or h_vmem limit', exit }
  return exit > 128 ? { failed: '100 : assumedly after job', exit } : { failed: '0    ', exit }
}

/** 1.459GB */
function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(3)}${['B', 'KB', 'MB', 'GB', 'TB'][power]}`
}

/** Sun Nov 29 01:10:15 2026 */
function date(at: number): string {
  const [day, month, number, year, clock] = new Date(at).toString().split(' ')
  return `${day} ${month} ${number!.replace(/^0/, ' ')} ${clock} ${year}`
}
