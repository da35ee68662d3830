import { basename, resolve } from 'node:path'
import { AsyncQueue } from '../../core/async-queue.ts'
import { FarcallError } from '../../core/errors.ts'
import { ignoreRejection, quiet } from '../../core/rejections.ts'
import type { Resources } from '../../core/resources.ts'
import type { JobArrayUsage } from '../../core/usage.ts'
import { localPathOf, type ResultsOptions } from '../outcome/result-file.ts'
import { want } from '../submission/item.ts'
import { waits } from '../submission/waits.ts'
import { Job, letGo } from './job.ts'
import { jobArrayUsage } from './measuring.ts'
import type { PartItem, Parts } from './parts.ts'
import { cancelParts } from './parts-cancel.ts'
import { allResults, endsOf, resultsOf, troubleOf } from './results.ts'
import { retryFailed } from './retry-failed.ts'

/** What stands behind a map; undefined for what is none. @internal */
export let partsOf: (value: object) => Parts | undefined

/** How far a map is. */
export interface Progress {
  /** Of inputs that come one by one, those that were read so far. */
  readonly total: number
  readonly done: number
  readonly running: number
  readonly queued: number
  readonly failed: number
  /** Items that end in a second, of late; undefined before any has ended. */
  readonly rate?: number
  /** Seconds that the rest will take at this rate; undefined while nobody can tell: inputs are still read, or none has ended. */
  readonly left?: number
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
  readonly #parts: Parts
  #wanted = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  static {
    partsOf = (value) => (value instanceof JobArray ? value.#parts : undefined)
  }

  /** @internal */
  constructor(parts: Parts) {
    super((resolve, reject) => {
      allResults<R>(parts).then(resolve, reject)
    })
    this.#parts = parts
  }

  /**
   * Whoever awaits the array has all its values; a loop over a stream of them need not keep any, and those that only go
   * to other jobs are not fetched.
   */
  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<T = R[], E = never>(
    onfulfilled?: ((value: R[]) => T | PromiseLike<T>) | null,
    // biome-ignore lint/suspicious/noExplicitAny: as Promise has it
    onrejected?: ((reason: any) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    this.#parts.isAwaited = true
    this.#want()
    if (waits.areOurs) return waits.of(super.then()).then(onfulfilled, onrejected)
    return super.then(onfulfilled, onrejected)
  }

  #want(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#parts.follow(({ submission }) => submission.items.forEach(want))
  }

  /** Its failure is told elsewhere. */
  #mute(): void {
    super.then(undefined, ignoreRejection)
  }

  /** Ours; what `attach` takes. */
  get id(): string {
    return this.#parts.id
  }

  /** The scheduler's id, of the first submission when there are several; undefined until it is submitted. */
  get nativeId(): string | undefined {
    return this.#parts.submissions[0]?.nativeId
  }

  /** Items by where they stand, as far as this process has heard. */
  get progress(): Progress {
    return this.#parts.progress
  }

  /**
   * What its items used, each by itself and together, with hints where a request was far off. As `job.usage()`.
   * @throws (by rejecting) what keeps the array from being submitted, or its place from being asked
   */
  async usage(): Promise<JobArrayUsage> {
    await this.#parts.complete
    return jobArrayUsage(this.#parts.handles)
  }

  /** How each item ended, in the order of the inputs; never rejects for an item's sake. */
  async settled(): Promise<PromiseSettledResult<R>[]> {
    this.#mute()
    this.#want()
    this.#parts.isAwaited = true
    const trouble = await waits.of(troubleOf(this.#parts))
    const settled = await waits.of(endsOf<R>(this.#parts, this.#parts.items))
    return trouble ? [...settled, { status: 'rejected', reason: trouble.reason }] : settled
  }

  /**
   * Each item's result as a local file: gives the paths, in the order of the inputs. As `job.result`, it is best asked
   * right after the call.
   * @throws (by rejecting) AggregateError of the items that failed; the files of the others are written
   * @example const paths = await simulate.map(seeds).result({ as: 'file', folder: 'fields' })
   */
  async result(options: ResultsOptions): Promise<string[]> {
    this.#mute()
    this.#parts.isAwaited = true
    await this.#parts.complete
    return resultsOf(this.#parts, ({ index, item, handle }) => {
      const name = localPathOf({ path: undefined }, `${this.id}[${index}]`)
      const job = new Job<R>(handle, item)
      return job.result({ as: 'file', path: resolve(options.folder ?? '.', basename(name)) })
    })
  }

  /** The item's own job: its log, its status. */
  async job(index: number): Promise<{ job: Job<R> }> {
    const found = await this.#parts.whenAt(index)
    if (!found)
      throw new RangeError(`job ${this.id} has ${this.#parts.count} items, there is no item ${index}`)
    const job = new Job<R>(found.handle, found.item)
    quiet(job)
    return { job }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ index: number; value: R }, void, void> {
    this.#mute()
    this.#want()
    const parts = this.#parts
    const finished = new AsyncQueue<PartItem & { readonly value: Promise<unknown> }>()
    let [open, failed, isComplete, isLeft] = [0, 0, false, true]
    const closeIfOver = () => {
      if (isComplete && open === 0) finished.close()
    }
    const stop = parts.follow((handle) => {
      const { submission } = handle
      // A loop that was interrupted has had some of a stream's.
      const items = submission.items.filter((item) => !parts.isHandedOut(item))
      open += items.length
      for (const item of items) {
        const value = item.settled.promise
        const push = () => {
          finished.push({ index: submission.indexOf(item), item, handle, value })
          open--
          closeIfOver()
        }
        value.then(push, push)
      }
    })
    parts.complete
      .catch(() => failed++)
      .then(() => {
        isComplete = true
        closeIfOver()
      })
    parts.loops++
    try {
      for await (const done of waits.over(finished)) {
        const { index, item } = done
        if (item.status.state !== 'COMPLETED') {
          failed++
          if (parts.firstFailure) throw parts.firstFailure.reason
          continue
        }
        const value = (await done.value) as R
        yield { index, value }
        parts.handOut(done)
      }
      isLeft = false
    } catch (error) {
      // Whoever interrupted it has said what becomes of the jobs.
      if (error instanceof FarcallError && error.code === 'WAIT_INTERRUPTED') isLeft = false
      throw error
    } finally {
      parts.loops--
      stop()
      // Nobody will take what is still to come.
      if (isLeft && parts.isStream && !parts.isAwaited)
        await this.cancel(new Error('the loop over its results was left'))
    }
    if (failed > 0) await super.then()
  }

  /** Ends what has not ended. What is done stays done, and is in `settled()`; the promise counts as handled. */
  async cancel(reason: unknown = undefined): Promise<void> {
    this.#mute()
    await cancelParts(this.#parts, reason)
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
    this.#mute()
    this.#want()
    return new JobArray<R>(retryFailed(this.#parts, resources))
  }

  /** Lets go: the jobs go on, and this program may end without them. The promise stays pending. */
  async detach(): Promise<void> {
    this.#mute()
    await this.#parts.complete
    // Those that wait for their turn are told of it by the others, as long as these are followed.
    await Promise.allSettled(this.#parts.handles.map(({ session }) => session))
    await Promise.all(this.#parts.handles.map((handle) => letGo(handle, handle.submission.items)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mute()
    if (!this.#parts.isOver) await this.cancel()
  }
}
