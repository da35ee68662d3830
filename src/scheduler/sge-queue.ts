import type { QueuedJob, QueuedJobs } from '../core/queued-job.ts'
import type { CommandResult } from '../core/shell.ts'
import { readTime, requireAnswer, text } from './sge-answers.ts'
import { amountAsked, requestOf } from './sge-requests.ts'
import type { SgeResource, SgeSite } from './sge-site.ts'
import { readState } from './sge-status.ts'
import { readRecords, recordsIn } from './sge-xml.ts'
import { readIndexes } from './snapshot.ts'

/** Of everyoneScript: who asks, what the clock there is off by, and `qstat -r -xml`. */
export function parseEveryone(result: CommandResult, site: SgeSite): QueuedJobs {
  requireAnswer(result, 'qstat')
  const said = text(result)
  const user = /^me (.*)$/m.exec(said)?.[1] ?? ''
  const [, sign = '+', hours = '00', minutes = '00'] = /^zone ([+-])(\d\d)(\d\d)$/m.exec(said) ?? []
  const zone = `${sign}${hours}:${minutes}`
  return { user, jobs: recordsIn(said, 'job_list').flatMap((one) => readJob(one, zone, site) ?? []) }
}

function readJob(said: string, zone: string, site: SgeSite): QueuedJob | undefined {
  const [record] = readRecords(`<job>${said}</job>`, 'job')
  const { JB_job_number: id, JB_name: name = '', JB_owner: user = '', state: word, tasks } = record!
  if (id === undefined || word === undefined || !/^\d+$/.test(id)) return undefined
  const status = { ...readState(word), native: word }
  const [queue = '', where] = (record!['queue_name'] ?? '').split('@')
  const slots = Number(record!['slots']) || 1
  const facts = {
    // One that waits has none yet, but the one that it asks for.
    partition: queue || record!['hard_req_queue'] || undefined,
    members: tasks === undefined || /^\d+$/.test(tasks) ? undefined : readIndexes(tasks)?.length,
    cores: slots,
    gpus: heldOf(said, site.gpus),
    memory: heldOf(said, site.memory[0]),
    submittedAt: readMoment(record!['JB_submission_time'], zone),
    startedAt: readMoment(record!['JAT_start_time'], zone),
    timeLimitSeconds: readTime(requestOf(said, 'h_rt')),
    where,
  }
  const told = Object.entries(facts).filter(([, value]) => value !== undefined)
  return { nativeId: tasks ? `${id}.${tasks}` : id, name, user, status, ...Object.fromEntries(told) }
}

const heldOf = (said: string, resource: SgeResource | undefined) =>
  (resource && amountAsked(said, resource, new Set())) || undefined

/** Milliseconds of 2026-11-29T01:15:57, by the clock of there. */
function readMoment(text: string | undefined, zone: string): number | undefined {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text ?? '') ? Date.parse(`${text}${zone}`) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}
