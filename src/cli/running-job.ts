import { findSentJob, notRunning, type SentJob } from '../client/jobs/find-job.ts'
import { FarcallError } from '../core/errors.ts'
import { isFinal } from '../core/status.ts'
import { openSite, type Site, whereRuns, whyWaiting } from '../executor/reach.ts'
import type { RunningJob } from '../scheduler/scheduler.ts'

export interface RunningHere {
  readonly job: SentJob
  readonly site: Site
  readonly running: RunningJob
}

/** A running job by what the user calls it, with the connection that leads there, for the caller to close. @throws FarcallError */
export async function openRunningJob(text: string, profile: string | undefined): Promise<RunningHere> {
  const job = await findSentJob(text, profile)
  if (isFinal(job.status.state)) throw notRunning(job, undefined)
  const site = openSite(job.profile)
  try {
    const running = await whereRuns(site, job.nativeId, job.member)
    if (!running) throw notRunning(job, await whyWaiting(site, job.nativeId))
    if (running.away)
      throw new FarcallError(
        'JOB_NOT_RUNNING',
        `job ${job.id} runs on ${running.node}, and this is ${running.away.here}`,
        { hint: `the login alias leads to another machine today: FARCALL_HOST=${running.node} leads there` },
      )
    return { job, site, running }
  } catch (error) {
    await site.transport[Symbol.asyncDispose]()
    throw error
  }
}
