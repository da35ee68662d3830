import type { Snapshot } from '../../capture/types.ts'
import { systemClock } from '../../core/clock.ts'
import { deferred } from '../../core/deferred.ts'
import { FarcallError } from '../../core/errors.ts'
import { newJobId, partId } from '../../core/ids.ts'
import type { MapPart } from '../../core/protocol.ts'
import { ignoreRejection } from '../../core/rejections.ts'
import { Parts } from '../job/parts.ts'
import { cancelParts } from '../job/parts-cancel.ts'
import { named } from '../job/results.ts'
import type { ClusterOptions } from '../options/options.ts'
import { splitOptions } from '../options/split-options.ts'
import { canceledBefore } from '../outcome/failures.ts'
import { inputText } from '../payload/input-text.ts'
import { asArguments, type Inputs, iteratorOf, knownSize } from '../payload/inputs.ts'
import { alreadySealed } from '../submission/handle.ts'
import { needParents } from '../submission/parents.ts'
import { Submission } from '../submission/submission.ts'
import { dispatch, mostItems } from '../submit/dispatch.ts'
import { type Input, PackedInputs } from '../submit/packed-inputs.ts'
import type { Request } from '../submit/submit.ts'
import { Turns } from '../submit/turns.ts'
import { inWaves, waveLimits } from './waves.ts'

/** What a map runs. */
export interface MapSource {
  readonly snapshot: Snapshot
  /** What travels for one item. */
  input(args: readonly unknown[]): Input
  readonly options: ClusterOptions
  readonly callSite: { readonly stack?: string }
}

/** Inputs that were read and are not sent yet. */
class Taken {
  readonly inputs: PackedInputs
  readonly texts: string[] = []

  constructor(options: ClusterOptions) {
    this.inputs = new PackedInputs({ whole: splitOptions(options).cache })
  }

  get count(): number {
    return this.texts.length
  }

  /** The first so many. */
  shift(most: number): Request['inputs'] & { readonly texts: string[] } {
    return { ...this.inputs.shift(most), texts: this.texts.splice(0, most) }
  }
}

/** Sends the inputs of a map: all at once where their number is known, else in waves. */
export function startMap(
  make: () => MapSource | Promise<MapSource>,
  lists: Inputs<readonly unknown[]>,
  options: ClusterOptions,
): Parts {
  const complete = deferred<void>()
  complete.promise.catch(ignoreRejection)
  const parts = new Parts(newJobId(), complete.promise)
  if (splitOptions(options).onError === 'fail-fast') failFast(parts)
  const sending = async () => {
    const made = make()
    // Without a promise where it is known at once: items are read before the caller can change them.
    const map = new MapSending(made instanceof Promise ? await made : made, parts)
    await (knownSize(lists) === undefined ? map.sendWaves(lists) : map.sendAll(lists as Iterable<unknown[]>))
  }
  sending().then(complete.resolve, complete.reject)
  // A producer may take as long as it likes to hear of it.
  void parts.stopped.then(() =>
    parts.sent > 0 ? complete.resolve() : complete.reject(canceledBefore(parts)),
  )
  return parts
}

/** The first failure ends what has not ended. */
function failFast(parts: Parts): void {
  const first = deferred<never>()
  first.promise.catch(ignoreRejection)
  parts.failFast = first
  parts.follow((handle) => {
    const { submission } = handle
    for (const item of submission.items)
      item.settled.promise.catch((reason: unknown) => {
        if (parts.canceling !== undefined) return
        parts.firstFailure ??= { reason: named(reason, submission.indexOf(item), item.input) }
        first.reject(parts.firstFailure.reason)
        cancelParts(parts, reason).catch((error) =>
          process.emitWarning(`farcall: cancel failed: ${String(error)}`),
        )
      })
  })
}

class MapSending {
  readonly #source: MapSource
  readonly #parts: Parts
  readonly #turns: Turns
  readonly #cwd = process.cwd()
  #taken: Taken
  #sent = 0

  constructor(source: MapSource, parts: Parts) {
    this.#source = source
    this.#taken = new Taken(source.options)
    this.#parts = parts
    this.#turns = new Turns()
  }

