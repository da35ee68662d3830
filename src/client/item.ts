import type { JobSpec } from '../core/protocol.ts'
import type { JobStatus } from '../core/status.ts'
import type { Executor } from '../executor/executor.ts'
import { type Deferred, deferred } from './deferred.ts'
import type { Decoder } from './outcome.ts'
import type { ResultFile } from './result-file.ts'

/** One input and what became of it. */
export interface Item {
  readonly index: number
  readonly settled: Deferred<unknown>
  /** Its `stack` is where the call was made; formatted only when an error needs it. */
  readonly callSite: { readonly stack?: string }
  status: JobStatus
  /** Why it is to be canceled. */
  canceling?: unknown
  /** Its value is to be written there, and not to be held in memory. */
  file?: ResultFile
}

/** What is known once a submission has a place to run. */
export interface Submitted {
  readonly spec: JobSpec
  readonly executor: Executor
  readonly decoder: Omit<Decoder, 'jobId' | 'callSite'>
}

export function makeItem(index: number, callSite: { readonly stack?: string }): Item {
  const item: Item = { index, settled: deferred(), callSite, status: { state: 'NEW' } }
  // Jobs and arrays made from it report the failure; an item alone does not.
  item.settled.promise.catch(() => undefined)
  return item
}

export function isFailed(item: Item): boolean {
  return item.status.state === 'FAILED' || item.status.state === 'CANCELED'
}
