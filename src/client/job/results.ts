import { JobCanceledError, ResultError } from '../../core/errors.ts'
import type { PartItem, Parts } from './parts.ts'

interface Failure {
  readonly reason: unknown
  readonly index: number
}

/**
 * Waits for all, then tells of all that failed: no item's work is thrown away because of another's. With `onError:
 * 'fail-fast'`, the first failure. @internal
 */
export async function allResults<R>(parts: Parts): Promise<R[]> {
  const all = allOf<R>(parts)
  return parts.failFast ? Promise.race([all, parts.failFast.promise]) : all
}

async function allOf<R>(parts: Parts): Promise<R[]> {
  const trouble = await troubleOf(parts)
  const { items } = parts
  const results = resultsFrom(parts, items, await endsOf<R>(parts, items), trouble)
  if (parts.gone > 0)
    throw new ResultError(
      'RESULT_HANDED_OUT',
      `job ${parts.id}: a loop has been handed ${parts.gone} of its values`,
      {
        hint: 'keep what you need of them in the loop; or await the array before it, and all values are kept',
      },
    )
  return results
}

/** Why its inputs could not be read to their end. @throws what kept all of it from being sent */
export async function troubleOf(parts: Parts): Promise<Failure | undefined> {
  const trouble = await parts.complete.then(
    () => undefined,
    (reason: unknown) => ({ reason, index: parts.read }),
  )
  if (trouble && parts.sent === 0 && parts.handles.length === 0) throw trouble.reason
  return trouble
}

/**
 * What each item gives by `read`, in their order. `trouble`: a failure beside those of the items.
 * @throws AggregateError of those that failed
 */
export async function resultsOf<R>(
  parts: Parts,
  read: (item: PartItem) => Promise<R>,
  trouble?: Failure,
): Promise<R[]> {
  const { items } = parts
  return resultsFrom(parts, items, await Promise.allSettled(items.map(read)), trouble)
}

/** How each item ends, once all have. */
export async function endsOf<R>(
  { submissions }: Parts,
  items: readonly PartItem[],
): Promise<PromiseSettledResult<R>[]> {
  await Promise.all(submissions.map(({ over }) => over.promise))
  // Of a job that this process has let go some have not ended.
  const open = items.filter(({ item }) => !item.settled.outcome)
  await Promise.allSettled(open.map(({ item }) => item.settled.promise))
  return items.map(({ item }) => item.settled.outcome as PromiseSettledResult<R>)
}

function resultsFrom<R>(
  parts: Parts,
  items: readonly PartItem[],
  results: readonly PromiseSettledResult<R>[],
  trouble: Failure | undefined,
): R[] {
  const { id, submissions } = parts
  const failed = results.flatMap((result, at) =>
    result.status === 'rejected' ? [{ reason: result.reason as unknown, ...items[at]! }] : [],
  )
  if (failed.length === 0 && trouble) throw trouble.reason
  if (failed.length === 0) return results.map((result) => (result as PromiseFulfilledResult<R>).value)
  // One reason for all (not submitted, connection lost) is no matter of the items.
  const abandoned = submissions.every((submission) => submission.abandoned)
  if (abandoned && failed.length === items.length) throw submissions[0]!.abandoned!.error
  const all = items.length + parts.gone
  const canceling =
    parts.canceling ?? submissions.find((submission) => submission.canceling !== undefined)?.canceling
  if (canceling !== undefined && failed.every(({ reason }) => reason instanceof JobCanceledError)) {
    const text = `job ${id} was canceled; ${all - failed.length} of ${all} items were done`
    const status = { state: 'CANCELED', reason: 'by-user' } as const
    throw new JobCanceledError(text, { jobId: id, status, cause: canceling })
  }
  const errors = new Set(failed.map(({ reason, index, item }) => named(reason, index, item.input)))
  if (trouble) errors.add(trouble.reason)
  const [first] = failed
  throw new AggregateError(
    errors,
    `job ${id}: ${failed.length} of ${all} items failed; the first: ${firstLine(first!.reason)}${placeOf(first!)}`,
  )
}

/** What a list of failures tells of one. */
export const firstLine = (reason: unknown) =>
  (reason instanceof Error ? reason.message : String(reason)).split('\n')[0]

function placeOf({ index, item: { input } }: PartItem): string {
  return ` (item ${index}${input === undefined ? '' : `, input ${input}`})`
}

/** An item's error, with its number and what it was called with; what is no object stays as it was thrown. */
export function named(reason: unknown, index: number, input: string | undefined): unknown {
  if (typeof reason !== 'object' || reason === null || !Object.isExtensible(reason) || 'index' in reason)
    return reason
  const value = (of: unknown) => ({ value: of, enumerable: true, configurable: true, writable: true })
  Object.defineProperty(reason, 'index', value(index))
  if (input !== undefined && !('input' in reason)) Object.defineProperty(reason, 'input', value(input))
  return reason
}
