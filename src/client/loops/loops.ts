import type { Snapshot, SnapshotLoops } from '../../capture/types.ts'
import { deferred } from '../../core/deferred.ts'
import { JobCanceledError } from '../../core/errors.ts'
import { newJobId } from '../../core/ids.ts'
import type { Remark } from '../../core/loops/course.ts'
import { isPieceResult, type PieceCall, type PieceResult } from '../../core/loops/main.ts'
import type { PackedLoop } from '../../core/loops/pieces.ts'
import { ignoreRejection } from '../../core/rejections.ts'
import { cancelItems } from '../job/job.ts'
import type { ClusterOptions } from '../options/options.ts'
import type { Session } from '../session/session.ts'
import { alreadySealed, type Handle } from '../submission/handle.ts'
import { type Item, makeItem } from '../submission/item.ts'
import { Submission } from '../submission/submission.ts'
import { dispatch } from '../submit/dispatch.ts'
import { PackedInputs } from '../submit/packed-inputs.ts'
import { runHere } from './loops-here.ts'

type Split = NonNullable<SnapshotLoops['split']>

/** A call of a function whose loops are split. */
export interface SplitCall {
  readonly snapshot: Snapshot
  readonly split: Split
  readonly options: ClusterOptions
  readonly input: { readonly self?: unknown; readonly args: readonly unknown[] }
  readonly callSite: { readonly stack?: string }
}

/**
 * Runs a function piece by piece: what stands before a loop once, the loop's turns as an array job, what stands behind it
 * on the values put together. Gives what stands for the call, which several jobs answer one after the other.
 *
 * @throws CaptureError for arguments that cannot travel
 */
export function callSplit(call: SplitCall): { handle: Handle; item: Item } | undefined {
  const inputs = new PackedInputs()
  inputs.add(call.snapshot, call.input, 'call')
  // Files that arguments stand for are staged for one job.
  if (inputs.files.some((some) => some.length > 0) || call.options.stage) return undefined
  const front = new Submission(newJobId())
  front.front = true
  front.pieces = true
  front.decoder = { classes: call.snapshot.classes(), map: undefined }
  const session = deferred<Session>()
  session.promise.catch(ignoreRejection)
  const item = front.add(call.callSite)
  const course = new SplitCourse(call, inputs, { front, item, began: session.resolve })
  course.run().then(
    (value) => front.settle(item, { state: 'COMPLETED' }, () => item.settled.resolve(value)),
    (error) => {
      const canceled = error instanceof JobCanceledError
      const status = canceled ? error.status : (course.failure ?? { state: 'FAILED', reason: 'exception' })
      front.settle(item, status, () => item.settled.reject(error))
      session.reject(error)
    },
  )
  return { handle: { submission: front, session: session.promise, seal: alreadySealed }, item }
}

class SplitCourse {
  readonly #call: SplitCall
  readonly #begin: PackedInputs
  readonly #front: Submission
  readonly #item: Item
  readonly #began: (session: Session) => void
  readonly #cwd = process.cwd()
  /** How the piece that failed ended. */
  failure: Item['status'] | undefined

  constructor(
    call: SplitCall,
    begin: PackedInputs,
    as: { front: Submission; item: Item; began: (session: Session) => void },
  ) {
    this.#call = call
    this.#begin = begin
    this.#front = as.front
    this.#item = as.item
    this.#began = as.began
  }

  async run(): Promise<unknown> {
    let result = await this.#piece(this.#begin.entries[0]!, 0)
    while ('result' in result) {
      const { result: piece } = result
      if (piece.$farcall === 'value') {
        this.#say(piece.remarks)
        return piece.value
      }
      if (piece.$farcall !== 'paused') throw new Error(`a piece gave '${piece.$farcall}'`)
      this.#say(piece.remarks)
      const { packed, pause } = piece
      const deltas = await this.#turns(packed)
      const next: PieceCall =
        typeof deltas === 'string'
          ? { $farcall: 'over', pause }
          : { $farcall: 'rest', pause, whole: packed.whole, deltas }
      if (typeof deltas === 'string') this.#say([{ loop: packed.loop, why: deltas }])
      result = await this.#piece(this.#encode(next), packed.loop + 1, next.$farcall === 'rest')
    }
    return result.value
  }

