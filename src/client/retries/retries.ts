import type { Clock } from '../../core/clock.ts'
import { FarcallError, JobCanceledError, SubmitError } from '../../core/errors.ts'
import { LazyMap } from '../../core/lazy.ts'
import { attemptStep, type JobSpec, type MemberEnd, submissionOf } from '../../core/protocol.ts'
import type { RetryPolicy } from '../../core/retry-policy.ts'
import type { JobStatus } from '../../core/status.ts'
import { canceledBefore } from '../outcome/failures.ts'
import type { Item } from '../submission/item.ts'
import type { Submission } from '../submission/submission.ts'
import { CutOffs } from './cut-offs.ts'
import { makeAttempts } from './next-attempt.ts'
import { delayBefore, escalated, isTriedAgain } from './retry.ts'

/** Members that failed close together and are tried again together, with the same resources. */
interface Batch {
  readonly base: JobSpec
  readonly reasons: ReadonlySet<JobStatus['reason']>
  readonly retry: number
  readonly items: Set<Item>
  /** Milliseconds; undefined: as the policy says. */
  readonly wait?: number
}

export interface RetryTools {
  readonly clock: Clock
  readonly random: () => number
  /** The inbox that notices of the next attempts go to. */
  readonly client: string
  /** Where this process has it. */
  readonly bundle?: Uint8Array
}

/** Tries items of one submission again: holds what failed back, waits, and submits the members as the next attempt. */
export class Retries {
  readonly #submission: Submission
  readonly #policy: RetryPolicy
  readonly #tools: RetryTools
  readonly #batches = new LazyMap<string, Batch>()
  /** Made by the first that needs it. */
  #cutOffs: CutOffs | undefined
  #stopped = false
  /** Made by the first that waits. */
  #stop: AbortController | undefined

  constructor(submission: Submission, policy: RetryPolicy, tools: RetryTools) {
    this.#submission = submission
    this.#policy = policy
    this.#tools = tools
  }

