import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Asked, Call, Cluster, Dependency, Dialect, Job, Member, Phase, Reply } from './model.ts'
import { isOver, phaseAt, Refused, wasOver } from './model.ts'
import { directivesOf, readBytes, readClock, readIndexes, readOptions, writeClock } from './options.ts'
import { nodeStatus, queueStatus, serverStatus } from './pbs-nodes.ts'

/** PBS Professional, and Torque where it differs: https://help.altair.com and https://docs.adaptivecomputing.com/torque. */
export function pbsDialect(kind: 'pbs' | 'torque'): Dialect {
  const isTorque = kind === 'torque'
  return {
    questions: new Set(['qstat', 'qselect', 'pbsnodes']),
    killsAtOnce: new Set(['memory', 'node']),
    withoutOutput: 'runs',
    endsHopeless: true,
    outage: ({ command }) => ({
      exitCode: 111,
      stderr: `Connection refused\n${command}: cannot connect to server ${server} (errno=111)\n`,
    }),
    refusal: (words) => ({ exitCode: 1, stderr: `qsub: ${words}\n` }),
    lostAnswer: { exitCode: 137, stderr: 'qsub: End of File\n' },
    run(call, cluster) {
      if (call.command === 'qsub') return qsub(call, cluster, isTorque)
      if (call.command === 'qstat') return qstat(call, cluster, isTorque)
      if (call.command === 'qdel') return qdel(call, cluster)
      if (call.command === 'qselect') return qselect(call, cluster)
      if (call.command === 'pbsnodes') return nodeStatus(cluster, isTorque)
      return qmgr(cluster, isTorque)
    },
    launch: (job, { index }) => ({
      ...(job.output === undefined ? {} : { output: job.output }),
      env: {
        PBS_JOBID: index === undefined ? idOf(job) : idOf(job, index),
        PBS_JOBNAME: job.name,
        PBS_O_HOST: 'login',
        PBS_QUEUE: job.queue ?? 'workq',
        ...(isTorque ? { PBS_NUM_PPN: String(job.cores) } : { NCPUS: String(job.cores) }),
        ...(index === undefined ? {} : { [isTorque ? 'PBS_ARRAYID' : 'PBS_ARRAY_INDEX']: String(index) }),
      },
    }),
  }
}

const server = 'pbs'

function idOf(job: Job, index?: number): string {
  return `${job.number}${job.array ? `[${index ?? ''}]` : ''}.${server}`
}

const valued = new Set('-N -q -A -l -J -t -W -p -m -M -r -S -j -o -e -C -a -u -v'.split(' '))

function qsub(call: Call, cluster: Cluster, isTorque: boolean): Reply {
  const given = readOptions(call.args, valued)
  const [file] = given.operands
  const script = file === undefined ? call.stdin : readFileSync(resolve(call.cwd, file), 'utf8')
  const prefix = given.options.find(([name]) => name === '-C')?.[1] ?? '#PBS'
  const inScript = directivesOf(script, prefix).flatMap((words) => readOptions(words, valued).options)
  // Of an option that is given twice, the command's counts: it is read last.
  const options = [...inScript, ...given.options]
  const asked: { -readonly [K in keyof Asked]?: Asked[K] } = { cores: 1, depends: [] }
  for (const [name, value] of options) readOption(asked, name, value, isTorque, cluster)
  if (cluster.knobs.maxTime !== undefined && (asked.timeSeconds ?? 0) > cluster.knobs.maxTime)
    throw new Refused('qsub: Job violates queue and/or server resource limits', 188)
  const { maxJobs, maxArraySize = 1000 } = cluster.knobs
  if (maxJobs !== undefined && [...cluster.jobs.values()].filter((job) => !isOver(job)).length >= maxJobs)
    throw new Refused("qsub: would exceed complex's per-user limit of jobs in the queue", 196)
  if ((asked.array?.indexes.length ?? 0) > maxArraySize)
    throw new Refused('qsub: Array job exceeds server or queue size limit', 210)
  const { PATH = '/usr/bin:/bin', HOME = '/', USER = call.user, LOGNAME = call.user } = call.env
  const job = cluster.submit(
    {
      name: file?.split('/').at(-1)?.slice(0, 15) ?? 'STDIN',
      cores: 1,
      depends: [],
      ...asked,
      script,
      submitArgs: call.args.join(' '),
      env: { PATH, HOME, USER, LOGNAME, PBS_O_PATH: PATH, PBS_O_HOME: HOME, PBS_O_WORKDIR: call.cwd },
    },
    call,
  )
  return { exitCode: 0, stdout: `${idOf(job)}\n` }
}

