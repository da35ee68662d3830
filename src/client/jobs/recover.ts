import type { JobId } from '../../core/ids.ts'
import { isFinal, mayFollow } from '../../core/status.ts'
import type { ListedJobs } from '../../executor/executor.ts'
import { isDead } from '../../store/owner.ts'
import type { JobRecord, JobStore } from '../../store/types.ts'
import { settingsFor } from '../options/settings.ts'
import { placeKey, putOnRecord } from '../session/restore.ts'
import { sessionFor } from '../session/sessions.ts'
import { recorderOf } from '../submission/recorder.ts'

/** Options of `recover`. */
export interface RecoverOptions {
  /** The place to look at; default: the configuration's profile. */
  profile?: string
}

/** What `recover` found at a place. */
export interface Recovered {
  /** Jobs that this machine had no record of, and now has. */
  readonly restored: readonly JobId[]
  /** Jobs on record that no program follows, and that are further than it said. */
  readonly updated: readonly JobId[]
  /** Jobs on record that no program follows, and whose files are gone: another machine has their results, or nobody. */
  readonly gone: readonly JobId[]
  /** Jobs whose files cannot be read, and why: damaged, or of a newer farcall. */
  readonly unreadable: readonly { readonly id: JobId; readonly error: unknown }[]
}

/** More than anybody leaves uncollected. */
const all = 1_000_000

/**
 * Makes this machine's record of jobs agree with what lies at a place: takes in jobs that it does not know (it was lost,
 * or they were called on another machine), and what became of those that no program follows. Results are not fetched:
 * `attach(id)` does that. A record that was damaged or lost is restored so by itself, when a profile is used next.
 *
 * Only what lies in the jobs' folders is restored: no git commit, no cached results, no job whose files are gone.
 *
 * @throws (by rejecting) FarcallError STORE_UNWRITABLE, WORKDIR_UNUSABLE, TransportError
 * @example
 * import { jobs, recover } from 'farcall'
 *
 * const { restored, unreadable } = await recover()
 * console.log(`${restored.length} jobs found, ${unreadable.length} cannot be read`)
 * for (const { id, name, status } of await jobs({ state: 'COMPLETED' })) console.log(id, name, status.time)
 */
export async function recover({ profile }: RecoverOptions = {}): Promise<Recovered> {
  const settings = await settingsFor(profile)
  const { store } = flushed(settings.storeDir)
  const session = await sessionFor(settings.profile)
  const begun = Date.now()
  const listed = await session.executor.list?.()
  if (!listed) return { restored: [], updated: [], gone: [], unreadable: [] }
  const from = { executor: session.executor, profile: settings.profile, name: settings.name }
  const restored = await putOnRecord(store, from, listed.jobs)
  store.listed(placeKey(settings.profile))
  const known = unfollowed(store, placeKey(settings.profile), new Set(restored))
  const updated = update(store, known, listed)
  const present = new Set([
    ...listed.jobs.map(({ spec }) => spec.id),
    ...listed.unreadable.map(({ id }) => id),
  ])
  const gone = known.filter(({ id, createdAt }) => createdAt < begun && !present.has(id)).map(({ id }) => id)
  store.collected(gone)
  return { restored, updated, gone, unreadable: listed.unreadable }
}

function flushed(storeDir: string) {
  const recorder = recorderOf(storeDir)
  recorder.flush()
  return recorder
}

/** Jobs of a place that were submitted and that no program follows. */
function unfollowed(store: JobStore, place: string, except: ReadonlySet<JobId>): JobRecord[] {
  return store.list({ uncollected: true, limit: all }).flatMap(({ id, submittedAt }) => {
    if (submittedAt === undefined || except.has(id)) return []
    const record = store.get(id)
    if (!record || placeKey(record.profileSettings) !== place) return []
    const { owner } = record
    return owner.pid === 0 || isDead(owner) ? [record] : []
  })
}

function update(store: JobStore, known: readonly JobRecord[], { jobs }: ListedJobs): JobId[] {
  const now = new Map(jobs.map((job) => [job.spec.id, job]))
  const updates = known.flatMap(({ id, status }) => {
    const found = now.get(id)?.status
    return found && !isFinal(status.state) && mayFollow(found, status) ? [{ id, status: found }] : []
  })
  store.status(updates)
  store.collected(known.flatMap(({ id }) => (now.get(id)?.collected ? [id] : [])))
  return updates.map(({ id }) => id)
}
