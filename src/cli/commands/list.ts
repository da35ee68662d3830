import { Command } from 'commander'
import { nearest } from '../../core/nearest.ts'
import type { JobStore } from '../../store/types.ts'
import { currentRows, type ListOptions } from '../current-rows.ts'
import { filterOf, filterOptions } from '../job-filter.ts'
import { jobColumns, rowKeys } from '../job-row.ts'
import { formatOf, formatOption, jsonOption, paintStdout, printRows } from '../print.ts'
import { openRecord } from '../record.ts'
import { say } from '../talk.ts'

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

const mostLooked = 1_000

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
  if (rows.length === 0 && options.profile !== undefined) await sayUnknown(store, options.profile)
}

function nothing({ all, state, since, until, profile, tag, function: of }: ListOptions): string {
  if (all || [state, since, until, profile, tag, of].some((asked) => asked !== undefined))
    return 'no such job is on record here'
  return 'no job is under way, and none was made within a day: farcall list --all, farcall history'
}

/** Jobs stay on record when their profile goes, and one of the configuration may have had none. */
async function sayUnknown(store: JobStore, name: string): Promise<void> {
  const recorded = store.list({ maps: true, limit: mostLooked }).map(({ profile }) => profile)
  if (recorded.includes(name)) return
  const { config } = await (await import('../../config/load.ts')).loadConfig({ profile: 'local' })
  const names = [...new Set([...Object.keys(config.profiles ?? {}), 'local', ...recorded])]
  if (names.includes(name)) return
  const near = nearest(name, names)
  say(`there is no profile '${name}'${near ? `, did you mean ${near}?` : `; there are ${names.join(', ')}`}`)
}
