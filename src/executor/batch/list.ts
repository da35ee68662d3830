import { ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { JobSpec, MemberEnd } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { ListedJob, ListedJobs } from '../executor.ts'
import { parseFound } from './found.ts'
import { verdict } from './verdict.ts'

/** A job's files, each by its name in the job's folder. */
type JobFiles = Map<string, string>

interface ListedHere extends ListedJobs {
  readonly unreadable: (ListedJobs['unreadable'][number] & {
    readonly nativeIds?: readonly string[] | undefined
  })[]
}

/** Reads what listScript printed. Jobs of another scheduler at this place are none of ours. */
export function parseList(text: string, scheduler: Scheduler): ListedHere {
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
  const unreadable: ListedHere['unreadable'] = []
  for (const [id, files] of byId) {
    // A folder that is just being removed, or never had its spec.
    if (!files.has('spec.json')) continue
    if (isOfAnother(scheduler, files.get('spec.json')!)) continue
    try {
      jobs.push(readJob(id, files, scheduler))
    } catch (error) {
      unreadable.push({ id, error, nativeIds: nativeIdsIn(files, scheduler) })
    }
  }
  return { jobs, unreadable }
}

/** A damaged spec does not tell, and counts as ours. */
function isOfAnother({ name }: Scheduler, spec: string): boolean {
  try {
    const { scheduler = name } = JSON.parse(spec) as Partial<JobSpec>
    return scheduler !== name
  } catch {
    return false // it is read once more, for the words of the error
  }
}

/** What the scheduler calls the submissions of a job; undefined: of one of them that is not known. */
function nativeIdsIn(files: JobFiles, scheduler: Scheduler): string[] | undefined {
  const submissions = new Set([...files.keys()].flatMap((name) => /^submit\.\d+(?=\/)/.exec(name) ?? []))
  const ids = [...submissions].map((folder) => {
    const native = files.get(`${folder}/native`)
    if (native) return native
    const [exitCode, stdout] = [files.get(`${folder}/rc`), Buffer.from(files.get(`${folder}/out`) ?? '')]
    if (exitCode === undefined) return undefined
    try {
      return scheduler.parseSubmit({ exitCode: Number(exitCode), stdout, stderr: '' })
    } catch {
      return undefined // refused, or half an answer: it is left alone
    }
  })
  return ids.length > 0 && ids.every((id) => id !== undefined) ? ids : undefined
}

function readJob(id: JobId, files: JobFiles, scheduler: Scheduler): ListedJob {
  const { status, attempts } = parseFound(asFound(id, files), scheduler)[0]!
  const [first] = attempts
  if (first?.spec.id !== id)
    throw new ResultError('RESULT_CORRUPT', `the folder of job ${id} holds job ${first?.spec.id}`)
  const nativeId = attempts.findLast((attempt) => attempt.nativeId !== undefined)?.nativeId
  // Of a member that was tried again, the last end.
  const ends = new Map(attempts.flatMap((attempt) => attempt.ends.map((end) => [end.member, end])))
  return {
    spec: first.spec,
    status: status.state === 'COMPLETED' ? endedWith([...ends.values()]) : status,
    ...(nativeId === undefined ? {} : { nativeId }),
    ...(files.has('collected') || files.has('kept') ? { collected: true } : {}),
  }
}

/** The lines that findScript would print of it. */
function asFound(id: JobId, files: JobFiles): string {
  const lines = [`job ${id}`]
  for (const [name, content] of files) if (/^spec[^/]*$/.test(name)) lines.push(`spec ${content}`)
  for (const [name, content] of files) {
    const [folder, file] = name.split('/') as [string, string?]
    const attempt = folder.slice(folder.indexOf('.') + 1)
    if (file === 'rc') lines.push(`submitted ${attempt} ${content} ${files.get(`${folder}/out`) ?? ''}`)
    if (file === 'native' && !files.has(`${folder}/rc`)) lines.push(`started ${attempt} ${content}`)
    if (file === 'end') lines.push(`end ${content}`)
  }
  return lines.join('\n')
}

/** As far as files tell: the queue is not asked, and an end by a signal may have been asked for. */
function endedWith(ends: readonly MemberEnd[]): JobStatus {
  const evidence = { canceledByUs: false, waitedMs: 0, graceMs: 0, hasAccounting: false }
  const statuses = ends.map((end) => verdict({ ...evidence, end })!)
  const failed = statuses.find(({ state }) => state !== 'COMPLETED')
  const time = Math.max(...statuses.map((status) => status.time ?? 0))
  return { ...(failed ?? { state: 'COMPLETED' }), ...(time > 0 ? { time } : {}) }
}
