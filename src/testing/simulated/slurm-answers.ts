import type { Call, Cluster, Reply } from './model.ts'
import { phaseAt, wasOver } from './model.ts'
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

const names: Readonly<Record<string, string>> = {
  '-M': '--clusters',
  '-O': '--Format',
  '-a': '--all',
  '-h': '--noheader',
  '-j': '--jobs',
  '-n': '--noheader',
  '-o': '--format',
  '-r': '--array',
  '-t': '--states',
  '-u': '--user',
}
const valued = new Set('-M -O -j -o -t -u --clusters --Format --jobs --format --states --user'.split(' '))

function read(args: readonly string[]) {
  const { options, operands } = readOptions(args, valued)
  return { options: new Map(options.map(([name, value]) => [names[name] ?? name, value])), operands }
}

/** Slurm writes no more of a list of tasks than that, unless SLURM_BITSTR_LEN says otherwise; 0 is no limit. */
const usualTaskLength = 64

export function squeue({ args, env }: Call, cluster: Cluster): Reply {
  const { options } = read(args)
  const asked = options.get('--jobs')?.split(',')
  const found = asked?.flatMap((id) => findAll(id, cluster))
  // Of several, those that are not known are passed over.
  if (asked?.length === 1 && found?.length === 0)
    return { exitCode: 1, stderr: 'slurm_load_jobs error: Invalid job id specified\n' }
  const of = options.get('--user')?.split(',')
  const states = options.get('--states')?.toUpperCase().split(',')
  const records = [...cluster.jobs.values()]
    .filter((job) => !of || of.includes(job.user) || of.includes(String(job.uid)))
    .flatMap((job) => {
      const all = recordsOf(job, cluster)
      return options.has('--array') ? all.flatMap((record) => record.map((seen) => [seen])) : all
    })
    .filter(([seen]) => {
      const state = stateOf(seen!)
      return states ? states.includes(state) || states.includes(stateLetters[state]!) : isOpen(seen!)
    })
    .filter(
      ([seen]) =>
        !found || found.some(({ job, member }) => job === seen!.job && (!member || member === seen!.member)),
    )
    .sort(([a], [b]) => Number(isRunning(a!)) - Number(isRunning(b!)))
  const most = Number(env['SLURM_BITSTR_LEN'] ?? usualTaskLength)
  const fields = records.map((record) => queueFields(record, cluster, most))
  const lines = fields.map((each) => layOut(options.get('--Format'), options.get('--format'), each))
  return { exitCode: 0, stdout: lines.map((line) => `${line}\n`).join('') }
}

const isRunning = ({ phase }: Seen) => phase.state === 'running'
const isOpen = ({ phase }: Seen) => phase.state !== 'ended'
const stateLetters: Readonly<Record<string, string>> = { PENDING: 'PD', RUNNING: 'R' }

function queueFields(record: readonly Seen[], cluster: Cluster, most: number): Record<string, string> {
  const seen = record[0]!
  const { job, member } = seen
  const tasks = member.index === undefined ? 'N/A' : taskText(record, !isRunning(seen))
  const cut = most > 0 && tasks.length > most ? `${tasks.slice(0, most)}...` : tasks
  const number = String(member.number ?? job.number)
  return {
    ArrayJobID: String(job.number),
    ArrayTaskID: cut,
    BatchHost: isRunning(seen) ? node : '',
    Command: job.submitArgs,
    JobArrayID: member.index === undefined ? number : `${job.number}_${record.length > 1 ? `[${cut}]` : cut}`,
    JobID: number,
    Name: job.name,
    Partition: job.queue ?? partitions[0]!,
    Reason: reasonOf(seen, cluster),
    RestartCnt: String(member.restarts),
    State: cluster.knobs.unknownState ?? stateOf(seen),
    StateCompact: stateLetters[stateOf(seen)] ?? stateOf(seen),
    TimeLimit: job.timeSeconds === undefined ? 'UNLIMITED' : clock(job.timeSeconds),
    UserName: job.user,
  }
}

/** Letters of --format. */
const letters: Readonly<Record<string, string>> = {
  A: 'JobID',
  B: 'BatchHost',
  F: 'ArrayJobID',
  K: 'ArrayTaskID',
  P: 'Partition',
  T: 'State',
  i: 'JobArrayID',
  j: 'Name',
  l: 'TimeLimit',
  o: 'Command',
  r: 'Reason',
  t: 'StateCompact',
  u: 'UserName',
}
const usualFormat = '%.18i %.9P %.8j %.8u %.2t %R'

/** `Field:width`, 0: as wide as it is, with what follows it; or %letter. */
function layOut(
  wide: string | undefined,
  format = usualFormat,
  fields: Readonly<Record<string, string>>,
): string {
  if (wide === undefined)
    return format.replaceAll(/%\.?(\d*)([A-Za-z])/g, (_, width: string, letter: string) => {
      const value = fields[letters[letter] ?? 'Reason'] ?? ''
      return width === '' ? value : value.slice(0, Number(width)).padStart(Number(width))
    })
  return wide
    .split(',')
    .map((field) => {
      const [, name = '', width = '20', rest = ''] = /^([A-Za-z]+)(?::\.?(\d+)(.*))?$/.exec(field) ?? []
      const value =
        Object.entries(fields).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1] ?? ''
      return (Number(width) === 0 ? value : value.slice(0, Number(width)).padEnd(Number(width))) + rest
    })
    .join('')
}

/** 1-02:03:04, 2:03:04, 3:04 */
function clock(seconds: number): string {
  const days = Math.floor(seconds / 86_400)
  const rest = writeClock(seconds % 86_400)
  return days > 0 ? `${days}-${rest}` : rest.replace(/^00:/, '').replace(/^0/, '')
}

