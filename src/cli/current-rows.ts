/** The jobs that `farcall list` shows. */
import { isFinal } from '../core/status.ts'
import type { JobStore, ListedRow } from '../store/types.ts'
import { type FilterOptions, filterOf, openStates } from './job-filter.ts'
import { type JobRow, toRow } from './job-row.ts'
import type { FormatOptions } from './print.ts'
import { bringUpToDate } from './up-to-date.ts'

export interface ListOptions extends FilterOptions, FormatOptions {
  all?: true
  showGpus?: true
  offline?: true
  watch?: string | true
}

/** What has ended or was made so long ago is in `--all` and `farcall history` only. */
const recentMs = 24 * 3_600_000
const most = 1_000

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