  /** Whether this failure is not the last word. It is held until the member has ended. */
  hold(item: Item, status: JobStatus, error: unknown, end: MemberEnd | undefined): boolean {
    const canceled = item.canceling !== undefined || this.#submission.canceling !== undefined
    if (canceled || this.#stopped) return false
    const requeue = end?.requeue === true
    const awaited = end?.interpreter?.awaited === true && !item.awaited
    const cutOff = !requeue && status.reason === 'timeout' && this.#cuts.goesOn(item)
    if (!awaited && !cutOff && !isTriedAgain(this.#policy, retriesOf(item), status, requeue)) return false
    item.failure = { status, error, requeue, awaited, cutOff }
    return true
  }

  get #cuts(): CutOffs {
    this.#cutOffs ??= new CutOffs(this.#submission)
    return this.#cutOffs
  }

  /** The member is over: what was held of it goes into the next attempt. */
  memberEnded(member: number, end: MemberEnd | undefined): void {
    const held = this.#submission.openItems(member).filter((item) => item.failure)
    if (held.length === 0) return
    const base = this.#submission.specOf(member)
    // Of an earlier attempt than the one that another client has made meanwhile.
    if (end && submissionOf(end.attempt) < base.attempt) {
      for (const item of held) delete item.failure
      return
    }
    // A requeue that was asked for is no lack of time, and neither is a chunk that has more items than fit.
    const reasons = new Set(
      held.map(({ failure }) => (failure!.requeue || failure!.cutOff ? undefined : failure!.status.reason)),
    )
    const cutOff = held.every(({ failure }) => failure!.cutOff)
    const awaited = held.every(({ failure }) => failure!.awaited)
    for (const item of held) {
      item.earlier.push(this.#submission.attemptOf(item, item.failure!.status, end))
      if (awaited) item.awaited = true
      if (item.failure!.cutOff) item.cutOffs = (item.cutOffs ?? 0) + 1
    }
    const platform = awaited ? end?.interpreter?.platform : undefined
    const next: JobSpec = platform ? { ...base, interpreter: { from: 'runtime', platform } } : base
    const wait = cutOff ? { wait: gatherMs(base.resources.timeSeconds) } : {}
    this.#plan({ base: next, reasons, retry: Math.max(...held.map(retriesOf)), ...wait }, held)
  }

  #plan(asked: Omit<Batch, 'items'>, items: readonly Item[]): void {
    const { base, reasons, retry, wait } = asked
    const { escalate } = this.#policy
    const memory = escalate.memory !== undefined && reasons.has('out-of-memory')
    const time = escalate.time !== undefined && reasons.has('timeout')
    const key = [base.attempt, retry, memory, time, base.interpreter?.from, wait].join()
    const known = this.#batches.get(key)
    const batch: Batch = known ?? { ...asked, items: new Set() }
    for (const item of items) batch.items.add(item)
    const why = items[0]!.failure!.status.reason
    const again = `retry ${retry} of ${this.#policy.retries}${why ? ` after ${why}` : ''}`
    const message = items[0]!.failure!.awaited
      ? 'a Node is sent, and then it is tried again'
      : wait === undefined
        ? again
        : 'the time limit has cut off its chunk, which goes on where it stopped'
    this.#submission.requeued(items, { state: 'QUEUED', reason: 'requeued', message })
    if (known) return
    this.#batches.set(key, batch)
    void this.#run(key, batch)
  }

  async #run(key: string, batch: Batch): Promise<void> {
    const { clock, random } = this.#tools
    this.#stop ??= new AbortController()
    if (this.#stopped) this.#stop.abort()
    const wait = batch.wait ?? delayBefore(this.#policy, batch.retry, random)
    await clock.sleep(wait, this.#stop.signal)
    this.#batches.delete(key)
    if (this.#stopped || batch.items.size === 0) return
    const submission = this.#submission
    const { executor } = submission.submitted!
    const items = [...batch.items]
    const spec = this.#nextSpec(batch, items)
    this.#cuts.begin(spec, items)
    const failures = new Map(items.map((item) => [item, item.failure!]))
    for (const item of items) delete item.failure
    const followed = (made: JobSpec) => {
      for (const item of items) if (runs(made, item)) failures.delete(item)
      this.#followed(made)
    }
    try {
      await makeAttempts(submission, executor, spec, this.#tools.bundle, followed)
    } catch (error) {
      for (const [item, failure] of failures) item.failure = failure
      this.#refused(batch, [...failures.keys()], error)
    }
    const canceled = items.filter((item) => item.canceling !== undefined)
    if (canceled.length > 0)
      await executor.cancel([{ id: submission.id, members: membersOf(spec, canceled) }]).catch((error) => {
        process.emitWarning(`farcall: cancel failed: ${String(error)}`)
      })
  }

  /** Another client's attempt may have members along that wait here: what becomes of them is seen there. */
  #followed(made: JobSpec): void {
    for (const { items } of this.#batches.values())
      for (const item of items) {
        if (!runs(made, item)) continue
        items.delete(item)
        delete item.failure
      }
  }

  #nextSpec({ base, reasons, retry }: Batch, items: readonly Item[]): JobSpec {
    // What has a record of its failure.
    const again = items.filter(({ failure }) => base.command || failure!.status.reason === 'exception')
    const { again: _, skip: __, ...rest } = base
    const only = membersOf(base, items)
    const skip = this.#cuts.tooLong(base, only)
    return {
      ...rest,
      attempt: this.#submission.tries.lastAttempt + attemptStep,
      retried: retry,
      client: this.#tools.client,
      only,
      ...(again.length > 0 ? { again: again.map(({ index }) => index) } : {}),
      ...(skip.length > 0 ? { skip } : {}),
      resources: escalated(base.resources, this.#policy, reasons),
    }
  }

  /** The next attempt was not taken. What may pass is waited for, as long as there are tries left. */
  #refused(batch: Batch, items: readonly Item[], error: unknown): void {
    const canceled = error instanceof JobCanceledError
    const status: JobStatus = canceled ? error.status : { state: 'FAILED', reason: 'submit-failed' }
    const passes = error instanceof FarcallError && error.transient
    const open = items.filter(({ status: { state } }) => state === 'QUEUED')
    if (open.length === 0) return
    if (passes && isTriedAgain(this.#policy, batch.retry, status, false)) {
      for (const item of open) item.earlier.push(this.#submission.attemptOf(item, status, undefined))
      const { base, reasons, retry } = batch
      this.#plan({ base, reasons, retry: retry + 1 }, open)
      return
    }
    for (const item of open) {
      const { failure } = item
      delete item.failure
      this.#submission.settle(item, status, () =>
        item.settled.reject(refusal(this.#submission.itemId(item), error, failure?.error)),
      )
    }
  }

  /** Items that wait for their next attempt will not have one. */
  cancel(items: readonly Item[], reason: unknown): void {
    for (const { items: waiting } of this.#batches.values())
      for (const item of items) {
        if (!waiting.delete(item)) continue
        const status = { state: 'CANCELED', reason: 'by-user' } as const
        const details = { jobId: this.#submission.itemId(item), status, cause: reason }
        this.#submission.settle(item, status, () =>
          item.settled.reject(new JobCanceledError(`job ${details.jobId} was canceled`, details)),
        )
      }
  }

  /** Nobody here waits any more; whoever attaches goes on from what lies there. */
  stop(): void {
    this.#stopped = true
    this.#stop?.abort()
  }
}

/** How many of its tries were retries that the policy counts. */
const retriesOf = ({ earlier, awaited, cutOffs = 0 }: Item) => earlier.length - (awaited ? 1 : 0) - cutOffs

/** Members of an array come to their time limit one after the other: those that do close together go on together. */
const gatherMs = (timeSeconds = 0) => Math.min(60_000, Math.max(2_000, 20 * timeSeconds))

const runs = ({ chunk, only }: JobSpec, { index }: Item) => !only || only.includes(Math.floor(index / chunk))

function membersOf(spec: JobSpec, items: readonly Item[]): number[] {
  return [...new Set(items.map(({ index }) => Math.floor(index / spec.chunk)))].sort((a, b) => a - b)
}

function refusal(id: string, error: unknown, before: unknown): unknown {
  if (!(error instanceof SubmitError)) return error
  const { code, hint } = error
  const said = error.message.split('\n  hint: ')[0]
  return new SubmitError(code, `job ${id} failed, and its next attempt was refused: ${said}`, {
    cause: before,
    ...(hint === undefined ? {} : { hint }),
  })
}

/** The first submission: what may pass is waited for. Submitting is idempotent, so a lost answer makes no second job. */
export async function submitPatiently(
  submission: Submission,
  policy: RetryPolicy | undefined,
  { clock, random }: RetryTools,
  submit: () => Promise<void>,
): Promise<void> {
  for (let retry = 0; ; retry++) {
    try {
      return await submit()
    } catch (error) {
      const passes = error instanceof FarcallError && error.transient
      const status = { state: 'FAILED', reason: 'submit-failed' } as const
      if (!policy || !passes || !isTriedAgain(policy, retry, status, false)) throw error
      await clock.sleep(delayBefore(policy, retry + 1, random))
      if (submission.canceling !== undefined) throw canceledBefore(submission)
    }
  }
}
