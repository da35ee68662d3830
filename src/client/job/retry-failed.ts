import { ConfigError } from '../../core/errors.ts'
import { attemptStep, type JobSpec } from '../../core/protocol.ts'
import { resolveResources } from '../../core/resolve-resources.ts'
import type { Resources } from '../../core/resources.ts'
import { tellOfMap } from '../notify/tell-of.ts'
import type { Session } from '../session/session.ts'
import { abandoning } from '../submission/abandoning.ts'
import { alreadySealed, type Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import { Submission } from '../submission/submission.ts'
import { Parts } from './parts.ts'

/** The next attempt of what failed in a map, of each of its submissions by itself. */
export function retryFailed(before: Parts, resources: Resources): Parts {
  const retrying = before.complete.then(async () => {
    await Promise.allSettled(before.items.map(({ item }) => item.settled.promise))
    const ready = before.handles.map((handle) => {
      const { submission: old } = handle
      const submission = new Submission(old.id, 0, old.part)
      submission.telling = old.telling
      const failed = copyItems(old, submission)
      if (submission.items.length === 0) submission.over.resolve()
      const session = abandoning(submission, retrySubmission(old, submission, failed, handle, resources))
      next.add({ submission, session, seal: alreadySealed })
      return session
    })
    next.isComplete = true
    await Promise.all(ready)
  })
  const next = new Parts(before.id, retrying)
  tellOfMap(next)
  return next
}

/** Fills `next` with the items of `before`; gives those that failed. */
function copyItems(before: Submission, next: Submission): Item[] {
  const failed = before.items.filter(({ status }) => status.state !== 'COMPLETED')
  for (const item of before.items) {
    const copy = next.add(item.callSite, item.input)
    if (item.status.state === 'COMPLETED' || !before.submitted) continue
    copy.earlier.push(...item.earlier, before.attemptOf(item, item.status, undefined))
  }
  return failed
}

/** Submits the items that failed as the next attempt. */
async function retrySubmission(
  before: Submission,
  next: Submission,
  failed: readonly Item[],
  handle: Handle,
  resources: Resources,
): Promise<Session> {
  const session = await handle.session
  if (failed.length > 0 && before.front)
    throw new ConfigError(
      'OPTION_INVALID',
      `job ${before.id}: retryFailed() is not for calls with \`cache\``,
      {
        hint: 'map the same items again: those that are done are answered from the cache',
      },
    )
  const asked = resolveResources(resources)
  await copyValues(before, next)
  if (failed.length === 0 || !before.submitted) return session
  const { spec: first } = before.submitted
  const members = [...new Set(failed.map(({ index }) => Math.floor(index / first.chunk)))]
  const { again: _, skip: __, ...base } = before.specOf(members[0]!)
  const spec: JobSpec = {
    ...base,
    attempt: before.tries.lastAttempt + attemptStep,
    round: before.tries.round + 1,
    // The tries that `retry` grants begin anew.
    retried: 0,
    client: session.client,
    only: members,
    again: failed.map(({ index }) => index),
    resources: { ...base.resources, ...asked },
  }
  next.records = before.records
  next.tries.add(first)
  next.begin({ ...before.submitted, spec: first })
  await session.again(next, spec)
  return session
}

/** What is done is known; where the cache has answered all calls, there is nothing else. */
async function copyValues(before: Submission, next: Submission): Promise<void> {
  for (const item of before.items)
    if (item.status.state === 'COMPLETED') {
      const value = await item.settled.promise
      const copy = next.items[item.index]!
      next.settle(copy, item.status, () => copy.settled.resolve(value))
    }
}
