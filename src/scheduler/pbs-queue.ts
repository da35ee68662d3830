import type { QueuedJob, QueuedJobs } from '../core/queued-job.ts'
import type { CommandResult } from '../core/shell.ts'
import { isFinal } from '../core/status.ts'
import { type Fields, jobsIn, readInteger, readSize, readTime, requireAnswer, text } from './pbs-answers.ts'
import { pbsStatus } from './pbs-status.ts'

/** Of everyoneScript: who asks, what the clock there is off by, and qstat's full answer. Torque's has jobs that have ended. */
export function parseEveryone(result: CommandResult): QueuedJobs {
  const said = text(result)
  const lines = said.split('\n')
  const last = lines
    .map((line) => /^farcall-exit (\d+)$/.exec(line)?.[1])
    .findLast((code) => code !== undefined)
  requireAnswer(result, Number(last ?? result.exitCode))
  const user = /^me (.*)$/m.exec(said)?.[1] ?? ''
  const zone = /^zone ([+-]\d{4})$/m.exec(said)?.[1] ?? '+0000'
  const jobs = [...jobsIn(lines)].flatMap(({ id, fields }) => readJob(id, fields, zone) ?? [])
  return { user, jobs: jobs.filter(({ status }) => !isFinal(status.state)) }
}

function readJob(nativeId: string, fields: Fields, zone: string): QueuedJob | undefined {
  const letter = fields.get('job_state')
  if (letter === undefined) return undefined
  const status = pbsStatus({
    letter,
    substate: readInteger(fields.get('substate')),
    comment: fields.get('comment'),
    depends: fields.has('depend'),
    holdTypes: fields.get('hold_types'),
  })
  const select = fields.get('resource_list.select') ?? ''
  const nodes = fields.get('resource_list.nodes') ?? ''
  const facts = {
    partition: fields.get('queue'),
    members: membersOf(fields.get('array_state_count')),
    nodes: readInteger(fields.get('resource_list.nodect')),
    cores: readInteger(fields.get('resource_list.ncpus')) ?? sumOf(nodes, 'ppn'),
    gpus: readInteger(fields.get('resource_list.ngpus')) ?? sumOf(select, 'ngpus') ?? sumOf(nodes, 'gpus'),
    memory: readSize(fields.get('resource_list.mem')),
    submittedAt: readMoment(fields.get('ctime') ?? fields.get('qtime'), zone),
    startedAt:
      status.state === 'QUEUED'
        ? undefined
        : readMoment(fields.get('stime') ?? fields.get('start_time'), zone),
    timeLimitSeconds: readTime(fields.get('resource_list.walltime')),
    elapsedSeconds: readTime(fields.get('resources_used.walltime')),
    where: fields.get('exec_host'),
  }
  const told = Object.entries(facts).filter(([, value]) => value !== undefined)
  const user = (fields.get('job_owner') ?? '').split('@')[0]!
  return { nativeId, name: fields.get('job_name') ?? '', user, status, ...Object.fromEntries(told) }
}

/** '2:ncpus=4:ngpus=1+1:ncpus=2': of each chunk as many as there are of it; a name is one. */
function sumOf(chunks: string, resource: string): number | undefined {
  let sum: number | undefined
  for (const chunk of chunks.split('+')) {
    const amount = new RegExp(`[:]${resource}=(\\d+)`).exec(chunk)?.[1]
    if (amount !== undefined)
      sum = (sum ?? 0) + Number(amount) * Number(/^(\d+)(?=:|$)/.exec(chunk)?.[1] ?? 1)
  }
  return sum
}

/** Members of an array that are not over: 'Queued:8 Running:2 Exiting:0 Expired:1'. */
function membersOf(counts: string | undefined): number | undefined {
  if (counts === undefined) return undefined
  let sum = 0
  for (const [, count] of counts.matchAll(/(?:Queued|Running|Exiting):(\d+)/g)) sum += Number(count)
  return sum
}

/** Milliseconds of 'Wed Sep 30 05:02:11 2026' by the clock of there, or of seconds since the epoch. */
function readMoment(said: string | undefined, zone: string): number | undefined {
  if (said === undefined) return undefined
  if (/^\d{9,}$/.test(said)) return Number(said) * 1000
  const time = /^\w{3} \w{3} +\d+ \d+:\d+:\d+ \d{4}$/.test(said) ? Date.parse(`${said} ${zone}`) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}
