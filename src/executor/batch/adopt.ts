import type { JobId } from '../../core/ids.ts'
import { membersOf } from '../../core/protocol.ts'
import type { FoundJob } from '../executor.ts'
import type { OpenedPlace } from './opened-place.ts'
import { TrackedJob } from './tracked-job.ts'

/** Jobs that lie at the place, as far as they are; from now on they are watched, with what of them has ended already. */
export async function adoptJobs(
  at: OpenedPlace,
  ids: readonly JobId[],
  now: () => number,
): Promise<Map<JobId, FoundJob | undefined>> {
  const found = new Map<JobId, FoundJob | undefined>(ids.map((id) => [id, undefined]))
  for (const { status, attempts } of await at.look(ids)) {
    const [first] = attempts
    if (!first) continue
    const submitted = attempts.flatMap(({ spec, nativeId, ends }) =>
      nativeId === undefined ? [] : [{ spec, nativeId, ends }],
    )
    const nativeId = submitted.at(-1)?.nativeId
    const more = nativeId === undefined ? {} : { nativeId }
    found.set(first.spec.id, { spec: first.spec, status, attempts: submitted, ...more })
    const later = new Set<number>()
    for (const { spec, nativeId, ends } of submitted.toReversed()) {
      at.leftovers.note(spec.client)
      const job = new TrackedJob(spec, nativeId, 0, now(), true)
      for (const end of ends) job.runs.set(end.member, end.attempt)
      job.restarted = true
      // What became of them is the later attempt's matter.
      for (const member of membersOf(spec)) {
        if (later.has(member)) job.ended.add(member)
        later.add(member)
      }
      at.watcher.adopt(job, ends)
    }
  }
  return found
}
