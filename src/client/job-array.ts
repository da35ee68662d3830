import { basename, resolve } from 'node:path'
import { AsyncQueue } from '../core/async-queue.ts'
import { JobCanceledError } from '../core/errors.ts'
import type { Resources } from '../core/resources.ts'
import { isFinal } from '../core/status.ts'
import type { JobArrayUsage } from '../core/usage.ts'
import { alreadySealed, type Handle } from './handle.ts'
import type { Item } from './item.ts'
import { cancelItems, ignoreRejection, Job, letGo } from './job.ts'
import { jobArrayUsage } from './measuring.ts'
import { localPathOf, type ResultsOptions } from './result-file.ts'
import { retryFailed } from './retry-failed.ts'
import { Submission } from './submission.ts'

/** How far a map is. */
export interface Progress {
  readonly total: number
  readonly done: number
  readonly running: number
  readonly queued: number
  readonly failed: number
}

/**
 * A map that runs elsewhere: a promise of the results in the order of the inputs, and an async iterable of
 * results as they finish. Every item runs, whatever becomes of the others; if some fail, the promise rejects
 * with an AggregateError whose errors carry the `index` of their item.
 *
 * @example
 * import { cluster } from 'farcall'
 *
 * const simulate = cluster((seed: number) => Math.sin(seed))
 * const seeds = [1, 2, 3]
 * const jobs = simulate.map(seeds)
 * for await (const { index, value } of jobs) console.log(seeds[index], value) // as they finish
 * const results = await jobs // in the order of the seeds
 */