function readOption(
  asked: { -readonly [K in keyof Asked]?: Asked[K] },
  name: string,
  value: string,
  isTorque: boolean,
  cluster: Cluster,
): void {
  if (name === '-N') {
    if (!/^[\x21-\x7e]{1,15}$/.test(value)) throw new Refused('qsub: illegal -N value', 2)
    asked.name = value
  }
  if (name === '-q') {
    if (value === 'nowhere') throw new Refused('qsub: Unknown queue', 170)
    asked.queue = value
  }
  if (name === '-S') asked.shell = value
  if (name === '-o') asked.output = value
  if (name === '-r' && !/^[yn]$/.test(value)) throw new Refused('qsub: illegal -r value', 2)
  if (name === '-W') for (const part of value.split(';')) readAttribute(asked, part, cluster)
  if (name === '-l')
    for (const part of isTorque ? value.split(',') : [value]) readResource(asked, part, isTorque)
  if (name === '-J' || name === '-t') {
    if ((name === '-t') !== isTorque) throw new Refused(`qsub: invalid option -- '${name[1]}'`, 2)
    const [range = '', throttle] = value.split('%')
    const indexes = readIndexes(range)
    const isOne = /^\d+$/.test(range) || /^(\d+)-\1$/.test(range)
    if (!indexes || (!isTorque && (isOne || range.includes(','))))
      throw new Refused(isTorque ? 'qsub: illegal -t value' : 'qsub: illegal -J value', 2)
    asked.array = { indexes, ...(throttle === undefined ? {} : { throttle: Number(throttle) }) }
  }
}

function readAttribute(
  asked: { -readonly [K in keyof Asked]?: Asked[K] },
  text: string,
  cluster: Cluster,
): void {
  const depend = /^depend=(.*)$/.exec(text)?.[1]
  if (depend === undefined) return
  const depends: Dependency[] = depend.split(',').flatMap((one) => {
    const [kind = '', ...ids] = one.split(':')
    return ids.map((id) => {
      const number = Number(/^\d+/.exec(id)?.[0])
      if (!/^(after|afterok|afternotok|afterany)$/.test(kind) || !cluster.jobs.has(number))
        throw new Refused('qsub: illegal -W value', 2)
      return { kind: kind as Dependency['kind'], number }
    })
  })
  asked.depends = [...(asked.depends ?? []), ...depends]
}

function readResource(
  asked: { -readonly [K in keyof Asked]?: Asked[K] },
  text: string,
  isTorque: boolean,
): void {
  const [, name = '', value = ''] = /^([\w.]+)=(.*)$/.exec(text) ?? []
  if (name === 'walltime') {
    const seconds = readClock(value, 1)
    if (seconds === undefined)
      throw new Refused('qsub: Illegal attribute or resource value Resource_List.walltime', 2)
    asked.timeSeconds = seconds
  } else if (name === 'mem') setMemory(asked, value)
  else if (name === 'select' && !isTorque) {
    const chunks = value.split('+').map((chunk) => {
      const [count = '1', ...parts] = /^\d+(:|$)/.test(chunk) ? chunk.split(':') : ['1', ...chunk.split(':')]
      return {
        count: Number(count),
        parts: new Map(parts.map((part) => part.split('=') as [string, string])),
      }
    })
    asked.cores = chunks.reduce((sum, { count, parts }) => sum + count * Number(parts.get('ncpus') ?? 1), 0)
    const memory = chunks[0]?.parts.get('mem')
    if (memory !== undefined) setMemory(asked, memory)
  } else if (name === 'nodes' && isTorque) {
    asked.cores = value.split('+').reduce((sum, part) => {
      const count = Number(/^\d+(?=:|$)/.exec(part)?.[0] ?? 1)
      return sum + count * Number(/ppn=(\d+)/.exec(part)?.[1] ?? 1)
    }, 0)
  } else if (!['place', 'qos', 'ncpus'].includes(name))
    throw new Refused(`qsub: Unknown resource Resource_List.${name}`, 2)
}