  /** Of a static method, `this` is a class and goes with each piece; else it is in what they hand on. */
  #encode(piece: PieceCall): Uint8Array {
    const { snapshot, input } = this.#call
    const self = typeof input.self === 'function' ? { self: input.self } : {}
    return snapshot.encode({ ...self, args: [piece] }, 'call')
  }

  async #piece(
    entry: Uint8Array,
    segment: number,
    mayBeLight = true,
  ): Promise<{ result: PieceResult } | { value: unknown }> {
    const { snapshot, split } = this.#call
    this.#requireWanted()
    if (mayBeLight && split.light !== undefined && split.plan.light[segment]) {
      const here = await runHere(snapshot, split, entry)
      if (here) return here
    }
    const { handle, items } = this.#submit(snapshot, [entry], false)
    const value = await this.#settled(handle, items[0]!)
    return isPieceResult(value) ? { result: value } : { value }
  }

  /** The turns of a loop, as an array job; a text says why their changes cannot be put together. */
  async #turns({ loop, shared, ranges }: PackedLoop) {
    const { split } = this.#call
    this.#requireWanted()
    const entries = ranges.map((range) => this.#encode({ $farcall: 'items', loop, range }))
    const { handle, items } = this.#submit(split.withShared(shared), entries, true)
    const deltas: { from: number; to: number; bytes: Uint8Array }[] = []
    let stuck: string | undefined
    for (const [at, item] of items.entries()) {
      const { from, to } = ranges[at]!
      const given = (await this.#settled(handle, item)) as PieceResult
      if (given.$farcall === 'deltas') deltas.push({ from, to, bytes: given.bytes })
      if (given.$farcall === 'stuck') stuck ??= given.why
    }
    return stuck ?? deltas
  }

  #submit(
    snapshot: Snapshot,
    entries: Uint8Array[],
    map: boolean,
  ): { handle: Handle; items: readonly Item[] } {
    const { callSite, options } = this.#call
    const submission = new Submission(newJobId())
    for (const _ of entries) submission.add(callSite)
    // Values of other jobs are among the arguments, and from then on in what pieces hand on.
    const parents = entries.map((entry) => (entry === this.#begin.entries[0] ? this.#begin.parents[0]! : []))
    const { shared, repeated } = this.#begin
    const inputs = { entries, files: entries.map(() => []), parents, shared, repeated }
    const session = dispatch(
      submission,
      Promise.resolve({ snapshot, options, inputs, map, stream: undefined, cwd: this.#cwd }),
    )
    session.then(this.#began, ignoreRejection)
    const handle: Handle = { submission, session, seal: alreadySealed }
    const view = makeItem(0, callSite)
    view.ranAs = submission.id
    submission.views.add(view, map ? undefined : 0)
    Object.assign(this.#item, { behind: { handle, item: view } })
    submission.listen((status) => {
      this.#front.nativeId = submission.nativeId
      this.#front.observe(this.#item, status)
    })
    return { handle, items: submission.items }
  }

  /** The first turn that fails, in their order, is the one that fails the call: those behind it would not have run. */
  async #settled(handle: Handle, item: Item): Promise<unknown> {
    try {
      return await item.settled.promise
    } catch (error) {
      this.failure = item.status
      const open = handle.submission.items.filter((one) => one.index > item.index)
      await cancelItems(handle, open, error).catch(ignoreRejection)
      throw error
    }
  }

  /** Between two pieces there is no job that could be canceled. */
  #requireWanted(): void {
    if (this.#item.canceling === undefined) return
    const status = { state: 'CANCELED', reason: 'by-user' } as const
    const { id } = this.#front
    throw new JobCanceledError(`job ${id} was canceled`, { jobId: id, status, cause: this.#item.canceling })
  }

  #say(remarks: readonly Remark[]): void {
    const { loops } = this.#call.split.plan
    for (const { loop, why } of remarks) sayKept(loops[loop]!.place, why)
  }
}

const said = new Set<string>()

/** Once for each loop and reason. */
export function sayKept(place: string, reason: string): void {
  const text = `${place} not parallelised: ${reason}`
  if (said.has(text)) return
  said.add(text)
  process.emitWarning(text, { type: 'farcall' })
}
