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
  CANCELLED: ['CANCELED', 'by-user'],
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
  readonly peakMemory?: number | undefined
}

/**
 * Slurm's words in ours. A word that is not in the table is QUEUED: that is never final, and no job
 * goes back to it (mayFollow), so the last known state stays.
 */
export function slurmStatus(facts: SlurmFacts): JobStatus {
  const [state, usual] = states[fullWord(facts.word)] ?? (['QUEUED'] as const)
  const message = facts.reason && !/^(None|\(null\)|N\/A)$/.test(facts.reason) ? facts.reason : undefined
  const status = {
    state,
    reason: usual,
    native: facts.word,
    message,
    time: facts.time,
    peakMemory: facts.peakMemory,
    ...(state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELED' ? readExit(facts.exitCode) : {}),
  }
  if (fullWord(facts.word) === 'PENDING') {
    // JobHeldUser, JobHeldAdmin, "job requeued in held state", "launch failed requeued held"
    if (/held/i.test(message ?? '')) status.reason = 'held'
    else if (facts.restarts) status.reason = 'requeued'
  }
  if (fullWord(facts.word) === 'FAILED' && 'signal' in status && status.signal) status.reason = 'signal'
  if (fullWord(facts.word) === 'CANCELLED') {
    const by = /\bby (\d+)/.exec(facts.word)?.[1]
    if (by !== undefined && facts.uid !== undefined && by !== facts.uid) status.reason = 'by-admin'
  }
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => value !== undefined),
  ) as unknown as JobStatus
}

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
