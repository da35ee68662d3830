import { JobCanceledError } from '../core/errors.ts'
import type { PartItem, Parts } from './parts.ts'

/** Waits for all, then tells of all that failed: no item's work is thrown away because of another's. @internal */
export async function allResults<R>(parts: Parts): Promise<R[]> {
  return resultsOf(parts, parts.items, ({ item }) => item.settled.promise as Promise<R>)
}

/** What each item gives by `read`, in their order. @throws AggregateError of those that failed */
export async function resultsOf<R>(
  { id, submissions }: Parts,
  items: readonly PartItem[],
  read: (item: PartItem) => Promise<R>,
): Promise<R[]> {
  const results = await Promise.allSettled(items.map(read))
  const failed = results.flatMap((result, at) =>
    result.status === 'rejected' ? [{ reason: result.reason, index: items[at]!.index }] : [],
  )
  if (failed.length === 0) return results.map((result) => (result as PromiseFulfilledResult<R>).value)
  // One reason for all (not submitted, connection lost) is no matter of the items.
  const abandoned = submissions.every((submission) => submission.abandoned)
  if (abandoned && failed.length === items.length) throw submissions[0]!.abandoned!.error
  const canceling = submissions.find((submission) => submission.canceling !== undefined)?.canceling
  if (canceling !== undefined && failed.every(({ reason }) => reason instanceof JobCanceledError)) {
    const text = `job ${id} was canceled; ${items.length - failed.length} of ${items.length} items were done`
    const status = { state: 'CANCELED', reason: 'by-user' } as const
    throw new JobCanceledError(text, { jobId: id, status, cause: canceling })
  }
  const errors = failed.map(({ reason, index }) => withIndex(reason, index))
  const first = errors[0] instanceof Error ? errors[0].message.split('\n')[0] : String(errors[0])
  throw new AggregateError(
    errors,
    `job ${id}: ${errors.length} of ${items.length} items failed; the first: ${first}`,
  )
}

function withIndex(reason: unknown, index: number): unknown {
  if (typeof reason === 'object' && reason !== null && Object.isExtensible(reason) && !('index' in reason))
    Object.defineProperty(reason, 'index', { value: index, enumerable: true, configurable: true })
  return reason
}
