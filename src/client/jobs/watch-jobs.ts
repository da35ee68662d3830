import { ConfigError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { nearest } from '../../core/nearest.ts'
import { isFinal, type JobState, type JobStatus } from '../../core/status.ts'
import { stoppable } from '../../core/stoppable.ts'
import type { JobFilter } from './jobs.ts'
import { JobsWatch, type WatchedJob, type WatchJobsOptions } from './jobs-watch.ts'

/** Where jobs stand, when that has changed. */
export interface JobsSeen {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly jobs: readonly WatchedJob[]
  /** Those whose state or reason is another than when they were told of last; at first all. */
  readonly changes: readonly WatchedJob[]
}

/**
 * Where jobs stand, at once and then whenever the state of one, or the reason of it, has changed: by their ids, or those of
 * this machine's record that have not ended. A map, or calls that were made together, are one job. Results stay where they are. Programs that follow their own jobs are not
 * disturbed: what they record is read; the scheduler is asked about the others only, once for all of them. A job that was
 * called a moment ago is waited for until it is on record, up to 15 s.
 *
 * @throws (by rejecting) ConfigError OPTION_INVALID for an `interval` below the profile's `queryInterval`; FarcallError
 * JOB_UNKNOWN, TransportError
 * @example
 * import { cluster, watchJobs } from 'farcall'
 *
 * const job = cluster((n: number) => n * n)(6)
 * for await (const { changes } of watchJobs([job.id]))
 *   for (const { id, before, status } of changes) console.log(id, before, '→', status.state)
 * console.log(await job)
 */
export function watchJobs(
  jobs: readonly JobId[] | Omit<JobFilter, 'until'>,
  options: WatchJobsOptions = {},
): AsyncGenerator<JobsSeen, void, void> {
  const wanted = Array.isArray(jobs) ? wholeJobs(jobs) : jobs
  return stoppable(options.signal, (stop) => watch(wanted, options, stop))
}

/** Of calls that were made together, 'f…[3]', the job that they are: each once. */
function wholeJobs(ids: readonly JobId[]): JobId[] {
  return [...new Set(ids.map((id) => id.replace(/\[\d+\]$/, '')))]
}

const states: readonly JobState[] = ['NEW', 'QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED']

async function* watch(
  wanted: readonly JobId[] | Omit<JobFilter, 'until'>,
  { until = [], continuous = false, ...options }: WatchJobsOptions,
  stop: AbortSignal,
): AsyncGenerator<JobsSeen, void, void> {
  const goals = [until].flat()
  const unknown = goals.find((state) => !states.includes(state))
  if (unknown !== undefined) {
    const near = nearest(unknown, states)
    throw new ConfigError('OPTION_INVALID', `until: there is no state '${unknown}'`, {
      hint: near === undefined ? `there are: ${states.join(', ')}` : `did you mean ${near}?`,
    })
  }
  const told = new Map<JobId, JobStatus>()
  const jobsWatch = new JobsWatch(wanted, options, stop)
  try {
    for (;;) {
      const seen = await jobsWatch.look()
      if (stop.aborted) return
      const jobs = seen.map((job): WatchedJob => {
        const last = told.get(job.id)
        return last ? { ...job, before: last.state } : job
      })
      const changes = jobs.filter(({ id, status }) => isNews(status, told.get(id)))
      if (changes.length > 0 || told.size === 0) yield { time: Date.now(), jobs, changes }
      for (const { id, status } of changes) told.set(id, status)
      const isThere = ({ status: { state } }: WatchedJob) => isFinal(state) || goals.includes(state)
      if (!continuous && jobs.every(isThere)) return
      // Nothing that is named can change any more.
      if (Array.isArray(wanted) && jobs.every(({ status }) => isFinal(status.state))) return
      await jobsWatch.wait(changes.length > 0)
      if (stop.aborted) return
    }
  } finally {
    await jobsWatch.close()
  }
}

/** Why it is pending changes from question to question: it is told with the state, and is none by itself. */
function isNews({ state, reason }: JobStatus, last: JobStatus | undefined): boolean {
  return last === undefined || state !== last.state || reason !== last.reason
}