function setMemory(asked: { -readonly [K in keyof Asked]?: Asked[K] }, value: string): void {
  const bytes = readBytes(value, 1)
  if (bytes === undefined) throw new Refused('qsub: Illegal attribute or resource value Resource_List.mem', 2)
  asked.memoryBytes = bytes
}

/** PBS: letter and codes of a member; undefined: it is not seen yet. */
function shown(job: Job, member: Member, time: number, isTorque: boolean) {
  const phase = phaseAt(member, time)
  if (!phase) return undefined
  const letters = { queued: 'Q', held: 'H', running: 'R', ended: isTorque ? 'C' : 'F' } as const
  const isExpired = phase.state === 'ended' && job.array && !isTorque && !isOver(job)
  return { phase, letter: isExpired ? 'X' : letters[phase.state] }
}

function exitStatusOf({ exitCode, signal, cause }: Phase, isTorque: boolean): number | undefined {
  if (cause === 'node') return isTorque ? -1 : -4
  if (!isTorque && cause === 'time') return -29
  if (!isTorque && cause === 'memory') return -27
  // A shell that has a trap gives 128 and the signal; PBS itself adds 256.
  if (cause === 'memory') return 265
  if (cause === 'time') return 271
  if (cause === 'deleted' || cause === 'dependency') return 271
  return signal === undefined ? exitCode : 256 + signal
}

function fullStatus(
  job: Job,
  member: Member | undefined,
  { asOf: time, knobs }: Cluster,
  isTorque: boolean,
): string {
  const lines = [`Job Id: ${idOf(job, member?.index)}`]
  const field = (name: string, value: string | number | undefined) => {
    if (value !== undefined) lines.push(...wrap(`    ${name} = ${value}`))
  }
  const one = member ?? job.members[0]!
  const seen = member || !job.array ? shown(job, one, time, isTorque) : undefined
  field('Job_Name', job.name)
  field('Job_Owner', `${job.user}@login`)
  if (one.startedAt !== undefined && seen) {
    const until = seen.phase.state === 'ended' ? seen.phase.at : time
    field('resources_used.cput', writeClock(one.cpuSeconds))
    field('resources_used.mem', `${Math.ceil(one.peakMemory / 1024)}kb`)
    field('resources_used.walltime', writeClock((until - one.startedAt) / 1000))
  }
  const array = job.members.some((each) => phaseAt(each, time)?.state !== 'queued') ? 'B' : 'Q'
  field('job_state', knobs.unknownState ?? seen?.letter ?? (isOver(job) ? 'F' : array))
  field('queue', job.queue ?? 'workq')
  field('server', server)
  if (job.depends.length > 0)
    field('depend', job.depends.map(({ kind, number }) => `${kind}:${number}.${server}@${server}`).join(','))
  if (seen?.phase.state === 'running') field('exec_host', 'node1/0')
  field('Hold_Types', seen?.phase.state === 'held' ? (job.depends.length > 0 ? 's' : 'u') : 'n')
  if (job.memoryBytes !== undefined) field('Resource_List.mem', `${Math.ceil(job.memoryBytes / 1024)}kb`)
  field('Resource_List.ncpus', job.cores)
  if (job.timeSeconds !== undefined) field('Resource_List.walltime', writeClock(job.timeSeconds))
  field(
    'Variable_List',
    `PBS_O_HOME=${job.env['HOME']},PBS_O_PATH=${job.env['PATH']},PBS_O_WORKDIR=${job.env['PBS_O_WORKDIR']}`,
  )
  if (job.array && !member) field('array', 'True')
  if (seen?.phase.state === 'ended') {
    const { cause } = seen.phase
    const said = {
      time: 'and exceeded walltime',
      memory: 'and exceeded mem',
      dependency: 'deleted, for its dependency can never be satisfied',
    }
    if (cause === 'time' || cause === 'memory' || cause === 'dependency')
      field('comment', `Job run on (node1:ncpus=${job.cores}) ${said[cause]}`)
    // Torque has one also for what was deleted before it began.
    if (one.startedAt !== undefined || cause === 'dependency' || isTorque)
      field(isTorque ? 'exit_status' : 'Exit_status', exitStatusOf(seen.phase, isTorque))
    if (!isTorque)
      field(
        'substate',
        cause === 'deleted' || cause === 'dependency' ? 91 : seen.phase.exitCode === 0 && !cause ? 92 : 93,
      )
  } else if (seen?.phase.state === 'queued')
    field('comment', 'Not Running: Insufficient amount of resource: ncpus')
  field(isTorque ? 'submit_args' : 'Submit_arguments', job.submitArgs)
  return `${lines.join('\n')}\n`
}

