import { systemClock } from '../../core/clock.ts'
import type { JobId } from '../../core/ids.ts'
import type { Profile } from '../../core/profile.ts'
import { mayFollow } from '../../core/status.ts'
import type { Executor, Standing } from '../../executor/executor.ts'
import { openExecutor } from '../../executor/open.ts'
import type { JobRecord, JobStore } from '../../store/types.ts'
import { placeKey } from '../session/restore.ts'
import { isUnfollowed } from './followed.ts'

/** What could not be asked, or is not there any more. */
export interface Refreshed {
  readonly unreached: readonly { readonly profile: string; readonly error: unknown }[]
  /** Their files are not on the place: another machine has their results, or nobody. */
  readonly gone: readonly JobId[]
}

/** Ids are words of a command. */
const atOnce = 500

/** Brings records up to date, and keeps the connections for the next time. */
export class Refresher implements AsyncDisposable {
  readonly #executors = new Map<string, Executor>()

  /**
   * Of these jobs those that are under way and that no program here follows: one question for all jobs of a place. A place
   * that cannot be asked is told of; the others are asked all the same.
   */
  async refresh(store: JobStore, ids: readonly JobId[]): Promise<Refreshed> {
    const places = new Map<string, JobRecord[]>()
    for (const id of ids) {
      const record = store.get(id)
      if (!record || !isUnfollowed(record)) continue
      const key = placeKey(record.profileSettings)
      places.set(key, [...(places.get(key) ?? []), record])
    }
    const unreached: { profile: string; error: unknown }[] = []
    const gone: JobId[] = []
    await Promise.all(
      [...places].map(async ([key, jobs]) => {
        const { profile, profileSettings } = jobs[0]!
        try {
          gone.push(...take(store, jobs, await this.#ask(key, profileSettings, jobs)))
        } catch (error) {
          unreached.push({ profile, error })
        }
      }),
    )
    return { unreached, gone }
  }

  async #ask(key: string, profile: Profile, jobs: readonly JobRecord[]): Promise<Map<JobId, Standing>> {
    const executor = this.#executors.get(key) ?? openExecutor(profile, systemClock)
    this.#executors.set(key, executor)
    const all = new Map<JobId, Standing>()
    for (let at = 0; at < jobs.length; at += atOnce) {
      const ids = jobs.slice(at, at + atOnce).map(({ id }) => id)
      for (const [id, one] of await standingOf(executor, ids)) all.set(id, one)
    }
    return all
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#executors.values()].map((executor) => executor[Symbol.asyncDispose]()))
  }
}

async function standingOf(executor: Executor, ids: readonly JobId[]): Promise<ReadonlyMap<JobId, Standing>> {
  if (executor.standing) return executor.standing(ids)
  const found = await executor.find(ids)
  return new Map(
    [...found].flatMap(([id, job]) => {
      const last = job?.attempts.at(-1)
      return job && last ? [[id, { status: job.status, nativeId: last.nativeId, done: 0, failed: 0 }]] : []
    }),
  )
}

/** Gives those that are not there. */
function take(store: JobStore, jobs: readonly JobRecord[], standing: ReadonlyMap<JobId, Standing>): JobId[] {
  store.batch(() => {
    for (const { id, status: before } of jobs) {
      const now = standing.get(id)
      if (!now) continue
      if (now.status && mayFollow(now.status, before)) store.status([{ id, status: now.status }])
      if (now.done + now.failed > 0) store.counted(id, now.done, now.failed)
    }
  })
  return jobs.filter(({ id }) => !standing.has(id)).map(({ id }) => id)
}
