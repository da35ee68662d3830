import type { JobId } from '../../core/ids.ts'
import type { Profile } from '../../core/profile.ts'
import type { Executor, ListedJob, ListedJobs } from '../../executor/executor.ts'
import { thisProcess } from '../../store/owner.ts'
import type { JobStore } from '../../store/types.ts'

/** Where jobs lie, and by which name this program knows it. */
export interface RestoreFrom {
  readonly executor: Executor
  readonly profile: Profile
  readonly name: string
}

/** Jobs that are put on record in one transaction: other processes, and this one's own work, wait for it. */
const batchSize = 200
/** Whoever lists a place and is killed meanwhile is waited for so long. */
const leaseMs = 10 * 60_000

/** Two profiles that lead to the same jobs have the same. */
export function placeKey({ scheduler, host, port, user, workdir }: Profile): string {
  return JSON.stringify([scheduler, host, port, user, workdir].map((part) => part ?? null))
}

/** Puts listed jobs on record that it does not have; which those were. */
export async function putOnRecord(
  store: JobStore,
  { profile, name }: RestoreFrom,
  jobs: readonly ListedJob[],
): Promise<JobId[]> {
  const restored: JobId[] = []
  for (let at = 0; at < jobs.length; at += batchSize) {
    restored.push(...store.restore({ name, settings: profile }, jobs.slice(at, at + batchSize)))
    await new Promise(setImmediate)
  }
  return restored
}

/**
 * Once for each record and place: what lies there is put on it. A record that was lost is whole again after that, and
 * its user is told; on a new one it is the jobs of other machines, if any. Gives the jobs that were restored.
 * @throws FarcallError, TransportError when the place cannot be listed: it is tried again by the next one
 */
export async function restoreOnce(
  store: JobStore,
  from: RestoreFrom,
  warn: (message: string) => void,
): Promise<JobId[]> {
  const { executor, profile, name } = from
  const place = placeKey(profile)
  if (!executor.list || store.isListed(place)) return []
  const lease = `list ${place}`
  if (store.lease(lease, thisProcess(), leaseMs)) return []
  try {
    const listed = await executor.list()
    const restored = await putOnRecord(store, from, listed.jobs)
    store.listed(place)
    const before = store.predecessor()
    if (before && restored.length > 0) warn(restoredMessage(store, before.aside, name, restored, listed))
    return restored
  } finally {
    store.unlease(lease, thisProcess())
  }
}

function restoredMessage(
  { folder }: JobStore,
  aside: string | undefined,
  name: string,
  { length }: readonly JobId[],
  { unreadable }: ListedJobs,
): string {
  const lost = aside === undefined ? 'was gone' : `was damaged and lies in ${aside}`
  const rest =
    unreadable.length === 0
      ? ''
      : `; ${unreadable.length} more have files that cannot be read, recover() names them`
  return `the record of jobs in ${folder} ${lost}: ${length} job(s) that lie on ${name} are on the new one again${rest}`
}
