import { attemptStep, type JobSpec } from '../core/protocol.ts'
import { resolveResources } from '../core/resolve-resources.ts'
import type { Resources } from '../core/resources.ts'
import type { Handle } from './handle.ts'
import type { Session } from './session.ts'
import type { Submission } from './submission.ts'

/** Fills `next` with the items of `before`, and submits those that failed as the next attempt. */
export async function retryFailed(
  before: Submission,
  next: Submission,
  handle: Handle,
  resources: Resources,
): Promise<Session> {
  const session = await handle.session
  await Promise.allSettled(before.items.map((item) => item.settled.promise))
  const failed = before.items.filter(({ status }) => status.state !== 'COMPLETED')
  for (const item of before.items) {
    const copy = next.add(item.callSite)
    if (!failed.includes(item)) continue
    copy.earlier.push(...item.earlier, before.attemptOf(item, item.status, undefined))
  }
  if (!before.submitted) return session
  const { spec: first } = before.submitted
  const members = [...new Set(failed.map(({ index }) => Math.floor(index / first.chunk)))]
  const { again: _, ...base } = members.length > 0 ? before.specOf(members[0]!) : first
  const spec: JobSpec = {
    ...base,
    attempt: before.lastAttempt + attemptStep,
    // The tries that `retry` grants begin anew.
    retried: 0,
    client: session.client,
    only: members,
    again: failed.map(({ index }) => index),
    resources: { ...base.resources, ...resolveResources(resources) },
  }
  for (const item of before.items)
    if (item.status.state === 'COMPLETED') {
      const value = await item.settled.promise
      const copy = next.items[item.index]!
      next.settle(copy, item.status, () => copy.settled.resolve(value))
    }
  if (failed.length === 0) return session
  next.records = before.records
  next.tried(first)
  next.begin({ ...before.submitted, spec: first })
  await session.again(next, spec)
  return session
}
