import type { JobReason, JobState, JobStatus } from '../core/status.ts'

/** https://slurm.schedmd.com/squeue.html#lang-codes (the words of squeue's %T, sacct's State and scontrol's JobState). */
const states: Record<string, readonly [JobState, JobReason?]> = {
  PENDING: ['QUEUED'],
  REQUEUE_FED: ['QUEUED', 'requeued'],
  REQUEUED: ['QUEUED', 'requeued'],
  REQUEUE_HOLD: ['QUEUED', 'held'],
  RESV_DEL_HOLD: ['QUEUED', 'held'],
  SPECIAL_EXIT: ['QUEUED', 'held'],
  CONFIGURING: ['QUEUED', 'configuring'],
  POWER_UP_NODE: ['QUEUED', 'configuring'],
  EXPEDITING: ['QUEUED', 'requeued'],
  RUNNING: ['ACTIVE'],
  RESIZING: ['ACTIVE'],
  SIGNALING: ['ACTIVE'],
  UPDATE_DB: ['ACTIVE'],
  SUSPENDED: ['ACTIVE', 'suspended'],
  STOPPED: ['ACTIVE', 'suspended'],
  COMPLETING: ['ACTIVE', 'completing'],
  STAGE_OUT: ['ACTIVE', 'staging-out'],
  COMPLETED: ['COMPLETED'],
  FAILED: ['FAILED', 'exit-code'],
  TIMEOUT: ['FAILED', 'timeout'],
  DEADLINE: ['FAILED', 'timeout'],
  OUT_OF_MEMORY: ['FAILED', 'out-of-memory'],
  NODE_FAIL: ['FAILED', 'node-failure'],
  PREEMPTED: ['FAILED', 'preempted'],
  BOOT_FAIL: ['FAILED', 'launch-failed'],
  LAUNCH_FAILED: ['FAILED', 'launch-failed'],
  RECONFIG_FAIL: ['FAILED', 'launch-failed'],
  CANCELLED: ['CANCELED'],
  REVOKED: ['CANCELED'],
}

const words = Object.keys(states)

export interface SlurmFacts {
  /** Slurm's word, as printed. */
  readonly word: string
  /** Why it waits, or what it says of the end. */
  readonly reason?: string | undefined
  /** 'code:signal' */
  readonly exitCode?: string | undefined
  /** How often Slurm has requeued it. */
  readonly restarts?: number | undefined
  /** Whose job it is: tells a cancellation by its owner from one by somebody else. */
  readonly uid?: string | undefined
  readonly time?: number | undefined
  /** Seconds. */
  readonly elapsed?: number | undefined
  readonly peakMemory?: number | undefined
  /** Seconds. */
  readonly cpuTime?: number | undefined
}

/**
 * Slurm's words in ours. A word that is not in the table is QUEUED: that is never final, and no job
 * goes back to it (mayFollow), so the last known state stays.
 */
export function slurmStatus(facts: SlurmFacts): JobStatus {
  const word = fullWord(facts.word)
  const [state, usual] = (Object.hasOwn(states, word) ? states[word] : undefined) ?? (['QUEUED'] as const)
  // Other endings come with a code that says nothing: 0:0 after a time limit, 0:125 for memory.
  const { exitCode, signal } =
    word === 'FAILED' || word === 'COMPLETED'
      ? readExit(facts.exitCode)
      : { exitCode: undefined, signal: undefined }
  let reason: JobReason | undefined = usual
  let message = facts.reason && !/^(None|\(null\)|N\/A)$/.test(facts.reason) ? facts.reason : undefined
  if (word === 'PENDING') {
    // JobHeldUser, JobHeldAdmin, 'launch failed requeued held', JobHoldMaxRequeue
    if (/held|hold/i.test(message ?? '')) reason = 'held'
    else if (facts.restarts) reason = 'requeued'
  }
  if (word === 'FAILED' && signal === launchFailed) {
    reason = 'launch-failed'
    message =
      'Slurm could not start the script: mostly its log or working folder cannot be opened on the node'
  } else if (word === 'FAILED' && signal !== undefined) reason = 'signal'
  // Without accounting nobody can say who did it.
  const by = /\bby (\d+)/.exec(facts.word)?.[1]
  if (word === 'CANCELLED' && by !== undefined && facts.uid !== undefined)
    reason = by === facts.uid ? 'by-user' : 'by-admin'
  const { word: native, time, elapsed, peakMemory, cpuTime } = facts
  const status = { state, reason, native, message, exitCode, signal, time, elapsed, peakMemory, cpuTime }
  // Slurm itself ended it (kill_invalid_depend), before it began.
  if (word === 'CANCELLED' && message === 'DependencyNeverSatisfied')
    Object.assign(status, { state: 'FAILED', reason: 'launch-failed' })
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => value !== undefined),
  ) as unknown as JobStatus
}

/** What slurmd reports instead of a signal when it cannot start the script: 'RaisedSignal:53'. */
const launchFailed = 53

/** 'CANCELLED by 1000' and 'OUT_OF_ME+' (sacct cuts to its column) to the word of the table. */
function fullWord(native: string): string {
  const word = native.trim().split(/\s/, 1)[0]!.toUpperCase()
  if (!word.endsWith('+')) return word
  const matches = words.filter((candidate) => candidate.startsWith(word.slice(0, -1)))
  return matches.length === 1 ? matches[0]! : word
}

function readExit(text: string | undefined): { exitCode?: number; signal?: number } {
  const match = /^(\d+):(\d+)$/.exec(text ?? '')
  if (!match) return {}
  const signal = Number(match[2])
  return signal > 0 ? { signal } : { exitCode: Number(match[1]) }
}
