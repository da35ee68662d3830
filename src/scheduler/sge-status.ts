import type { JobReason, JobState, JobStatus } from '../core/status.ts'

/**
 * A word of qstat, letter by letter (sge_status(5), https://gridscheduler.sourceforge.net/htmlman/htmlman5/sge_status.html).
 * A word with a letter that is not known here is QUEUED: that is never final, and no job goes back to it.
 */
export function readState(word: string): { state: JobState; reason?: JobReason } {
  if (!/^[dEhrRtswqSTzNP]+$/.test(word)) return { state: 'QUEUED' }
  const has = (letters: string) => [...letters].some((letter) => word.includes(letter))
  if (has('z')) return { state: 'ACTIVE', reason: 'completing' }
  if (has('d')) return { state: 'ACTIVE', reason: 'completing' }
  // What waits has a q; hr runs, and would wait if it were started again.
  if (has('q')) {
    if (has('Eh')) return { state: 'QUEUED', reason: 'held' }
    return has('R') ? { state: 'QUEUED', reason: 'requeued' } : { state: 'QUEUED' }
  }
  if (has('sST')) return { state: 'ACTIVE', reason: 'suspended' }
  if (has('t')) return { state: 'QUEUED', reason: has('R') ? 'requeued' : 'configuring' }
  return has('r') ? { state: 'ACTIVE' } : { state: 'QUEUED' }
}

/** A record of accounting, as far as it tells how a job ended. */
export interface SgeRecord {
  /** sge_status(5): 0, or what went wrong around the job. */
  readonly failed: number
  /** qacct's words for it. */
  readonly words: string
  /** 128 and more: a signal. */
  readonly exitStatus: number
  /** Seconds. */
  readonly wallclock?: number | undefined
  readonly cpuTime?: number | undefined
  /** The most memory of one process, and the most that all had at once, bytes. */
  readonly peakMemory?: number | undefined
  readonly peakVirtual?: number | undefined
  /** What was asked for, whole: seconds and bytes. */
  readonly limits: { readonly time?: number | undefined; readonly memory?: number | undefined }
  readonly host?: string | undefined
}

/** What shepherd and execd say when the node, or one of them, is gone. */
const lostNode = new Set([18, 19, 20, 21, 22, 23])
/** It is in the queue again, for another run. */
const again = new Set([24, 25])
/** It ran: what failed was something after it. */
const afterwards = new Set([0, 12, 13, 14, 15, 16])

export function recordStatus(record: SgeRecord): JobStatus {
  const { failed, words, exitStatus, wallclock: elapsed, cpuTime, peakMemory, host } = record
  const measured = Object.fromEntries(
    Object.entries({ elapsed, cpuTime, peakMemory }).filter(([, value]) => value !== undefined),
  )
  const native = failed === 0 ? `exit_status ${exitStatus}` : `failed ${failed}: ${words}`
  const on = host === undefined ? '' : ` on ${host}`
  const facts = { native, ...measured }
  if (again.has(failed)) return { state: 'QUEUED', reason: 'requeued', native }
  if (afterwards.has(failed))
    return exitStatus === 0
      ? { state: 'COMPLETED', ...facts }
      : { state: 'FAILED', reason: 'exit-code', exitCode: exitStatus, ...facts }
  const limit = brokenLimit(record)
  // In this measure it was held to the limit.
  const peak = limit?.reason === 'out-of-memory' ? { peakMemory: record.peakVirtual! } : {}
  if (limit) return { state: 'FAILED', ...limit, ...facts, ...peak }
  if (failed === 30) return { state: 'FAILED', reason: 'exit-code', exitCode: exitStatus, ...facts }
  if (lostNode.has(failed))
    return {
      state: 'FAILED',
      reason: 'node-failure',
      message: `the node${on} or Grid Engine's daemon on it ended: ${words}`,
      ...facts,
    }
  const signal = exitStatus > 128 ? exitStatus - 128 : undefined
  if (failed === 100 || failed === 17 || failed === 37)
    return {
      state: 'FAILED',
      reason: 'signal',
      ...(signal === undefined ? {} : { signal }),
      ...(signal === 9 && {
        message: `it was killed${on}: by qdel, by somebody of the site, or by the node's kernel`,
      }),
      ...facts,
    }
  return {
    state: 'FAILED',
    reason: 'launch-failed',
    message: `Grid Engine could not start it${on}: ${words}`,
    ...facts,
  }
}

/** Grid Engine has one word for all of its limits: which of them it was is told by what was used. */
function brokenLimit({ failed, exitStatus, limits, wallclock = 0, peakVirtual = 0 }: SgeRecord) {
  if (failed !== 37 && !(failed === 100 && exitStatus > 128)) return undefined
  if (limits.memory !== undefined && peakVirtual >= limits.memory)
    return { reason: 'out-of-memory', message: 'it used more memory than h_vmem allows' } as const
  if (limits.time !== undefined && wallclock >= limits.time)
    return { reason: 'timeout', message: `the time limit (h_rt) of ${limits.time} s is over` } as const
  // The queue's own, which the job has not asked for.
  if (failed === 37)
    return {
      reason: 'timeout',
      message: 'a limit of its queue is over: h_rt, h_cpu or h_vmem (`qconf -sq QUEUE` shows them)',
    } as const
  return undefined
}
