import type { JobSpec } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { Executor } from '../../executor/executor.ts'
import type { Attempt } from '../outcome/attempt.ts'
import type { ResultFile } from '../outcome/result-file.ts'
import { Settlement } from '../outcome/settlement.ts'
import type { RetryTools } from '../retries/retries.ts'
import type { Handle } from './handle.ts'
import type { YieldReader } from './yield-reader.ts'

/** One input and what became of it. */
export interface Item {
  readonly index: number
  settled: Settlement
  /** Its `stack` is where the call was made; formatted only when an error needs it. */
  readonly callSite: { readonly stack?: string }
  status: JobStatus
  /** What it was called with, in short. */
  input?: string
  /** Of a stream: its place in the buffer is free. */
  isFreed?: boolean
  /** Why it is to be canceled. */
  canceling?: unknown
  /** Tries that came to nothing, oldest first. */
  readonly earlier: Attempt[]
  /** What came of it could not be read here: its files have to stay. */
  unread?: boolean
  /** How the try that is just over failed; it is not the last one. */
  failure?: {
    readonly status: JobStatus
    readonly error: unknown
    readonly requeue: boolean
    /** For want of a Node that nobody sent. */
    readonly awaited: boolean
    /** Its chunk was cut off by the time limit, and it had not had all of that time. */
    readonly cutOff: boolean
  }
  /** A try has ended for want of a Node that nobody sent. Nothing of it has run, and it does not count. */
  awaited?: boolean
  /** Tries that ended when its chunk was cut off, before its turn or in the midst of it; they do not count. */
  cutOffs?: number
  /** The item of the job that really runs it, when the submission is only a front. */
  behind?: { readonly handle: Handle; readonly item: Item }
  /** The job whose call it is, when it is the same call as one before. */
  ranAs?: string
  /** Local paths of what it has left, once they are here. */
  outputs?: readonly string[]
  /** Of a stream, once it is submitted: what it yields. */
  yields?: YieldReader
  /** A job has failed whose value it needs; the error is on its way. */
  parentFails?: boolean
  /** Another item of its job was attached to: its result stays where it is. */
  notAsked?: boolean
  /** Its value goes to other jobs, and stays where it is until somebody here asks for it. */
  passedOn?: boolean
  /** Somebody here has asked for its value. */
  wanted?: boolean
  /** Fetches the value that was left where it is. */
  fetch?: () => void
  /** Its value is to be written there, and not to be held in memory. */
  file?: ResultFile
}

/** What is known once a submission has a place to run. */
export interface Submitted {
  readonly spec: JobSpec
  readonly executor: Executor
  /** For its further tries. */
  readonly tools?: RetryTools
}

export function makeItem(index: number, callSite: { readonly stack?: string }): Item {
  return { index, settled: new Settlement(), callSite, status: untold, earlier: [] }
}

const untold: JobStatus = Object.freeze({ state: 'NEW' })
/** What a hundred thousand items share. */
export const completed: JobStatus = Object.freeze({ state: 'COMPLETED' })

export function isFailed(item: Item): boolean {
  return item.status.state === 'FAILED' || item.status.state === 'CANCELED'
}

/** Somebody here awaits its value. */
export function want(item: Item): void {
  item.wanted = true
  const { fetch } = item
  delete item.fetch
  fetch?.()
}
