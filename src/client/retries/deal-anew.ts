import { SubmitError } from '../../core/errors.ts'
import type { JobSpec } from '../../core/protocol.ts'
import type { ExecutorTraits } from '../../executor/executor.ts'

/**
 * The same job with fewer members, each with more items, where it was refused for more than the site turned out to take.
 * Undefined: that is not why, or it cannot be dealt otherwise.
 */
export function dealtAnew(
  spec: JobSpec,
  { maxMembers = Number.POSITIVE_INFINITY }: Pick<ExecutorTraits, 'maxMembers'>,
  error: unknown,
): JobSpec | undefined {
  if (!(error instanceof SubmitError) || spec.members <= maxMembers) return undefined
  // A stream that waits for its reader must not have another wait behind it.
  if (spec.stream || spec.only) return undefined
  const atOnce = spec.slots?.count ?? 1
  const chunk = Math.ceil(Math.ceil(spec.items / maxMembers) / atOnce) * atOnce
  return { ...spec, chunk, members: Math.ceil(spec.items / chunk) }
}
