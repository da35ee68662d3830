import { type JobSpec, type MemberEnd, membersOf, submissionOf } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { FoundAttempt } from '../../executor/executor.ts'
import type { Attempt } from '../outcome/attempt.ts'
import type { Item } from './item.ts'

/** A try of an item, as far as it is known. */
export function makeAttempt(
  number: number,
  status: JobStatus,
  spec: JobSpec,
  nativeId: string | undefined,
  end: MemberEnd | undefined,
): Attempt {
  const { memoryBytes, timeSeconds } = spec.resources
  const restarts = end ? end.attempt - submissionOf(end.attempt) : 0
  return {
    attempt: number,
    status,
    ...(nativeId === undefined ? {} : { nativeId }),
    ...(restarts > 0 ? { restarts } : {}),
    ...(end?.host === undefined ? {} : { host: end.host }),
    ...(end?.startedAt === undefined ? {} : { startedAt: end.startedAt }),
    ...(end?.endedAt === undefined ? {} : { endedAt: end.endedAt }),
    ...(memoryBytes === undefined ? {} : { memory: memoryBytes }),
    ...(timeSeconds === undefined ? {} : { time: timeSeconds }),
  }
}

/** Tells items what the tries before the last one came to, as their files have it. */
export function recallAttempts(items: readonly Item[], attempts: readonly FoundAttempt[]): void {
  const last = new Map<number, number>()
  for (const { spec } of attempts) for (const member of membersOf(spec)) last.set(member, spec.attempt)
  for (const { spec, nativeId, ends } of attempts)
    for (const member of membersOf(spec)) {
      if (last.get(member) === spec.attempt) continue
      const end = ends.find((one) => one.member === member)
      const { reason = end ? 'exception' : 'lost', message } = end ?? {}
      const status: JobStatus = { state: 'FAILED', reason, ...(message === undefined ? {} : { message }) }
      // What goes on after it was cut off counts no retry.
      const next = attempts.find((one) => one.spec.attempt > spec.attempt && runs(one.spec, member))!
      const counts = (next.spec.retried ?? 0) > (spec.retried ?? 0)
      for (const item of items.slice(member * spec.chunk, (member + 1) * spec.chunk)) {
        item.earlier.push(makeAttempt(item.earlier.length + 1, status, spec, nativeId, end))
        if (!counts) item.cutOffs = (item.cutOffs ?? 0) + 1
      }
    }
}

const runs = ({ only }: JobSpec, member: number) => !only || only.includes(member)