export function sacct({ args }: Call, cluster: Cluster): Reply {
  if (cluster.knobs.accounting === false)
    return { exitCode: 1, stderr: 'Slurm accounting storage is disabled\n' }
  const { options } = read(args)
  const columns = (options.get('--format') ?? 'JobID,State,ExitCode').split(',')
  const asked = options.get('--jobs')?.split(',')
  const found =
    asked?.flatMap((id) => findAll(id, cluster)) ?? [...cluster.jobs.values()].map((job) => ({ job }))
  const lines = found.flatMap(({ job, member }: { job: Seen['job']; member?: Seen['member'] }) =>
    recordsOf(job, cluster)
      .filter((record) => !member || record.some((seen) => seen.member === member))
      .flatMap((record) => accounts(record, cluster)),
  )
  const header = options.has('--noheader') ? [] : [columns.join('|')]
  const rows = [...new Set(lines)].map((fields) => columns.map((column) => fields[column] ?? '').join('|'))
  return { exitCode: 0, stdout: [...header, ...rows].map((row) => `${row}\n`).join('') }
}

/** A job's line, and that of the script, which alone knows of memory. */
function accounts(record: readonly Seen[], cluster: Cluster): Record<string, string>[] {
  const seen = record[0]!
  const { job, member, phase } = seen
  const began = phase.state === 'running' || (phase.state === 'ended' && member.startedAt !== undefined)
  const waitsStill = member.startedAt === undefined
  const tasks = member.index === undefined ? '' : taskText(record, waitsStill)
  const id =
    member.index === undefined ? `${job.number}` : `${job.number}_${waitsStill ? `[${tasks}]` : tasks}`
  const until = phase.state === 'ended' ? phase.at : cluster.asOf
  const elapsed = began ? Math.max(0, Math.floor((until - member.startedAt!) / 1000)) : 0
  const end = phase.state === 'ended' ? String(Math.floor(phase.at / 1000)) : 'Unknown'
  const state = stateOf(seen)
  const common = {
    End: end,
    ElapsedRaw: String(elapsed),
    TotalCPU: cpuTime(phase.state === 'ended' ? member.cpuSeconds : 0),
  }
  const word = state === 'CANCELLED' ? `CANCELLED by ${job.uid}` : state
  const line = {
    JobID: id,
    State: cluster.knobs.unknownState ?? word,
    ExitCode: exitCodeOf(seen),
    UID: String(job.uid),
    MaxRSS: '',
    JobName: job.name,
    ...common,
  }
  if (!began || phase.cause === 'launch') return [line]
  const cutOff = ['CANCELLED', 'TIMEOUT', 'PREEMPTED', 'NODE_FAIL'].includes(state)
  const batch = {
    JobID: `${id}.batch`,
    State: cutOff ? 'CANCELLED' : state,
    ExitCode: cutOff ? '0:15' : exitCodeOf(seen),
    UID: '',
    MaxRSS: phase.state === 'ended' ? String(member.peakMemory) : '',
    JobName: 'batch',
    ...common,
  }
  return [line, batch]
}

/** 00:00.004, 01:02:03 */
function cpuTime(seconds: number): string {
  if (seconds === 0) return '00:00:00'
  if (seconds >= 3600) return writeClock(seconds)
  const minutes = String(Math.floor(seconds / 60)).padStart(2, '0')
  return `${minutes}:${(seconds % 60).toFixed(3).padStart(6, '0')}`
}

export function sacctmgr({ args }: Call, { knobs }: Cluster): Reply {
  if (args.includes('associations')) return { exitCode: 0, stdout: `${knobs.maxJobs ?? ''}|normal\n` }
  return { exitCode: 0, stdout: 'normal|\n' }
}

/** Of --Format in the order that farcall asks for: a line for the only node in each partition. */
function nodeLines({ jobs, asOf, knobs }: Cluster): Reply {
  const running = [...jobs.values()].flatMap((job) =>
    job.members.filter((member) => phaseAt(member, asOf)?.state === 'running').map(() => job),
  )
  const { cores = 4 } = knobs
  const used = running.reduce((sum, job) => sum + job.cores, 0)
  const memory = running.reduce((sum, job) => sum + Math.ceil((job.memoryBytes ?? 0) / 2 ** 20), 0)
  const state = used === 0 ? 'idle' : used < cores ? 'mixed' : 'allocated'
  const lines = partitions.map(
    (name, at) =>
      `${name}${at === 0 ? '*' : ''}|${node}|${state}|${used}/${cores - used}/0/${cores}|16384|${memory}|(null)|gpu:0|\n`,
  )
  return { exitCode: 0, stdout: lines.join('') }
}

export function sinfo({ args }: Call, cluster: Cluster): Reply {
  if (args.includes('--version')) return { exitCode: 0, stdout: 'slurm-wlm 22.05.8\n' }
  const { options } = read(args)
  const busy = [...cluster.jobs.values()].some(
    (job) => !wasOver(job, cluster.asOf) && job.members.some(({ pid }) => pid !== undefined),
  )
  if (args.includes('--Node')) return nodeLines(cluster)
  const { maxTime } = cluster.knobs
  const lines = partitions.map((name, at) => {
    const fields: Record<string, string> = {
      P: at === 0 ? `${name}*` : name,
      a: 'up',
      l: maxTime === undefined ? 'infinite' : clock(maxTime),
      F: `${busy ? '1/0' : '0/1'}/0/1`,
      N: node,
    }
    return (options.get('--format') ?? '%P|%a|%l|%F').replaceAll(
      /%([A-Za-z])/g,
      (_, letter) => fields[letter] ?? '',
    )
  })
  return { exitCode: 0, stdout: lines.map((line) => `${line}\n`).join('') }
}
