import { systemClock } from '../../core/clock.ts'
import { attemptStep, type JobSpec, membersOf } from '../../core/protocol.ts'
import type { Executor, RetryPayload } from '../../executor/executor.ts'
import { filesOf } from '../payload/payload-files.ts'
import { readSecrets } from '../payload/secrets.ts'
import type { Item } from '../submission/item.ts'
import type { Submission } from '../submission/submission.ts'
import { submitOnceTaken } from './submit-limit.ts'

/**
 * Submits the next attempt. Another client that follows the same job may have made that number, for other members:
 * those that it leaves out get the number after it. `made` is told of each attempt.
 */
export async function makeAttempts(
  submission: Submission,
  executor: Executor,
  spec: JobSpec,
  bundle: Uint8Array | undefined,
  made: (spec: JobSpec) => void = () => {},
): Promise<void> {
  const payload: RetryPayload = {
    ...(bundle ? { bundle } : {}),
    secrets: readSecrets(spec.environment, process.env),
  }
  for (let next = spec; ; ) {
    submission.tries.add(next)
    submission.records?.retry(next)
    const current = next
    const items = itemsOf(submission, current)
    const asked = {
      submission,
      executor,
      spec: () => current,
      items,
      clock: systemClock,
      random: Math.random,
    }
    const submit = () => executor.retry(current, { ...payload, ...filesOf(current) })
    const answer = await submitOnceTaken(asked, submit)
    submission.made(answer.spec, answer.nativeId)
    submission.records?.submitted(answer.spec.attempt, answer.nativeId)
    made(answer.spec)
    const taken = new Set(membersOf(answer.spec))
    const only = [...membersOf(next)].filter((member) => !taken.has(member))
    if (only.length === 0) return
    next = { ...next, attempt: submission.tries.lastAttempt + attemptStep, only }
  }
}

function itemsOf({ items }: Submission, spec: JobSpec): Item[] {
  const members = new Set(membersOf(spec))
  return items.filter(({ index }) => members.has(Math.floor(index / spec.chunk)))
}
