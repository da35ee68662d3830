import type { Call, Cluster, Job, Member, Phase, Reply } from './model.ts'
import { phaseAt } from './model.ts'
import { queues } from './sge-site.ts'

const node = 'node1'
const rule = `${'='.repeat(62)}\n`
const schema =
  'xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd"'

interface Seen {
  readonly job: Job
  readonly member: Member
  readonly phase: Phase
}

export function qstat({ args, user }: Call, cluster: Cluster): Reply {
  if (args.includes('-help')) return { exitCode: 0, stdout: 'SGE 8.1.9\nusage: qstat [options]\n' }
  const after = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined)
  const ids = after('-j')
  if (ids !== undefined) return describeAll(ids.split(','), cluster)
  const of = after('-u') ?? user
  const states = after('-s') ?? 'prs'
  const seen = [...cluster.jobs.values()]
    .filter((job) => of === '*' || of.split(',').includes(job.user))
    .flatMap((job) => seenOf(job, cluster.asOf))
  const running = states.includes('r') ? seen.filter(isRunning) : []
  const waiting = states.includes('p') ? seen.filter((one) => !isRunning(one)) : []
  const lists = { running, waiting: byState(waiting) }
  if (!args.includes('-xml')) return { exitCode: 0, stdout: table(lists, cluster) }
  const isFull = args.includes('-f')
  const first = isFull
    ? queues.map((queue) => queueXml(queue, running, cluster))
    : running.map((one) => jobXml([one], cluster, true))
  const second = lists.waiting.map((group) => jobXml(group, cluster, !isFull))
  const stdout = `<?xml version='1.0'?>\n<job_info  ${schema}>\n  <queue_info>\n${first.join('')}  </queue_info>\n  <job_info>\n${second.join('')}  </job_info>\n</job_info>\n`
  return { exitCode: 0, stdout }
}

function seenOf(job: Job, time: number): Seen[] {
  return job.members.flatMap((member) => {
    const phase = phaseAt(member, time)
    return phase && phase.state !== 'ended' ? [{ job, member, phase }] : []
  })
}

const isRunning = ({ phase }: Seen) => phase.state === 'running'

/** Tasks that wait alike are one record. */
function byState(waiting: readonly Seen[]): Seen[][] {
  const groups = new Map<string, Seen[]>()
  for (const one of waiting) {
    const key = `${one.job.number} ${stateOf(one)}`
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups.values()]
}

/** sge_status(5), letter by letter. */
function stateOf({ job, member, phase }: Seen): string {
  const restarted = member.restarts > 0 ? 'R' : ''
  if (phase.state === 'running') return member.doom === 'deleted' ? `d${restarted}r` : `${restarted}r`
  if (phase.cause === 'launch') return 'Eqw'
  const held = phase.state === 'held' || (job.held && phase.state !== 'queued') ? 'h' : ''
  return `${held}${restarted}qw`
}

