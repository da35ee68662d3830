import { Command } from 'commander'
import { isFinal } from '../../core/status.ts'
import type { JobStore, ListedRow } from '../../store/types.ts'
import { type FilterOptions, filterOf, filterOptions, openStates } from '../job-filter.ts'
import { type JobRow, jobColumns, rowKeys, toRow } from '../job-row.ts'
import { type FormatOptions, formatOf, formatOption, jsonOption, paintStdout, printRows } from '../print.ts'
import { openRecord } from '../record.ts'
import { say } from '../talk.ts'
import { bringUpToDate } from '../up-to-date.ts'

export interface ListOptions extends FilterOptions, FormatOptions {
  all?: true
  showGpus?: true
  offline?: true
  watch?: string | true
}

/** What has ended or was made so long ago is in `--all` and `farcall history` only. */
const recentMs = 24 * 3_600_000
const most = 1_000

export function listCommand(): Command {
  const command = new Command('list').option('-a, --all', 'all jobs on record, however old')
  return filterOptions(command)
    .option('--show-gpus', 'the GPUs that each has asked for, on each node')
    .option('--offline', 'as last heard of: ask no place')
    .option('--watch [seconds]', 'go on: redraw on a terminal, elsewhere a line for each change; default: 10')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The record is that of this machine: jobs of every program and of \`farcall submit\`. Places are asked about jobs that are
under way and that no program follows: one question for all jobs of a place. ENDED counts the items of a map that have
ended, and those of them that failed: 38/40 2! has two.

Examples:
  farcall list
  farcall list --all --state FAILED --since 7d
  farcall list --profile hpc --json | jq -r '.[].id'
  farcall list --watch

Exit code: 0, also where a place could not be asked; a note on stderr says so.`,
    )
    .action(list)
}

async function list(options: ListOptions): Promise<void> {
  const format = formatOf(options)
  filterOf(options, Date.now())
  const store = await openRecord()
  if (options.watch !== undefined) {
    const { watchJobs } = await import('../watch-jobs.ts')
    await watchJobs(store, options, format)
    return
  }
  const rows = await currentRows(store, options)
  printRows(rows, format, rowKeys, jobColumns(paintStdout(), Date.now(), options.showGpus ?? false))
  if (rows.length === 0) say(nothing(options))
}

/** Up to date, the newest first. */
export async function currentRows(
  store: JobStore,
  options: ListOptions,
  refresher?: Parameters<typeof bringUpToDate>[2],
): Promise<JobRow[]> {
  const now = Date.now()
  const open = asked(store, options, now).filter(({ status }) => !isFinal(status.state))
  if (!options.offline)
    await bringUpToDate(
      store,
      open.map(({ id }) => id),
      refresher,
    )
  return asked(store, options, now).map((job) =>
    toRow(job, options.showGpus ? store.get(job.id)?.spec.resources : undefined),
  )
}

function asked(store: JobStore, options: ListOptions, now: number): ListedRow[] {
  const filter = { limit: most, ...filterOf(options, now) }
  if (options.all || options.since !== undefined || options.until !== undefined) return store.list(filter)
  const recent = store.list({ ...filter, since: now - recentMs })
  const known = new Set(recent.map(({ id }) => id))
  const states = openStates.filter((state) => [filter.state ?? openStates].flat().includes(state))
  const open = states.length === 0 ? [] : store.list({ ...filter, state: states })
  // Of a job whose files are gone nobody will tell more.
  return [...recent, ...open.filter(({ id, collectedAt }) => !known.has(id) && collectedAt === undefined)]
}

function nothing({ all, state, since }: ListOptions): string {
  if (all || state !== undefined || since !== undefined) return 'no such job is on record here'
  return 'no job is under way, and none was made within a day: farcall list --all, farcall history'
}