  /** Read at once: what they hold cannot change in between. */
  async sendAll(lists: Iterable<readonly unknown[]>): Promise<void> {
    for (const args of lists) this.#take(args, Array.isArray(lists))
    const { options } = this.#source
    const { chunk } = splitOptions(options)
    const total = this.#taken.count
    if (chunk === 'auto' || total <= chunk) return this.#sendLast(total)
    // What keeps it from being asked keeps the map from being sent, and is told there.
    const most = await mostItems(options, total).catch(() => total)
    if (this.#parts.isStopped) throw canceledBefore(this.#parts)
    if (total <= most) return this.#sendLast(total)
    while (this.#taken.count > 0) this.#send(most, total)
    this.#parts.isComplete = true
  }

  async sendWaves(lists: Inputs<readonly unknown[]>): Promise<void> {
    const { options } = this.#source
    const parts = this.#parts
    const { bufferSize } = splitOptions(options)
    const iterator = iteratorOf(lists)
    parts.isStream = true
    void parts.stopped.then(() => this.#leave(iterator))
    const partSize = this.#partSize()
    // Without a promise: what is no producer of its own is read at once.
    const most = Math.min(bufferSize, typeof partSize === 'number' ? partSize : await partSize)
    const sendWave = (isLast: boolean) => {
      // All of it in one submission: it is a map like any other.
      if (isLast && this.#sent === 0 && this.#taken.count <= most) return this.#send(this.#taken.count)
      while (this.#taken.count > 0) this.#send(most, isLast ? parts.read : undefined, true)
    }
    try {
      const steps = {
        next: () => iterator.next(),
        take: (args: readonly unknown[]) => this.#take(args),
        send: sendWave,
        outstanding: () => parts.outstanding,
        fewer: () => parts.fewer(),
        isStopped: () => parts.isStopped,
      }
      await inWaves(steps, { ...waveLimits, bufferSize }, systemClock)
    } catch (error) {
      // Its own error, as if it had been read before the map.
      if (this.#sent === 0) throw named(error, parts.read, undefined)
      throw inputFailed(parts, error)
    } finally {
      parts.read = this.#sent
      parts.isComplete = true
    }
  }

  /** Only asked where `chunk` says how many items a member gets. */
  #partSize(): number | Promise<number> {
    const { options } = this.#source
    const { chunk, bufferSize } = splitOptions(options)
    if (chunk === 'auto' || chunk >= bufferSize) return bufferSize
    // A place that cannot be asked is told of when the first wave is sent.
    return mostItems(options, Number.POSITIVE_INFINITY).catch(() => bufferSize)
  }

  /** No more of it is wanted. */
  #leave(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
    const left = async () => iterator.return?.()
    left().catch((error) => process.emitWarning(`farcall: the input of a map: ${String(error)}`))
  }

  /** `isHeld`: it lies in an array, so that no code of the caller's has made it just now. */
  #take(list: readonly unknown[], isHeld = false): number {
    const { snapshot, input } = this.#source
    const { inputs, texts } = this.#taken
    const index = this.#sent + texts.length
    const args = asArguments(list, index)
    inputs.add(snapshot, input(args), `item ${index}`, isHeld && Array.isArray(list))
    texts.push(inputText(args))
    this.#parts.read++
    return inputs.entries.at(-1)!.byteLength
  }

  /** All of it, in one submission. */
  #sendLast(count: number): void {
    this.#send(count)
    this.#parts.isComplete = true
  }

  /** The first so many of what was taken. `total`: items of the whole map; a map of one part needs none. */
  #send(most: number, total?: number, isWave = false): void {
    const { snapshot, options, callSite } = this.#source
    const { texts, ...inputs } = this.#taken.shift(most)
    // What is shared belongs to inputs that went before.
    if (this.#taken.count === 0) this.#taken = new Taken(options)
    const number = this.#parts.sent++
    const isPart = total !== undefined || isWave
    const part: MapPart = {
      of: this.#parts.id,
      number,
      first: this.#sent,
      ...(total === undefined ? {} : { total }),
    }
    this.#sent += texts.length
    const submission = new Submission(partId(this.#parts.id, number), 0, isPart ? part : undefined)
    for (const text of texts) submission.add(callSite, text)
    for (const parents of inputs.parents) needParents(submission, parents)
    if (texts.length === 0) submission.over.resolve()
    const whole = isPart ? { total: isWave ? Number.POSITIVE_INFINITY : total! } : {}
    const request = { snapshot, options, inputs, map: true, stream: undefined, cwd: this.#cwd, ...whole }
    const turn = isPart ? this.#turns.next(submission) : undefined
    const session = dispatch(submission, Promise.resolve(request), turn)
    // The next one would be refused as well.
    session.catch(() => this.#parts.stop())
    this.#parts.add({ submission, session, seal: alreadySealed })
  }
}

function inputFailed({ read, id }: Parts, cause: unknown): unknown {
  const said = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
  const error = new FarcallError('INPUT_FAILED', `map: reading input ${read} failed: ${said}`, {
    cause,
    hint: `items before it were submitted: settled() of the array, or attach('${id}'), has what became of them`,
  })
  return Object.defineProperty(error, 'index', { value: read, enumerable: true })
}
