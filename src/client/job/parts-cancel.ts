import { cancelItems } from './job.ts'
import type { Parts } from './parts.ts'

/** Reads no further, and ends what has not ended, by one command of the scheduler. */
export async function cancelParts(parts: Parts, given: unknown): Promise<void> {
  const reason = given ?? new Error('canceled')
  parts.stop(reason)
  await Promise.all(parts.handles.map((handle) => cancelItems(handle, handle.submission.items, reason)))
}
