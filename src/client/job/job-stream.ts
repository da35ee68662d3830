import { decode } from '../../codec/codec.ts'
import { ConfigError, ResultError } from '../../core/errors.ts'
import type { JobEnvironment } from '../../core/job-environment.ts'
import { ignoreRejection } from '../../core/rejections.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import type { TaskProgress } from '../../core/task.ts'
import type { JobUsage } from '../../core/usage.ts'
import type { LogOptions } from '../options/options.ts'
import type { Attempt } from '../outcome/attempt.ts'
import { decodeOptions } from '../outcome/outcome.ts'
import type { Handle } from '../submission/handle.ts'
import { type Item, want } from '../submission/item.ts'
import { waits } from '../submission/waits.ts'
import type { YieldReader } from '../submission/yield-reader.ts'
import { Job } from './job.ts'

/** After `result` was asked for so long ago, milliseconds, nobody reads the values. */
const resultAloneMs = 1_000

/**
 * A call of a generator function that runs elsewhere: an async generator of what it yields, while it runs, with what one
 * wants to know of a job. It begins at once, and waits when too much is unread (`window`). Leaving the loop cancels it.
 *
 * It is no promise: `result` is one, of what the function returns.
 *
 * @example
 * import { cluster } from 'farcall'
 *
 * const simulate = cluster({ time: '10m' }, async function* (steps: number) {
 *   for (let step = 0; step < steps; step++) yield { step, energy: Math.cos(step) }
 *   return 'converged'
 * })
 * const stream = simulate(3)
 * for await (const { step, energy } of stream) console.log(step, energy)
 * console.log(await stream.result)
 */
export class JobStream<Y, R = void> implements AsyncGenerator<Y, R, void> {
  readonly #job: Job<R>
  readonly #handle: Handle
  readonly #item: Item
  readonly #values: AsyncGenerator<Y, R, void>
  /** Asked for by a loop that was interrupted: the next loop begins with it. */
  readonly #asked: Promise<IteratorResult<Y, R>>[] = []
  #reader: YieldReader | undefined
  #result: Promise<R> | undefined
  #began = false
  #isOver = false

  /** @internal */
  constructor(handle: Handle, item: Item) {
    this.#job = new Job<R>(handle, item)
    // Whoever reads is told; so is who asks for the result.
    this.#job.catch(ignoreRejection)
    this.#handle = handle
    this.#item = item
    this.#values = this.#readAll()
    handle.submission.readers.push(this)
  }

  /** Ours; what `attach` takes. */
  get id(): string {
    return this.#job.id
  }

  /** The scheduler's id; undefined until it is submitted. */
  get nativeId(): string | undefined {
    return this.#job.nativeId
  }

  /** Where the job stands, as far as this process has heard. Asks nobody. */
  status(): JobStatus {
    return this.#job.status()
  }

  /** What the function last said of how far it is, by `currentTask().progress`. */
  get progress(): TaskProgress | undefined {
    return this.#job.progress
  }

  /** Every try of it so far, the current one last. */
  get attempts(): readonly Attempt[] {
    return this.#job.attempts
  }

