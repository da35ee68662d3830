import type { Command } from 'commander'
import { findJobId } from '../../client/jobs/find-job.ts'
import type { WatchedJob, WatchJobsOptions } from '../../client/jobs/jobs-watch.ts'
import { type JobsSeen, watchJobs } from '../../client/jobs/watch-jobs.ts'
import { clockTime } from '../../core/clock.ts'
import type { JobState } from '../../core/status.ts'
import { isFinal } from '../../core/status.ts'
import { parseDuration } from '../../core/units.ts'
import { type FormatOptions, isoTimes, wantsJson } from '../print.ts'
import { duration, Stopper, sayNow, watchExitCodes } from '../until-stopped.ts'

interface Options extends FormatOptions {
  all?: true
  continuous?: true
  interval?: string
  timeout?: string
  until?: string
  profile?: string
}

/** Sets the exit code: 1 when one of them failed or was canceled. */
export async function monitorJobs(
  texts: readonly string[],
  options: Options,
  command: Command,
): Promise<void> {
  const { all, continuous, interval, timeout, until, profile } = options
  if (texts.length === 0 && !all)
    command.error('error: which jobs? Give their ids, or --all', { exitCode: 2 })
  if (texts.length > 0 && all) command.error('error: ids and --all do not go together', { exitCode: 2 })
  const limit = timeout === undefined ? undefined : parseDuration(duration(timeout), '--timeout')
  const ids: string[] = []
  for (const text of texts) ids.push(await findJobId(text, profile))
  const stopper = new Stopper(limit)
  const watching: WatchJobsOptions = {
    signal: stopper.signal,
    onTrouble: (error) => sayNow(`${error.message.split('\n')[0]}; trying again`),
    ...(continuous && { continuous }),
    ...(interval === undefined ? {} : { interval: duration(interval) }),
    ...(until === undefined
      ? {}
      : { until: until.split(',').map((state) => state.trim().toUpperCase() as JobState) }),
    ...(profile === undefined ? {} : { profile }),
  }
  const wanted = all ? (profile === undefined ? {} : { profile }) : ids
  let last: JobsSeen | undefined
  try {
    for await (const seen of watchJobs(wanted, watching)) {
      last = seen
      for (const job of seen.changes)
        process.stdout.write(wantsJson(options) ? jsonLine(seen.time, job) : line(seen.time, job))
      if (seen.jobs.length === 0)
        sayNow(continuous ? 'no job is under way; waiting for one' : 'no job is under way')
    }
  } finally {
    stopper.done()
  }
  const open = (last?.jobs ?? []).filter(({ status }) => !isFinal(status.state))
  if (stopper.exitCode === watchExitCodes.timedOut) sayNow(`the time is over; ${open.length} have not ended`)
  const failed = last?.jobs.some(({ status }) => status.state === 'FAILED' || status.state === 'CANCELED')
  process.exitCode = stopper.exitCode ?? (failed ? 1 : 0)
}

function line(time: number, { id, name, before, status }: WatchedJob): string {
  const { state, reason, message } = status
  const change = before === undefined || before === state ? state : `${before} → ${state}`
  const why = [reason, message?.split('\n')[0]].filter(Boolean).join(': ')
  return `${clockTime(time)}  ${id}  ${name}  ${change}${why === '' ? '' : `  ${why}`}\n`
}

const jsonLine = (time: number, job: WatchedJob) => `${JSON.stringify({ time, ...job }, isoTimes)}\n`
