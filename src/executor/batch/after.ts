import type { JobId } from '../../core/ids.ts'
import { type JobSpec, membersOf } from '../../core/protocol.ts'
import type { AfterJob } from '../../scheduler/scheduler.ts'

/** A submission of a job, and which of its members may still run. */
export interface EarlierSubmission {
  readonly spec: JobSpec
  readonly nativeId: string
  readonly open: ReadonlySet<number>
}

/**
 * The submissions that are to be over before a job starts, since values of its arguments come from them. Only their end
 * is waited for, not that they end well: the runtime reads what became of each item, and says so.
 */
export function jobsBefore(
  { parents }: Pick<JobSpec, 'parents'>,
  submissionsOf: (id: JobId) => readonly EarlierSubmission[],
): AfterJob[] {
  return (parents?.jobs ?? []).flatMap(({ id, only }) =>
    submissionsOf(id).flatMap(({ spec, nativeId, open }) => {
      const needed = [...membersOf(spec)].filter(
        (member) => open.has(member) && (!only || only.includes(member)),
      )
      if (needed.length === 0) return []
      const some = only !== undefined && spec.members > 1
      return [{ nativeId, ...(some ? { members: needed } : {}) }]
    }),
  )
}