  /**
   * What the function returns, or throws; it is there before all values are read. Where it alone is asked for, and no
   * value within a second, the function does not wait for a reader any more.
   */
  get result(): Promise<R> {
    if (!this.#result) {
      this.#result = this.#returned().then((value) => value)
      if (this.#began) this.#result.catch(ignoreRejection)
      else setTimeout(() => this.#letRun(), resultAloneMs).unref()
    }
    return waits.of(this.#result)
  }

  /** Each status from now on, the last one final. */
  updates(): AsyncGenerator<JobStatus, void, void> {
    return this.#job.updates()
  }

  /** The lines that the job wrote to stdout (or stderr). @throws FarcallError when its files cannot be read */
  logs(options: LogOptions = {}): AsyncGenerator<string, void, void> {
    return this.#job.logs(options)
  }

  /** What it used against what it asked for. */
  usage(): Promise<JobUsage> {
    return this.#job.usage()
  }

  /** What was in force where it ran, once it has ended. */
  environment(): Promise<JobEnvironment | undefined> {
    return this.#job.environment()
  }

  /** The local paths of what the job has left (`stage.out`), once it has ended. */
  outputs(): Promise<readonly string[]> {
    return this.#job.outputs()
  }

  /** Ends the job; reading on then throws JobCanceledError. Resolves when the cluster has been told. */
  cancel(reason: unknown = undefined): Promise<void> {
    return this.#job.cancel(reason)
  }

  /** Lets go: the job goes on, and waits for no reader. Nothing more is read here: `attach(id, { stream: true })` does. */
  async detach(): Promise<void> {
    this.#handle.seal()
    await this.#handle.session
    const reader = this.#findReader()
    if (!isFinal(this.status().state)) await reader?.letRun()
    await this.#job.detach()
  }

  /**
   * The next value, once there is one.
   * @throws (by rejecting) what the function threw, JobFailedError, ResultError STREAM_CHANGED, RESULT_MISSING
   */
  next(...[sent]: [] | [undefined]): Promise<IteratorResult<Y, R>> {
    if (sent !== undefined)
      return Promise.reject(
        new ConfigError(
          'OPTION_INVALID',
          'next: a value cannot be sent into a function that runs elsewhere',
          {
            hint: 'next() takes none; give it to the function as an argument',
          },
        ),
      )
    this.#began = true
    this.#result?.catch(ignoreRejection)
    const next = this.#asked.shift() ?? this.#values.next()
    return waits.of(next, () => this.#asked.push(next))
  }

  /** No more of it: cancels the job unless it has ended. */
  async return(value: R | PromiseLike<R>): Promise<IteratorResult<Y, R>> {
    await this.#leave(new Error('its values are not read any more'))
    return { done: true, value: await value }
  }

  /** Cancels the job unless it has ended, and rejects with this. The function does not see it. */
  async throw(error: unknown): Promise<IteratorResult<Y, R>> {
    await this.#leave(error)
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Cancels it unless it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave(undefined)
  }

  get [Symbol.toStringTag](): string {
    return 'farcall.JobStream'
  }

  /** Values may still be asked for: the job's files have to stay. @internal */
  get isUnread(): boolean {
    return !this.#isOver && (this.#began || this.#result === undefined)
  }

  async #leave(reason: unknown): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true
      this.#reader?.stop()
      if (!isFinal(this.status().state)) await this.cancel(reason)
    }
    await this.#values.return(undefined as R)
  }

  async *#readAll(): AsyncGenerator<Y, R, void> {
    try {
      await this.#handle.session.catch(() => this.#job)
      const reader = this.#requireReader()
      this.#reader = reader
      for (;;) {
        const bytes = await reader.next()
        if (!bytes) break
        yield this.#decode(bytes, reader.count - 1)
      }
      return await this.#returned()
    } finally {
      this.#isOver = true
    }
  }

  #returned(): Promise<R> {
    want(this.#item)
    return this.#item.settled.promise as Promise<R>
  }

  #letRun(): void {
    if (this.#began || this.#isOver || isFinal(this.status().state)) return
    // It may not be submitted yet, and then says itself why it never will be.
    this.#handle.session.then(() => this.#findReader()?.letRun(), ignoreRejection)
  }

  #findReader(): YieldReader | undefined {
    const items = this.#handle.submission.views.itemsBehind(this.#item)
    return items.length === 1 ? items[0]!.yields : undefined
  }

  /** @throws ConfigError OPTION_INVALID for what was attached to and is no stream */
  #requireReader(): YieldReader {
    const reader = this.#findReader()
    if (reader) return reader
    const { id, items } = this.#handle.submission
    throw new ConfigError(
      'OPTION_INVALID',
      `job ${id} is ${items.length > 1 ? 'several calls' : 'no stream'}`,
      {
        hint:
          items.length > 1
            ? `attach('${id}[0]', { stream: true }) is the first one`
            : `attach('${id}') gives its result`,
      },
    )
  }

  #decode(bytes: Uint8Array, index: number): Y {
    try {
      return decode(bytes, decodeOptions(this.#handle.submission.decoder!)) as Y
    } catch (cause) {
      throw new ResultError('RESULT_CORRUPT', `job ${this.id}: value ${index} cannot be read`, {
        cause,
        hint: 'its files are kept; attach(id, { stream: true }) reads them again',
      })
    }
  }
}
