import { Command } from 'commander'
import type { Column } from '../../core/columns.ts'
import { isFinal } from '../../core/status.ts'
import { formatMemory, formatSeconds } from '../../core/units.ts'
import type { JobStore, ListedRow } from '../../store/types.ts'
import { type FilterOptions, filterOf, filterOptions } from '../job-filter.ts'
import { firstColumns, type JobRow, rowKeys, toRow } from '../job-row.ts'
import { type FormatOptions, formatOf, formatOption, jsonOption, paintStdout, printRows } from '../print.ts'
import { openRecord } from '../record.ts'
import { say } from '../talk.ts'

/** A job with what it took; seconds, and bytes of the member that used most. */
interface PastJob extends JobRow {
  readonly waitedSeconds?: number
  readonly ranSeconds?: number
  readonly cpuSeconds?: number
  readonly peakMemoryBytes?: number
  readonly nodeVersion?: string
  readonly commit?: string
}

const keys = [
  ...rowKeys.filter((key) => key !== 'gpus'),
  'waitedSeconds',
  'ranSeconds',
  'cpuSeconds',
  'peakMemoryBytes',
  'nodeVersion',
  'commit',
] as const satisfies readonly (keyof PastJob)[]

export function historyCommand(): Command {
  return filterOptions(new Command('history'))
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
From this machine's record alone: no place is asked. How long a job waited and ran is known of those that a program here
has followed to their ends; CPU time and memory of those whose usage was told. 50 jobs, unless --limit says otherwise.

Examples:
  farcall history --since 30d --state FAILED
  farcall history --function simulate --limit 1000 --format csv > jobs.csv`,
    )
    .action(history)
}

async function history(options: FilterOptions & FormatOptions): Promise<void> {
  const format = formatOf(options)
  const filter = filterOf(options, Date.now())
  const store = await openRecord()
  const rows = store.list(filter).map((job) => pastOf(store, job))
  printRows(rows, format, keys, columns())
  if (rows.length === 0) say('no such job is on record here')
}

function pastOf(store: JobStore, job: ListedRow): PastJob {
  const times = store.statuses(job.id).filter(({ member }) => member === undefined)
  const at = (state: string) => times.find(({ status }) => status.state === state)?.time
  const [queued = job.submittedAt, began] = [at('QUEUED'), at('ACTIVE')]
  const ended = job.endedAt ?? (isFinal(job.status.state) ? job.status.time : undefined)
  const measured = store.get(job.id)?.usage?.members.map(([, one]) => one) ?? []
  const seconds = (from?: number, to?: number) =>
    from === undefined || to === undefined ? undefined : Math.max(0, Math.round((to - from) / 100) / 10)
  const memory = measured.flatMap(({ peakMemory }) => (peakMemory === undefined ? [] : [peakMemory]))
  const cpu = measured.flatMap(({ cpuTime }) => (cpuTime === undefined ? [] : [cpuTime]))
  const facts = {
    waitedSeconds: seconds(queued, began),
    ranSeconds: seconds(began, ended),
    cpuSeconds: cpu.length > 0 ? Math.round(cpu.reduce((sum, one) => sum + one, 0) * 10) / 10 : undefined,
    peakMemoryBytes: memory.length > 0 ? memory.reduce((a, b) => Math.max(a, b)) : undefined,
    nodeVersion: job.nodeVersion,
    commit: job.provenance.git?.commit,
  }
  return {
    ...toRow(job),
    ...(Object.fromEntries(
      Object.entries(facts).filter(([, value]) => value !== undefined),
    ) as Partial<PastJob>),
  }
}

function columns(): Column<PastJob>[] {
  const paint = paintStdout()
  const time = (seconds: number | undefined) => (seconds === undefined ? '' : formatSeconds(seconds))
  return [
    ...firstColumns(paint),
    { head: 'WAITED', text: ({ waitedSeconds }) => time(waitedSeconds), right: true },
    { head: 'RAN', text: ({ ranSeconds }) => time(ranSeconds), right: true },
    {
      head: 'MEMORY',
      text: ({ peakMemoryBytes }) => (peakMemoryBytes === undefined ? '' : formatMemory(peakMemoryBytes)),
      right: true,
    },
  ]
}
