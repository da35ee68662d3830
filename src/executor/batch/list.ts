import { ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { JobSpec, MemberEnd } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { ListedJob, ListedJobs } from '../executor.ts'
import { parseSpec } from './found.ts'
import { parseEnd } from './notices.ts'
import { verdict } from './verdict.ts'

/** A job's files, each by its name in the job's folder. */
type JobFiles = Map<string, string>

/** Reads what listScript printed. */
export function parseList(text: string, scheduler: Scheduler): ListedJobs {
  const byId = new Map<JobId, JobFiles>()
  for (const line of text.split('\n')) {
    const match = /^jobs\/(f[a-z2-7]{13})\/([^:]+):(.*)$/.exec(line)
    if (!match) continue
    const [, id, name, content] = match as unknown as [string, string, string, string]
    const files = byId.get(id) ?? new Map<string, string>()
    byId.set(id, files)
    // Of what the scheduler printed, the first line names the job.
    if (!files.has(name)) files.set(name, content)
  }
  const jobs: ListedJob[] = []
  const unreadable: { id: JobId; error: unknown }[] = []
  for (const [id, files] of byId) {
    // A folder that is just being removed, or never had its spec.
    if (!files.has('spec.json')) continue
    try {
      jobs.push(readJob(id, files, scheduler))
    } catch (error) {
      unreadable.push({ id, error })
    }
  }
  return { jobs, unreadable }
}

function readJob(id: JobId, files: JobFiles, scheduler: Scheduler): ListedJob {
  const spec = parseSpec(files.get('spec.json')!)
  if (spec.id !== id) throw new ResultError('RESULT_CORRUPT', `the folder of job ${id} holds job ${spec.id}`)
  const exitCode = files.get(`submit.${spec.attempt}/rc`)
  if (exitCode === undefined) return { spec, status: { state: 'NEW' } }
  const stdout = Buffer.from(`${files.get(`submit.${spec.attempt}/out`) ?? ''}\n`)
  const nativeId = scheduler.parseSubmit({ exitCode: Number(exitCode), stdout, stderr: '' })
  return { spec, nativeId, status: statusOf(spec, endsOf(spec, files)) }
}

/** The last end of each member. */
function endsOf(spec: JobSpec, files: JobFiles): readonly MemberEnd[] {
  const ends = new Map<number, MemberEnd>()
  for (const [name, content] of files) {
    if (!/^run\..*\/end$/.test(name)) continue
    const end = parseEnd(content)
    const before = ends.get(end.member)
    if (end.attempt >= (before?.attempt ?? spec.attempt)) ends.set(end.member, end)
  }
  return [...ends.values()]
}

/** As far as files tell: the queue is not asked, and an end by a signal may have been asked for. */
function statusOf(spec: JobSpec, ends: readonly MemberEnd[]): JobStatus {
  if (ends.length === 0) return { state: 'QUEUED' }
  if (ends.length < spec.members) return { state: 'ACTIVE' }
  const evidence = { canceledByUs: false, waitedMs: 0, graceMs: 0, hasAccounting: false }
  const statuses = ends.map((end) => verdict({ ...evidence, end })!)
  const failed = statuses.find(({ state }) => state !== 'COMPLETED')
  const time = Math.max(...statuses.map((status) => status.time ?? 0))
  return { ...(failed ?? { state: 'COMPLETED' }), ...(time > 0 ? { time } : {}) }
}
