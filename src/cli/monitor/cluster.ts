import { reportText } from '../../client/place/place-text.ts'
import { watchReports } from '../../client/place/watch-reports.ts'
import { closeSessions } from '../../client/session/sessions.ts'
import { type FormatOptions, isoTimes, wantsJson } from '../print.ts'
import { duration, Stopper, sayNow } from '../until-stopped.ts'

interface Options extends FormatOptions {
  schedule: string
  profile?: string
  notify?: true
}

/** A report at once, then every so often. */
export async function monitorCluster(options: Options): Promise<void> {
  const { schedule, profile, notify } = options
  const stopper = new Stopper()
  const reports = watchReports({
    every: duration(schedule),
    signal: stopper.signal,
    onTrouble: (error) => sayNow(`no report: ${error.message.split('\n')[0]}`),
    ...(profile === undefined ? {} : { profile }),
    ...(notify ? { notify } : {}),
  })
  try {
    for await (const report of reports)
      process.stdout.write(`${wantsJson(options) ? JSON.stringify(report, isoTimes) : reportText(report)}\n`)
  } finally {
    stopper.done()
    await closeSessions()
  }
  process.exitCode = stopper.exitCode ?? 0
}
