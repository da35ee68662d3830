import { type JobSpec, submissionOf } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import { type DiskTraffic, type Measured, mergeMeasured } from '../../core/usage.ts'
import type { QueueEntry } from '../../scheduler/scheduler.ts'
import { usageScript } from './member-scripts.ts'
import { placeFailed } from './place.ts'
import { askAccounting, type WatchedPlace } from './queue.ts'
import { entryOf } from './tasks.ts'
import { memberStatus, type TrackedJob } from './tracked-job.ts'

/** What members of a job use or used, as their runtimes note it and as the scheduler tells: three commands at most. */
export async function measureJob(
  place: WatchedPlace,
  jobs: readonly TrackedJob[],
): Promise<Map<number, Measured>> {
  const id = jobs[0]!.spec.id
  const argv = ['sh', '-c', usageScript, 'farcall', place.workdir, id]
  const ids = jobs.map((job) => job.nativeId)
  const { usage, parseUsage: parse } = place.scheduler
  const running = jobs.some((job) => !job.over)
  const [files, now, accounting] = await Promise.all([
    place.transport.exec({ argv }),
    usage && parse && running ? place.transport.exec(usage(ids)).then(parse) : undefined,
    askAccounting(place, ids),
  ])
  if (files.exitCode !== 0) throw placeFailed(files, place.transport.name)
  const measures = new Map<number, Measured>()
  const add = (member: number, measured: Measured) =>
    measures.set(member, mergeMeasured(measures.get(member) ?? {}, measured))
  const last = lastAttempts(jobs.map((job) => job.spec))
  for (const { attempt, member, measured } of parseUsage(Buffer.from(files.stdout).toString('utf8')))
    if (last.get(member) === submissionOf(attempt)) add(member, measured)
  for (const job of jobs) {
    const { spec, nativeId } = job
    for (const [member, measured] of now?.get(nativeId) ?? [])
      if (last.get(member) === spec.attempt) add(member, measured)
    const entry = entryOf(accounting, job, place.scheduler)
    if (!entry) continue
    for (const [member, attempt] of last) {
      if (attempt !== spec.attempt) continue
      const status = accountedOf(entry, spec, member)
      if (!status || status.state === 'QUEUED') continue
      const { peakMemory, elapsed, cpuTime } = status
      add(member, {
        ...(peakMemory === undefined ? {} : { peakMemory }),
        ...(elapsed === undefined ? {} : { elapsed }),
        ...(cpuTime === undefined ? {} : { cpuTime }),
      })
    }
  }
  return measures
}

/** Of an array as a whole, or of its last task before accounting knows that for one, it says nothing of each member. */
export function accountedOf(
  entry: QueueEntry,
  { members, only }: Pick<JobSpec, 'members' | 'only'>,
  member: number,
): JobStatus | undefined {
  const isArray = (only?.length ?? members) > 1
  return isArray ? entry.members?.get(member) : memberStatus(entry, member)
}

/** The last submission that was for each member. */
function lastAttempts(specs: readonly JobSpec[]): Map<number, number> {
  const last = new Map<number, number>()
  for (const { attempt, only, members } of specs)
    for (const member of only ?? Array.from({ length: members }, (_, k) => k)) last.set(member, attempt)
  return last
}

/** Lines of usageScript; of several runs of a member the last one counts. One that is cut off is passed over. */
export function parseUsage(text: string): { attempt: number; member: number; measured: Measured }[] {
  const latest = new Map<number, { attempt: number; member: number; measured: Measured }>()
  for (const line of text.split('\n')) {
    const [, attempt, member, facts] = /^run\.(\d+)\.(\d+)\/usage:(.*)$/.exec(line) ?? []
    const measured = facts === undefined ? undefined : readFacts(facts)
    if (!measured || (latest.get(Number(member))?.attempt ?? 0) > Number(attempt)) continue
    latest.set(Number(member), { attempt: Number(attempt), member: Number(member), measured })
  }
  return [...latest.values()]
}

function readFacts(facts: string): Measured | undefined {
  try {
    const { peakMemory, elapsed, cpuTime, disk } = JSON.parse(`{${facts}}`) as Record<string, unknown>
    const numbers = Object.entries({ peakMemory, elapsed, cpuTime }).filter(
      ([, value]) => typeof value === 'number',
    )
    return { ...Object.fromEntries(numbers), ...(disk ? { disk: disk as DiskTraffic } : {}) }
  } catch {
    return undefined
  }
}
