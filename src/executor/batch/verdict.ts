import type { MemberEnd } from '../../core/protocol.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import { mergeMeasured } from '../../core/usage.ts'

/** What is known of a member that has ended, or that the queue no longer shows. */
export interface Evidence {
  /** The end file: the truth about what the node saw. */
  readonly end?: MemberEnd | undefined
  /** What the scheduler's accounting says. */
  readonly accounting?: JobStatus | undefined
  /** It could never have started, and we took it out of the queue. */
  readonly doomed?: JobStatus | undefined
  /** Whether we asked for its end. */
  readonly canceledByUs: boolean
  /** Milliseconds since it was first missed in the queue, or since its end came. */
  readonly waitedMs: number
  /** How long a file may take to be seen here. */
  readonly graceMs: number
  /** Whether the scheduler can be asked about jobs that left the queue. */
  readonly hasAccounting: boolean
}

/** Accounting lags behind the node by some seconds. */
const accountingLagMs = 15_000
/** An end file that would tell more is waited for this long, when accounting has told the reason already. */
const courtesyMs = 3_000

/**
 * Files decide, the queue hints. Undefined: too early to say, look again.
 * The end file says how Node ended; only accounting can say why a signal came.
 */
export function verdict(evidence: Evidence): JobStatus | undefined {
  return evidence.end ? withEnd(evidence.end, evidence) : withoutEnd(evidence)
}

function withEnd(end: MemberEnd, evidence: Evidence): JobStatus | undefined {
  const facts = factsOf(end)
  if (end.reason === undefined) return { state: 'COMPLETED', ...facts }
  if (end.reason === 'by-user') return { state: 'CANCELED', reason: 'by-user', ...facts }
  if (end.reason === 'out-of-memory') return outOfMemory(facts, evidence)
  // It may have ended itself when SIGTERM came.
  if (end.reason === 'exit-code' && evidence.canceledByUs)
    return { state: 'CANCELED', reason: 'by-user', ...facts }
  if (end.reason !== 'signal') return { state: 'FAILED', reason: end.reason, ...facts }
  if (evidence.canceledByUs) return { state: 'CANCELED', reason: 'by-user', ...facts }
  const { accounting } = evidence
  // It was requeued: what ended is not the last run.
  if (accounting?.state === 'QUEUED') return undefined
  const tellsWhy = endsBadly(accounting)
  if (tellsWhy && accounting.reason !== 'exit-code') return merge(facts, accounting)
  if (tellsWhy || !evidence.hasAccounting || evidence.waitedMs >= accountingLagMs)
    return { state: 'FAILED', reason: 'signal', ...facts }
  return undefined
}

/** That much is certain; the scheduler's word for it is worth a short wait. */
function outOfMemory(facts: Partial<JobStatus>, evidence: Evidence): JobStatus | undefined {
  const status = { state: 'FAILED', reason: 'out-of-memory', ...facts } as const
  const { accounting } = evidence
  if (endsBadly(accounting)) return { ...merge(facts, accounting), state: 'FAILED', reason: 'out-of-memory' }
  return !evidence.hasAccounting || evidence.waitedMs >= courtesyMs ? status : undefined
}

function endsBadly(accounting: JobStatus | undefined): accounting is JobStatus {
  return accounting !== undefined && isFinal(accounting.state) && accounting.state !== 'COMPLETED'
}

/** What both know: the node saw how, the scheduler knows why. */
function merge(facts: Partial<JobStatus>, accounting: JobStatus): JobStatus {
  const { peakMemory, cpuTime } = mergeMeasured(facts, accounting)
  return {
    ...facts,
    ...accounting,
    ...(peakMemory === undefined ? {} : { peakMemory }),
    ...(cpuTime === undefined ? {} : { cpuTime }),
  }
}

function withoutEnd(evidence: Evidence): JobStatus | undefined {
  const { accounting, waitedMs, graceMs } = evidence
  if (evidence.doomed) return evidence.doomed
  if (evidence.canceledByUs && waitedMs >= Math.min(1_000, graceMs))
    return { ...accounting, state: 'CANCELED', reason: 'by-user' }
  if (accounting && !isFinal(accounting.state)) return undefined
  if (accounting && accounting.state !== 'COMPLETED') {
    // An exit code may be the runtime's own, whose end file is still on its way.
    const wait = accounting.reason === 'exit-code' ? Math.min(graceMs, 30_000) : Math.min(graceMs, courtesyMs)
    return waitedMs >= wait ? accounting : undefined
  }
  if (waitedMs < graceMs) return undefined
  const seconds = Math.round(waitedMs / 1000)
  const message = accounting
    ? `the scheduler says ${accounting.native ?? accounting.state}, but no result appeared within ${seconds} s`
    : `it left the queue without a trace, and no result appeared within ${seconds} s`
  return { ...accounting, state: 'FAILED', reason: 'lost', message }
}

function factsOf(end: MemberEnd): Partial<JobStatus> {
  return {
    ...(end.message === undefined ? {} : { message: end.message }),
    ...(end.exitCode === undefined ? {} : { exitCode: end.exitCode }),
    ...(end.signal === undefined ? {} : { signal: end.signal }),
    ...(end.endedAt === undefined ? {} : { time: end.endedAt }),
    ...(end.endedAt === undefined || end.startedAt === undefined
      ? {}
      : { elapsed: Math.max(0, end.endedAt - end.startedAt) / 1000 }),
    ...(end.peakMemory === undefined ? {} : { peakMemory: end.peakMemory }),
    ...(end.cpuTime === undefined ? {} : { cpuTime: end.cpuTime }),
  }
}
