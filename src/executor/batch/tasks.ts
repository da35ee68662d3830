import type { JobSpec } from '../../core/protocol.ts'
import type { QueueEntry, QueueSnapshot, Scheduler } from '../../scheduler/scheduler.ts'

type OfOnly = Pick<JobSpec, 'only'>

/** The places in line of an attempt's members, for schedulers that number the tasks of each array anew. */
const places = new WeakMap<readonly number[], ReadonlyMap<number, number>>()

/** The task, from 0, that runs a member. */
export function taskOf({ only }: OfOnly, member: number, { array }: Scheduler): number {
  if (!only || !array?.dense) return member
  const known = places.get(only) ?? new Map(only.map((one, place) => [one, place]))
  places.set(only, known)
  return known.get(member) ?? member
}

/** What an answer says of a submission, its tasks by the members that they run. */
export function entryOf(
  snapshot: QueueSnapshot | undefined,
  { nativeId, spec: { only } }: { readonly nativeId: string; readonly spec: OfOnly },
  { array }: Scheduler,
): QueueEntry | undefined {
  const entry = snapshot?.get(nativeId)
  if (!entry?.members || !only || !array?.dense) return entry
  return {
    ...entry,
    members: new Map([...entry.members].map(([task, status]) => [only[task] ?? task, status])),
  }
}
