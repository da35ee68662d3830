import { type PlaceReport, placeReports } from '../../client/place-reports.ts'
import { capacityTable } from '../capacity-table.ts'
import { type FormatOptions, wantsJson } from '../table-or-json.ts'
import { clockTime, duration, Stopper, say } from '../until-stopped.ts'

interface Options extends FormatOptions {
  schedule: string
  profile?: string
}

/** What a place is told to be like: to people as text, to programs as facts. */
export interface ReportEvent {
  readonly event: 'report'
  readonly profile: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly text: string
  readonly facts: PlaceReport
}

/** `tell`: who hears of each report. */
export async function monitorCluster(
  options: Options,
  tell: (event: ReportEvent) => void = (event) => print(event, wantsJson(options)),
): Promise<void> {
  const { schedule, profile } = options
  const stopper = new Stopper()
  const reports = placeReports({
    every: duration(schedule),
    signal: stopper.signal,
    onTrouble: (error) => say(`no report: ${error.message.split('\n')[0]}`),
    ...(profile === undefined ? {} : { profile }),
  })
  try {
    for await (const facts of reports) {
      const { profile: name, time } = facts
      tell({ event: 'report', profile: name, time, text: textOf(facts), facts })
    }
  } finally {
    stopper.done()
  }
  process.exitCode = stopper.exitCode ?? 0
}

function print({ text, facts }: ReportEvent, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(facts)}\n` : `${text}\n`)
}

export function textOf({ profile, time, partitions, notes, queue, jobs }: PlaceReport): string {
  const counts = Object.entries(jobs).map(([state, count]) => `${count} ${state}`)
  return [
    `${clockTime(time)}  ${profile}`,
    capacityTable(partitions, 80).trimEnd(),
    ...(queue
      ? [
          `queue: ${queue.running} running, ${queue.waiting} waiting; yours: ${queue.mine.running} running, ${queue.mine.waiting} waiting`,
        ]
      : []),
    `jobs on record: ${counts.length === 0 ? 'none under way, none ended since' : counts.join(', ')}`,
    ...notes.map((note) => `note: ${note}`),
    '',
  ].join('\n')
}