export class JobArray<R>
  extends Promise<R[]>
  implements AsyncIterable<{ index: number; value: R }>, AsyncDisposable
{
  readonly #handle: Handle
  readonly #ready: Promise<Submission>

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** @internal `ready` resolves when all items are known, and rejects when there is no submission. */
  constructor(handle: Handle, ready: Promise<Submission>) {
    super((resolve, reject) => {
      ready.then((submission) => allResults<R>(submission)).then(resolve, reject)
    })
    this.#handle = handle
    this.#ready = ready
  }

  /** Ours; what `attach` takes. */
  get id(): string {
    return this.#handle.submission.id
  }

  /** The scheduler's id; undefined until it is submitted. */
  get nativeId(): string | undefined {
    return this.#handle.submission.nativeId
  }

  /** Items by where they stand, as far as this process has heard. */
  get progress(): Progress {
    const { items } = this.#handle.submission
    const count = (...states: string[]) => items.filter((item) => states.includes(item.status.state)).length
    return {
      total: items.length,
      done: count('COMPLETED'),
      running: count('ACTIVE'),
      queued: count('NEW', 'QUEUED'),
      failed: count('FAILED', 'CANCELED'),
    }
  }

  /**
   * What its items used, each by itself and together, with hints where a request was far off. As `job.usage()`.
   * @throws (by rejecting) what keeps the array from being submitted, or its place from being asked
   */
  async usage(): Promise<JobArrayUsage> {
    await this.#ready
    return jobArrayUsage(this.#handle)
  }

  /** How each item ended, in the order of the inputs; never rejects for an item's sake. */
  async settled(): Promise<PromiseSettledResult<R>[]> {
    this.catch(ignoreRejection)
    const { items } = await this.#ready
    return (await Promise.allSettled(items.map((item) => item.settled.promise))) as PromiseSettledResult<R>[]
  }

  /**
   * Each item's result as a local file: gives the paths, in the order of the inputs. As `job.result`, it is best asked
   * right after the call.
   * @throws (by rejecting) AggregateError of the items that failed; the files of the others are written
   * @example const paths = await simulate.map(seeds).result({ as: 'file', folder: 'fields' })
   */
  async result(options: ResultsOptions): Promise<string[]> {
    this.catch(ignoreRejection)
    const submission = await this.#ready
    const paths = submission.items.map((item) => {
      const job = new Job<R>(this.#handle, item)
      const name = localPathOf({ path: undefined }, `${submission.id}[${item.index}]`)
      return job.result({ as: 'file', path: resolve(options.folder ?? '.', basename(name)) })
    })
    return gather(submission, paths)
  }

  /** The item's own job: its log, its status. */
  async job(index: number): Promise<{ job: Job<R> }> {
    const { items } = await this.#ready
    const item = items[index]
    if (!item) throw new RangeError(`job ${this.id} has ${items.length} items, there is no item ${index}`)
    const job = new Job<R>(this.#handle, item)
    job.catch(ignoreRejection)
    return { job }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ index: number; value: R }, void, void> {
    this.catch(ignoreRejection)
    const { items } = await this.#ready
    const finished = new AsyncQueue<Item>()
    let open = items.length
    if (open === 0) finished.close()
    for (const item of items) {
      const push = () => {
        finished.push(item)
        if (--open === 0) finished.close()
      }
      item.settled.promise.then(push, push)
    }
    for await (const item of finished) {
      if (item.status.state === 'COMPLETED')
        yield { index: item.index, value: (await item.settled.promise) as R }
    }
    if (items.some((item) => item.status.state !== 'COMPLETED')) await this
  }

  /** Ends what has not ended. What is done stays done, and is in `settled()`. */
  async cancel(reason: unknown = undefined): Promise<void> {
    await cancelItems(this.#handle, this.#handle.submission.items, reason)
  }

  /**
   * Runs the items that failed again, as the next attempt of the same job: a new array of all items, with the values
   * that are here already. Waits until every item has ended. `resources`: what to ask for this time, on top.
   *
   * @throws (by rejecting) FarcallError JOB_UNKNOWN when the job's files are gone, ConfigError for resources
   * @example
   * import { cluster } from 'farcall'
   *
   * const jobs = cluster({ memory: '1GB' }, (seed: number) => Math.sin(seed)).map([1, 2, 3])
   * const results = await jobs.catch(() => jobs.retryFailed({ memory: '4GB' }))
   */
  retryFailed(resources: Resources = {}): JobArray<R> {
    this.catch(ignoreRejection)
    const before = this.#handle.submission
    const submission = new Submission(before.id)
    const session = this.#ready.then(() => retryFailed(before, submission, this.#handle, resources))
    const ready = session.then(() => submission)
    return new JobArray<R>({ submission, session, seal: alreadySealed }, ready)
  }

  /** Lets go: the jobs go on, and this program may end without them. The promise stays pending. */
  async detach(): Promise<void> {
    this.catch(ignoreRejection)
    await this.#ready
    await letGo(this.#handle, this.#handle.submission.items)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.catch(ignoreRejection)
    if (this.#handle.submission.items.some((item) => !isFinal(item.status.state))) await this.cancel()
  }
}

/** Waits for all, then tells of all that failed: no item's work is thrown away because of another's. @internal */
export async function allResults<R>(submission: Submission): Promise<R[]> {
  return gather(
    submission,
    submission.items.map((item) => item.settled.promise as Promise<R>),
  )
}

async function gather<R>(submission: Submission, promises: readonly Promise<R>[]): Promise<R[]> {
  const { items, id } = submission
  const results = await Promise.allSettled(promises)
  const failed = results.flatMap((result, index) =>
    result.status === 'rejected' ? [{ reason: result.reason, index }] : [],
  )
  if (failed.length === 0) return results.map((result) => (result as PromiseFulfilledResult<R>).value)
  // One reason for all (not submitted, connection lost) is no matter of the items.
  if (submission.abandoned && failed.length === items.length) throw submission.abandoned.error
  const canceled = submission.canceling !== undefined
  if (canceled && failed.every(({ reason }) => reason instanceof JobCanceledError)) {
    const text = `job ${id} was canceled; ${items.length - failed.length} of ${items.length} items were done`
    const status = { state: 'CANCELED', reason: 'by-user' } as const
    throw new JobCanceledError(text, { jobId: id, status, cause: submission.canceling })
  }
  const errors = failed.map(({ reason, index }) => withIndex(reason, index))
  const first = errors[0] instanceof Error ? errors[0].message.split('\n')[0] : String(errors[0])
  throw new AggregateError(
    errors,
    `job ${id}: ${errors.length} of ${items.length} items failed; the first: ${first}`,
  )
}

function withIndex(reason: unknown, index: number): unknown {
  if (typeof reason === 'object' && reason !== null && Object.isExtensible(reason) && !('index' in reason))
    Object.defineProperty(reason, 'index', { value: index, enumerable: true, configurable: true })
  return reason
}