function tasksOf(group: readonly Seen[]): string {
  const indexes = group.map(({ member }) => member.index!)
  const ranges: [number, number][] = []
  for (const index of indexes) {
    const last = ranges.at(-1)
    if (last && index === last[1] + 1) last[1] = index
    else ranges.push([index, index])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}:1`)).join(',')
}

/** Local time, as Grid Engine writes it. */
function time(at: number): string {
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60_000)
  return date.toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)
}

function jobXml(group: readonly Seen[], { knobs }: Cluster, namesQueue: boolean): string {
  const seen = group[0]!
  const { job, member } = seen
  const runs = isRunning(seen)
  const queue = runs ? `${queueOf(job)}@${node}` : ''
  const fields: [string, string | number][] = [
    ['JB_job_number', job.number],
    ['JAT_prio', runs ? '0.50000' : '0.00000'],
    ['JB_name', job.name.replaceAll('&', '&amp;').replaceAll('<', '%lt;').replaceAll('>', '%gt;')],
    ['JB_owner', job.user],
    ['state', knobs.unknownState ?? stateOf(seen)],
    runs ? ['JAT_start_time', time(member.startedAt!)] : ['JB_submission_time', time(job.submittedAt)],
    ...(namesQueue ? [['queue_name', queue] as [string, string]] : []),
    ['slots', job.cores],
    ...(member.index === undefined ? [] : [['tasks', tasksOf(group)] as [string, string]]),
  ]
  const inside = fields.map(([key, value]) => `      <${key}>${value}</${key}>\n`).join('')
  return `    <job_list state="${runs ? 'running' : 'pending'}">\n${inside}    </job_list>\n`
}

const queueOf = (job: Job) => job.queue?.split(',')[0] ?? queues[0]!

function queueXml(queue: string, running: readonly Seen[], cluster: Cluster): string {
  const here = running.filter(({ job }) => queueOf(job) === queue)
  const used = here.reduce((sum, { job }) => sum + job.cores, 0)
  const jobs = here.map((one) => jobXml([one], cluster, false).replaceAll(/^/gm, '  ').trimEnd()).join('\n')
  return `    <Queue-List>
      <name>${queue}@${node}</name>
      <qtype>BIP</qtype>
      <slots_used>${used}</slots_used>
      <slots_resv>0</slots_resv>
      <slots_total>${cluster.knobs.cores ?? 4}</slots_total>
      <load_avg>0.10000</load_avg>
      <arch>lx-amd64</arch>
${jobs === '' ? '' : `${jobs}\n`}    </Queue-List>
`
}

function table(
  { running, waiting }: { running: readonly Seen[]; waiting: Seen[][] },
  cluster: Cluster,
): string {
  const groups = [...running.map((one) => [one]), ...waiting]
  if (groups.length === 0) return ''
  const head = `job-ID  prior   name       user         state submit/start at     queue                          slots ja-task-ID \n${'-'.repeat(113)}\n`
  const lines = groups.map((group) => {
    const seen = group[0]!
    const { job, member } = seen
    const runs = isRunning(seen)
    const at = time(runs ? member.startedAt! : job.submittedAt)
    const date = `${at.slice(5, 7)}/${at.slice(8, 10)}/${at.slice(0, 4)} ${at.slice(11)}`
    return [
      String(job.number).padStart(7),
      runs ? '0.50000' : '0.00000',
      job.name.slice(0, 10).padEnd(10),
      job.user.slice(0, 12).padEnd(12),
      (cluster.knobs.unknownState ?? stateOf(seen)).padEnd(5),
      date,
      (runs ? `${queueOf(job)}@${node}` : '').padEnd(30),
      String(job.cores).padStart(5),
      member.index === undefined ? '' : tasksOf(group),
    ].join(' ')
  })
  return head + lines.map((line) => `${line}\n`).join('')
}

/** qstat -j: the facts that users look for, and why it waits. */
function describeAll(ids: readonly string[], cluster: Cluster): Reply {
  const found = ids.map((id) => ({ id, seen: seenOfId(id, cluster) }))
  const gone = found.filter(({ seen }) => seen.length === 0).map(({ id }) => id)
  const stdout = found
    .flatMap(({ seen }) => (seen.length > 0 ? [rule + describe(seen, cluster)] : []))
    .join('')
  if (gone.length === 0) return { exitCode: 0, stdout }
  return { exitCode: 1, stdout, stderr: `Following jobs do not exist: \n${gone.join(', ')}\n` }
}

function seenOfId(id: string, cluster: Cluster): Seen[] {
  const job = cluster.jobs.get(Number(id))
  return job ? seenOf(job, cluster.asOf) : []
}

function describe(seen: readonly Seen[], cluster: Cluster): string {
  const { job } = seen[0]!
  const line = (key: string, value: string | number) => `${`${key}:`.padEnd(27)} ${value}\n`
  const errors = seen.flatMap(({ phase, member }) =>
    phase.cause === 'launch'
      ? [
          line(
            `error reason ${String(member.index ?? 1).padStart(4)}`,
            `${stamp(phase.at)} [${job.uid}:1]: ${errorWords(phase)}`,
          ),
        ]
      : [],
  )
  const info = infoOf(seen, cluster)
  return [
    line('job_number', job.number),
    line('owner', job.user),
    line('uid', job.uid),
    ...(job.category === 'NONE' || job.category === undefined
      ? []
      : [line('hard resource_list', job.category)]),
    line('job_name', job.name),
    line('script_file', job.submitArgs),
    ...(job.depends.length === 0
      ? []
      : [line('jid_predecessor_list', job.depends.map(({ number }) => number).join(','))]),
    ...(job.array ? [line('job-array tasks', `${job.array.indexes[0]}-${job.array.indexes.at(-1)}:1`)] : []),
    ...errors,
    ...(info === undefined ? [] : [line('scheduling info', info)]),
  ].join('')
}

const errorWords = ({ why = '' }: Phase) => (why.startsWith('exit_status') ? why : `error: ${why}`)

/** 11/28/2026 21:49:16 */
function stamp(at: number): string {
  const text = time(at)
  return `${text.slice(5, 7)}/${text.slice(8, 10)}/${text.slice(0, 4)} ${text.slice(11)}`
}

function infoOf(seen: readonly Seen[], { knobs }: Cluster): string | undefined {
  const waiting = seen.find((one) => !isRunning(one))
  if (!waiting) return undefined
  const { job, phase } = waiting
  if (phase.cause === 'launch') return 'Job is in error state'
  if (phase.state === 'held')
    return job.depends.length > 0 && !job.held
      ? 'job dropped because of job dependencies'
      : 'Job is in hold state'
  const running = seen.filter(isRunning).length
  if (running > 0 && running >= (job.array?.throttle ?? Number.POSITIVE_INFINITY))
    return "not all array tasks may be started due to 'max_aj_instances'"
  if (job.cores > (knobs.cores ?? 4)) return 'cannot run in PE "smp" because it only offers 0 slots'
  return `queue instance "${queueOf(job)}@${node}" dropped because it is full`
}
