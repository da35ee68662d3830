import { isUnfollowed } from '../client/jobs/followed.ts'
import type { Refreshed, Refresher } from '../client/jobs/refresh.ts'
import { type JobId, partId } from '../core/ids.ts'
import type { JobStore } from '../store/types.ts'
import { say } from './talk.ts'

/** Asks the places of jobs that are under way, unless programs here tell of them; what could not be asked is said. */
export async function bringUpToDate(
  store: JobStore,
  ids: readonly JobId[],
  refresher?: Refresher,
): Promise<void> {
  const open = ids.flatMap((id) => partsOf(store, id)).filter((id) => isUnfollowed(store.get(id)!))
  if (open.length === 0) return
  const { unreached, gone } = refresher ? await refresher.refresh(store, open) : await once(store, open)
  for (const { profile, error } of unreached)
    say(`note: ${profile} could not be asked, its jobs are shown as last heard of: ${firstLineOf(error)}`)
  if (gone.length === 0) return
  store.collected(gone)
  say(`note: the files of ${gone.join(' ')} are gone from where they ran; no more can be learned of them`)
}

async function once(store: JobStore, ids: readonly JobId[]): Promise<Refreshed> {
  // Only now: most lists need none of what talks to places.
  const refresher = new (await import('../client/jobs/refresh.ts')).Refresher()
  try {
    return await refresher.refresh(store, ids)
  } finally {
    await refresher[Symbol.asyncDispose]()
  }
}

/** A map's jobs, the first of which has its id; none that is not on record. */
export function partsOf(store: JobStore, id: JobId): JobId[] {
  const parts: JobId[] = []
  for (let number = 0; ; number++) {
    const part = partId(id, number)
    const record = store.get(part)
    if (record) parts.push(part)
    if (!record?.spec.part) return parts
  }
}

export const firstLineOf = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]!