/** qstat breaks its lines at 79 characters. */
function wrap(line: string): string[] {
  const lines = [line.slice(0, 79)]
  for (let at = 79; at < line.length; at += 71) lines.push(`\t${line.slice(at, at + 71)}`)
  return lines
}

function qstat({ args }: Call, cluster: Cluster, isTorque: boolean): Reply {
  if (args[0] === '--version')
    return isTorque
      ? { exitCode: 0, stderr: 'Version: 6.1.2\n' }
      : { exitCode: 0, stdout: 'pbs_version = 20.0.1\n' }
  const { options, operands } = readOptions(args, new Set(['-u']))
  const has = (name: string) => options.some(([option]) => option === name)
  if (has('-Q')) return queueStatus(cluster)
  if (has('-B')) return serverStatus(server)
  // Without names: all that it shows.
  const isShown = ({ members }: Job) =>
    isTorque || members.some((member) => phaseAt(member, cluster.asOf)?.state !== 'ended')
  const all = [...cluster.jobs.values()].filter((job) => job.submittedAt <= cluster.asOf && isShown(job))
  let stdout = ''
  let stderr = ''
  let exitCode = 0
  for (const id of operands.length > 0 ? operands : all.map((job) => idOf(job))) {
    const { job, index } = find(id, cluster)
    const isSeen = job && job.submittedAt <= cluster.asOf
    const over = job && wasOver(job, cluster.asOf)
    if (!job || !isSeen) {
      stderr += `qstat: Unknown Job Id ${id}\n`
      exitCode = 153
    } else if (over && !isTorque && !has('-x')) {
      stderr += `qstat: ${id} Job has finished, use -x or -H to obtain historical job information\n`
      exitCode = 35
    } else {
      const members = job.members.filter((member) => index === undefined || member.index === index)
      const each = job.array && (has('-t') || index !== undefined) ? members : []
      if (!(isTorque && each.length > 0) && index === undefined)
        stdout += `${fullStatus(job, undefined, cluster, isTorque)}\n`
      for (const member of each) stdout += `${fullStatus(job, member, cluster, isTorque)}\n`
    }
  }
  return { exitCode, stdout, stderr }
}

function qselect({ user }: Call, cluster: Cluster): Reply {
  const own = [...cluster.jobs.values()].filter(
    (job) => job.user === user && job.submittedAt <= cluster.asOf && !wasOver(job, cluster.asOf),
  )
  return { exitCode: 0, stdout: own.map((job) => `${idOf(job)}\n`).join('') }
}

function qdel({ args }: Call, cluster: Cluster): Reply {
  let stderr = ''
  let exitCode = 0
  for (const id of args.filter((arg) => !arg.startsWith('-'))) {
    const { job, index } = find(id, cluster)
    if (!job) {
      stderr += `qdel: Unknown Job Id ${id}\n`
      exitCode = 153
    } else if (!cluster.end(job, index === undefined ? undefined : [index], 'deleted')) {
      stderr += `qdel: Job has finished ${id}\n`
      exitCode = 35
    }
  }
  return { exitCode, stderr }
}

function qmgr(cluster: Cluster, isTorque: boolean): Reply {
  const name = isTorque ? 'max_job_array_size' : 'max_array_size'
  return { exitCode: 0, stdout: `Server ${server}\n    ${name} = ${cluster.knobs.maxArraySize}\n\n` }
}

function find(id: string, { jobs }: Cluster): { job?: Job; index?: number } {
  const match = /^(\d+)(?:\[(\d*)\])?(?:\.[\w.-]+)?$/.exec(id)
  const job = match ? jobs.get(Number(match[1])) : undefined
  return { ...(job ? { job } : {}), ...(match?.[2] ? { index: Number(match[2]) } : {}) }
}
