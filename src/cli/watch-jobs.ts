import { createLogUpdate } from 'log-update'
import { Refresher } from '../client/jobs/refresh.ts'
import { inColumns } from '../core/columns.ts'
import { ConfigError } from '../core/errors.ts'
import type { JobStore } from '../store/types.ts'
import { currentRows, type ListOptions } from './current-rows.ts'
import { exitCodes } from './exit-codes.ts'
import { type JobRow, jobColumns, stateText } from './job-row.ts'
import { type Format, paintStdout } from './print.ts'
import { localTime } from './times.ts'

const defaultSeconds = 10
/** What programs here tell of is on record at once, so that often looking costs no place anything. */
const leastSeconds = 1

/** Until Ctrl-C. On a terminal the table is drawn again, elsewhere each change is a line. */
export async function watchJobs(store: JobStore, options: ListOptions, format: Format): Promise<void> {
  const seconds = readSeconds(options.watch)
  if (format === 'csv')
    throw new ConfigError('OPTION_INVALID', '--watch and --format csv do not go together', {
      hint: '--json gives a line of JSON for each change',
    })
  const stop = new AbortController()
  const end = () => stop.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  await using refresher = new Refresher()
  const show = format === 'table' && process.stdout.isTTY ? redrawing(options) : telling(format)
  while (!stop.signal.aborted) {
    const asking = currentRows(store, options, refresher)
    // An interrupt does not wait for a place that does not answer.
    const rows = await Promise.race([asking, aborted(stop.signal)])
    if (!rows) break
    show(rows)
    await Promise.race([new Promise((resolve) => setTimeout(resolve, seconds * 1000)), aborted(stop.signal)])
  }
  process.exit(exitCodes.interrupted)
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function redrawing({ showGpus }: ListOptions): (rows: readonly JobRow[]) => void {
  const draw = createLogUpdate(process.stdout)
  return (rows) => {
    const now = Date.now()
    const { columns = 80, rows: height = 24 } = process.stdout
    const fitting = rows.slice(0, Math.max(1, height - 4))
    const table = inColumns(fitting, jobColumns(paintStdout(), now, showGpus ?? false), columns)
    const more = rows.length > fitting.length ? `… and ${rows.length - fitting.length} more\n` : ''
    draw(`${rows.length === 0 ? 'no jobs\n' : table}${more}${localTime(now)}, Ctrl-C ends it`)
  }
}

function telling(format: Format): (rows: readonly JobRow[]) => void {
  const before = new Map<string, string>()
  return (rows) => {
    for (const row of rows.toReversed()) {
      const text = [stateText(row), row.nativeId, row.done, row.failed].join(' ')
      if (before.get(row.id) === text) continue
      before.set(row.id, text)
      process.stdout.write(`${format === 'json' ? JSON.stringify(row) : changeText(row)}\n`)
    }
  }
}

function changeText(row: JobRow): string {
  const { id, name, items, done = 0, failed = 0 } = row
  const counts = items > 1 ? `  ${done + failed}/${items}${failed > 0 ? `, ${failed} failed` : ''}` : ''
  return `${localTime(Date.now())}  ${id}  ${name}  ${stateText(row)}${counts}`
}

function readSeconds(given: string | true | undefined): number {
  if (given === undefined || given === true) return defaultSeconds
  const seconds = Number(given)
  if (Number.isFinite(seconds) && seconds >= leastSeconds) return seconds
  throw new ConfigError(
    'OPTION_INVALID',
    `--watch: '${given}' is no number of seconds from ${leastSeconds}`,
    {
      hint: 'places are asked no more often than their queryInterval, whatever it is',
    },
  )
}
