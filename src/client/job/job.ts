import { ConfigError, JobCanceledError } from '../../core/errors.ts'
import type { JobEnvironment } from '../../core/job-environment.ts'
import { ignoreRejection, quiet } from '../../core/rejections.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import type { TaskProgress } from '../../core/task.ts'
import type { JobUsage } from '../../core/usage.ts'
import type { LogOptions } from '../options/options.ts'
import type { Attempt } from '../outcome/attempt.ts'
import { type ResultOptions, resultFile } from '../outcome/result-file.ts'
import { ended } from '../submission/ended.ts'
import type { Handle } from '../submission/handle.ts'
import { type Item, want } from '../submission/item.ts'
import type { Submission } from '../submission/submission.ts'
import { waits } from '../submission/waits.ts'
import { writeLate } from './late-result.ts'
import { readLog } from './log.ts'
import { jobEnvironment, jobUsage } from './measuring.ts'

/** What stands behind a job; undefined for what is none. @internal */
export let insideOf: (value: object) => { readonly handle: Handle; readonly item: Item } | undefined

/**
 * A call that runs elsewhere. It is a promise of the result, with what one wants to know of a job.
 *
 * @example
 * import { cluster } from 'farcall'
 *
 * const simulate = cluster({ time: '10m' }, (seed: number) => {
 *   console.log('began with', seed)
 *   return Math.sin(seed)
 * })
 * const job = simulate(42)
 * for await (const line of job.logs({ follow: true })) console.log(line)
 * const result = await job
 */
export class Job<R> extends Promise<R> implements AsyncDisposable {
  readonly #handle: Handle
  readonly #item: Item

  /** `then` and its kin give plain promises: only the call itself is a job. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  static {
    insideOf = (value) => (value instanceof Job ? { handle: value.#handle, item: value.#item } : undefined)
  }

  /** @internal */
  constructor(handle: Handle, item: Item) {
    super((resolve, reject) => {
      item.settled.promise.then(resolve as (value: unknown) => void, reject)
    })
    this.#handle = handle
    this.#item = item
  }

  /** Whoever awaits it asks for its value: one that only goes to other jobs is not fetched. */
  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = R, B = never>(
    fulfilled?: ((value: R) => A | PromiseLike<A>) | null,
    // biome-ignore lint/suspicious/noExplicitAny: as Promise has it
    rejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    want(this.#item)
    if (waits.areOurs) return waits.of(super.then()).then(fulfilled, rejected)
    return super.then(fulfilled, rejected)
  }

  /** What stands behind it, where the submission is only a front. */
  get #real(): { readonly handle: Handle; readonly item: Item } {
    return this.#item.behind ?? { handle: this.#handle, item: this.#item }
  }

  /** Ours; what `attach` takes. Calls made together share a submission: `id[3]` is the fourth. */
  get id(): string {
    this.#handle.seal()
    const { handle, item } = this.#real
    return handle.submission.itemId(item)
  }

  /** The scheduler's id; undefined until it is submitted. */
  get nativeId(): string | undefined {
    return this.#real.handle.submission.nativeId
  }

  /** Where the job stands, as far as this process has heard; times are milliseconds since the epoch. Asks nobody. */
  status(): JobStatus {
    return this.#item.status
  }

  /** What the function last said of how far it is, by `currentTask().progress`; undefined before, and once it has ended. */
  get progress(): TaskProgress | undefined {
    return this.#item.status.progress
  }

  /**
   * Every try of it so far, the current one last; one, unless it was tried again. None of a call with `cache` that
   * another job answers: the tries are that one's.
   */
  get attempts(): readonly Attempt[] {
    const { handle, item: real } = this.#real
    const { submission } = handle
    const [item] = submission.views.itemsBehind(real)
    if (!submission.submitted || !item || item.status.state === 'NEW') return []
    return [...item.earlier, submission.attemptOf(item, item.status, undefined)]
  }

  /**
   * What it used against what it asked for, with hints where that was far off. While it runs: as far as that is known;
   * then accounting, or the place, is asked. Also after `attach`, for as long as the job is on record.
   * @throws (by rejecting) what keeps the job from being found, or its place from being asked
   */
  usage(): Promise<JobUsage> {
    const { handle, item } = this.#real
    return jobUsage(handle, item)
  }

  /** What was in force where it ran, once it has ended; undefined before, and where its Node never began. */
  environment(): Promise<JobEnvironment | undefined> {
    const { handle, item } = this.#real
    return jobEnvironment(handle, item)
  }

  /** Each status from now on, the last one final; also whenever the function says how far it is. */
  async *updates(): AsyncGenerator<JobStatus, void, void> {
    const item = this.#item
    const seen: JobStatus[] = [item.status]
    let wake = () => {}
    const stop = this.#handle.submission.listen((status, items) => {
      if (!items.includes(item)) return
      seen.push(status)
      wake()
    })
    // A job that could not be attached to has no end to tell of: its promise says why.
    let isSettled = false
    const settled = () => {
      isSettled = true
      wake()
    }
    item.settled.promise.then(settled, settled)
    try {
      for (;;) {
        const status = seen.shift()
        if (status) {
          yield status
          if (isFinal(status.state)) return
        } else if (isSettled) return
        else
          await waits.of(
            new Promise<void>((resolve) => {
              wake = resolve
            }),
          )
      }
    } finally {
      stop()
    }
  }

  /**
   * The local paths of what the job has left (`stage.out`), once it has ended: also of one that failed, when the call
   * asked for that.
   * @example const [path] = await simulate(42).outputs()
   */
  async outputs(): Promise<readonly string[]> {
    quiet(this)
    // One that could not be attached to has no end: this says why.
    if (this.#handle.submission.views.any) await this.#handle.session
    const { handle, item } = this.#real
    await waits.of(ended([{ submission: this.#handle.submission, item: this.#item }]))
    return handle.submission.views.itemsBehind(item).flatMap(({ outputs = [] }) => outputs)
  }

  /**
   * The lines that the job wrote to stdout (or stderr).
   * @throws FarcallError when its files cannot be read
   */
  async *logs(options: LogOptions = {}): AsyncGenerator<string, void, void> {
    yield* readLog(this.#handle, this.#item, options)
  }

  /**
   * The result as a local file, of any size: gives the path. Asked before the job has ended, the value is never held
   * in memory, and the promise that the job is then rejects: `openResult(path)` gives the value. Asked afterwards, it
   * is written from the job's files while they are kept, else from the value here.
   * @throws (by rejecting) what the function threw, JobFailedError, ResultError RESULT_MISSING
   * @example const path = await simulate(42).result({ as: 'file', path: 'field.result' })
   */
  result(options: ResultOptions): Promise<string> {
    quiet(this)
    const item = this.#item
    // What the jobs of its pieces give is not the result.
    const own = this.#handle.submission.pieces
    const { handle, item: behind } = own ? { handle: this.#handle, item } : this.#real
    if (!item.file) {
      const late = async (value: unknown) => writeLate(handle, behind, options.path, value)
      item.file = resultFile(options.path, item.settled.promise, late)
      // Another path may do.
      item.file.done.promise.catch(() => delete item.file)
    }
    behind.file = item.file
    // It has ended, and its value was left where it is.
    if (item.fetch) want(item)
    return waits.of(item.file.done.promise)
  }

  /**
   * Ends the job; the promise then rejects with JobCanceledError, and counts as handled: who cancels knows of it.
   * Resolves when the cluster has been told.
   * With `cache: true`, a call that was joined is another program's: it is let go, and runs on.
   */
  async cancel(reason: unknown = undefined): Promise<void> {
    // Its end may be here before the answer to the cancel is.
    quiet(this)
    await cancelItems(this.#handle, [this.#item], reason)
  }

  /** Lets go: the job goes on, and this program may end without it. The promise stays pending. */
  async detach(): Promise<void> {
    quiet(this)
    await letGo(this.#handle, [this.#item])
  }

  /** Cancels it unless it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    quiet(this)
    if (!isFinal(this.#item.status.state)) await this.cancel()
  }
}

/** Of calls made together, those that somebody waits for are followed on. @internal */
export async function letGo(handle: Handle, items: readonly Item[]): Promise<void> {
  handle.seal()
  const { submission } = handle
  if (submission.pieces)
    throw new ConfigError(
      'OPTION_INVALID',
      `job ${submission.id} cannot be let go: this program puts its pieces together`,
      {
        hint: 'await it, or call the function with { parallel: false }',
      },
    )
  const session = await handle.session
  if (submission.front) {
    for (const item of items) {
      submission.letGo.add(item)
      if (item.behind && submission.neededBy.size === 0) await letGo(item.behind.handle, [item.behind.item])
    }
    return
  }
  if (items.some((item) => submission.views.isWhole(item)))
    for (const part of submission.rest) await letGo(part, part.submission.items)
  for (const item of items.flatMap((one) => submission.views.itemsBehind(one))) submission.letGo.add(item)
  if (submission.isLetGo) await session.detach(submission)
}

/** @internal */
export async function cancelItems(handle: Handle, items: readonly Item[], given: unknown): Promise<void> {
  handle.seal()
  const { submission } = handle
  const reason = given ?? new Error('canceled')
  if (submission.views.any) await handle.session
  if (submission.rest.length > 0 && items.some((item) => submission.views.isWhole(item)))
    await Promise.all(submission.rest.map((part) => cancelItems(part, part.submission.items, reason)))
  const findOpen = () =>
    items.flatMap((item) => submission.views.itemsBehind(item)).filter((item) => !isFinal(item.status.state))
  let open = findOpen()
  if (open.length === 0) return
  for (const item of open) item.canceling ??= reason
  if (submission.pieces) return cancelPieces(open, reason)
  if (open.length === submission.open) submission.canceling ??= reason
  submission.retries?.cancel(open, reason)
  open = findOpen()
  if (open.length === 0) return
  if (submission.waiting) {
    for (const item of open) settleCanceled(submission, item, reason)
    if (submission.open === 0) submission.waiting.resolve()
    return
  }
  if (submission.front && submission.nativeId === undefined) return cancelBehind(submission, open, reason)
  const { isHeldBack, nativeId, canceling } = submission
  if (isHeldBack && nativeId === undefined && canceling === undefined) {
    for (const item of open) settleCanceled(submission, item, reason)
    // When the site will take the others is not known.
    void handle.session.then(() => endMembers(submission, open).catch(warnOfRest), ignoreRejection)
    return
  }
  if (!submission.submitted || submission.nativeId === undefined) {
    const session = await handle.session.catch(ignoreRejection)
    // Not submitted; or, when all of it was to be canceled, the submission looked at `canceling` itself.
    if (!session || submission.canceling !== undefined) return
    open = findOpen()
    if (open.length === 0) return
  }
  if (submission.front) return cancelBehind(submission, open, reason)
  if (open.length === submission.open) return submission.submitted!.executor.cancel([{ id: submission.id }])
  const ended = await endMembers(submission, open)
  for (const item of open) {
    // It cannot be ended alone (others share its chunk, or its script): it runs on until the others are done,
    // and its result is not looked at.
    if (!ended.has(memberOf(submission, item))) {
      submission.runsOn = true
      settleCanceled(submission, item, reason)
    }
  }
}

/** Those that are for these items alone, and for what is over. */
async function endMembers(submission: Submission, items: readonly Item[]): Promise<ReadonlySet<number>> {
  const { executor } = submission.submitted!
  const members = new Set(items.map((item) => memberOf(submission, item)))
  const whole = executor.traits.cancelsMembers
    ? [...members].filter((member) => isWholeMember(member, items, submission))
    : []
  await executor.cancel([{ id: submission.id, members: whole }])
  return new Set(whole)
}

function warnOfRest(error: unknown): void {
  process.emitWarning(`farcall: a canceled call may run on: ${String(error)}`)
}

function memberOf({ submitted }: Submission, { index }: Item): number {
  return Math.floor(index / submitted!.spec.chunk)
}

/** The job of the piece that runs; where none does, the next one does not begin. */
async function cancelPieces(items: readonly Item[], reason: unknown): Promise<void> {
  for (const { behind } of items) if (behind) await cancelItems(behind.handle, [behind.item], reason)
}

/** Calls of our own jobs end; those of others are let go. */
async function cancelBehind(submission: Submission, items: readonly Item[], reason: unknown): Promise<void> {
  const own = new Map<Handle, Item[]>()
  for (const item of items) {
    const { behind } = item
    if (behind) own.set(behind.handle, [...(own.get(behind.handle) ?? []), behind.item])
    else settleCanceled(submission, item, reason)
  }
  for (const [handle, behind] of own) await cancelItems(handle, behind, reason)
}

function settleCanceled(submission: Submission, item: Item, cause: unknown): void {
  const status = { state: 'CANCELED', reason: 'by-user' } as const
  const jobId = submission.itemId(item)
  submission.settle(item, status, () =>
    item.settled.reject(new JobCanceledError(`job ${jobId} was canceled`, { jobId, status, cause })),
  )
}

function isWholeMember(member: number, items: readonly Item[], submission: Submission): boolean {
  const { chunk } = submission.submitted!.spec
  const others = submission.items.slice(member * chunk, (member + 1) * chunk)
  return others.every((item) => isFinal(item.status.state) || items.includes(item))
}
