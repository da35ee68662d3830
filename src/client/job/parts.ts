import { type Deferred, deferred } from '../../core/deferred.ts'
import type { JobId } from '../../core/ids.ts'
import { ignoreRejection } from '../../core/rejections.ts'
import { isFinal } from '../../core/status.ts'
import { Settlement } from '../outcome/settlement.ts'
import { Pace } from '../progress/pace.ts'
import type { Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import type { Submission } from '../submission/submission.ts'
import type { Progress } from './job-array.ts'

/** One input of a map: its number there, and the submission that runs it. */
export interface PartItem {
  readonly index: number
  readonly item: Item
  readonly handle: Handle
}

/** What stands for the value of an item that a loop has been handed. */
const handedOut = new Settlement()
handedOut.resolve(undefined)

/** One map as this process sees it: the submissions that run its items, in the order of the items. @internal */
export class Parts {
  readonly id: JobId
  /** Resolves once all of its submissions are known; rejects when its inputs could not be read, or sent. */
  readonly complete: Promise<void>
  /** Inputs so far, and submissions. */
  read = 0
  sent = 0
  /** The array itself is awaited: its values are kept. */
  isAwaited = false
  /** Loops over its results that go on. */
  loops = 0
  /** Items whose values were handed out and are no longer here. */
  gone = 0
  /** Why all of it is to be canceled. */
  canceling: unknown
  /** The first failure ends it all. */
  failFast: Deferred<never> | undefined
  firstFailure: { readonly reason: unknown } | undefined
  /** Its inputs come one by one, and may never end. */
  isStream = false
  /** All of its submissions are known. */
  isComplete = false
  /** No further input is read. */
  isStopped = false
  readonly #pace = new Pace(Date.now())
  readonly #stop = deferred<void>()
  readonly #handles: Handle[] = []
  /** Those whose items are all there. */
  readonly #filled: Handle[] = []
  readonly #followers = new Set<(handle: Handle) => void>()
  /** Of streams: how many values of a part are not handed out yet. */
  readonly #values = new Map<Submission, { left: number; readonly release: () => void }>()
  /** Inputs that nobody waits for any more. */
  #freed = 0
  #fewer: Deferred<void> | undefined
  #over: Promise<void> | undefined

  constructor(id: JobId, complete: Promise<void>) {
    this.id = id
    this.complete = complete
  }

  /** A map that is one submission. */
  static of(handle: Handle, ready: Promise<unknown>): Parts {
    const parts = new Parts(
      handle.submission.id,
      ready.then(() => undefined),
    )
    parts.add(handle, ready)
    parts.isComplete = true
    return parts
  }

  get handles(): readonly Handle[] {
    return this.#handles
  }

  get submissions(): readonly Submission[] {
    return this.#handles.map(({ submission }) => submission)
  }

  /** The next of its submissions; `filling` resolves once it has its items, if it has not. */
  add(handle: Handle, filling?: Promise<unknown>): void {
    this.#handles.push(handle)
    const { submission } = handle
    submission.stop = (reason) => this.stop(reason)
    if (submission.part) this.#keep(submission)
    if (this.isStream) this.#count(submission)
    const tell = () => {
      this.#filled.push(handle)
      this.read = Math.max(this.read, submission.first + submission.items.length)
      for (const follower of this.#followers) follower(handle)
    }
    // Of those that are made as they are known, whoever makes them says when there are all.
    if (filling) filling.then(tell, ignoreRejection)
    else tell()
  }

  /** Its files stay until all of the map is done with: whoever attaches to it after a crash finds it whole. */
  #keep(submission: Submission): void {
    const kept = deferred<void>()
    submission.heldUntil = kept.promise
    this.#values.set(submission, { left: submission.items.length, release: kept.resolve })
    void this.over.then(kept.resolve)
  }

  #count({ items }: Submission): void {
    for (const item of items) {
      const settled = () => {
        if (this.loops === 0) this.#free(item)
      }
      item.settled.promise.then(settled, () => this.#free(item))
    }
  }

  #free(item: Item): void {
    if (item.isFreed) return
    item.isFreed = true
    this.#freed++
    this.#fewer?.resolve()
    this.#fewer = undefined
  }

  /** A loop was given the item's value: unless the array is awaited too, it need not be here any longer. */
  handOut({ item, handle }: PartItem): void {
    if (!this.isStream) return
    this.#free(item)
    if (this.isAwaited || this.isHandedOut(item)) return
    item.settled = handedOut
    this.gone++
    const values = this.#values.get(handle.submission)
    if (!values || --values.left > 0) return
    values.release()
    this.#values.delete(handle.submission)
    for (const list of [this.#handles, this.#filled]) {
      const at = list.indexOf(handle)
      if (at >= 0) list.splice(at, 1)
    }
  }

  isHandedOut(item: Item): boolean {
    return item.settled === handedOut
  }

  /** Inputs that were read, and whose results somebody still waits for. */
  get outstanding(): number {
    return this.read - this.#freed
  }

  /** Resolves when fewer are outstanding, or reading has stopped. */
  fewer(): Promise<void> {
    this.#fewer ??= deferred()
    return this.#fewer.promise
  }

  get stopped(): Promise<void> {
    return this.#stop.promise
  }

  /** Reads no further: what was not sent is not. `reason`: what was sent is to be canceled. */
  stop(reason?: unknown): void {
    this.canceling ??= reason
    if (this.isStopped) return
    this.isStopped = true
    this.isComplete = true
    this.#stop.resolve()
    this.#fewer?.resolve()
  }

  /** Calls `follower` with each submission that has its items, and with those that come. */
  follow(follower: (handle: Handle) => void): () => void {
    for (const handle of [...this.#filled]) follower(handle)
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  /** Resolves when all items have ended. */
  get over(): Promise<void> {
    this.#over ??= this.complete
      .catch(ignoreRejection)
      .then(() => Promise.all(this.submissions.map(({ over }) => over.promise)))
      .then(() => {})
    return this.#over
  }

  get count(): number {
    return this.#handles.reduce(
      (most, { submission: { first, items } }) => Math.max(most, first + items.length),
      0,
    )
  }

  get items(): PartItem[] {
    return this.#handles.flatMap((handle) =>
      handle.submission.items.map((item) => ({ index: handle.submission.indexOf(item), item, handle })),
    )
  }

  /** The item with this number in the map. */
  at(index: number): PartItem | undefined {
    for (const handle of this.#handles) {
      const item = handle.submission.items[index - handle.submission.first]
      if (item) return { index, item, handle }
    }
    return undefined
  }

  /** The same, once it is there; undefined when there is none. */
  async whenAt(index: number): Promise<PartItem | undefined> {
    let stop = () => {}
    const added = new Promise<void>((resolve) => {
      stop = this.follow(() => {
        if (this.at(index)) resolve()
      })
    })
    await Promise.race([added, this.complete]).finally(stop)
    return this.at(index)
  }

  get progress(): Progress {
    const counts = { NEW: 0, QUEUED: 0, ACTIVE: 0, COMPLETED: this.gone, FAILED: 0, CANCELED: 0 }
    for (const { submission } of this.#handles) {
      const { items, open, failed } = submission
      // What is over is not looked through again.
      if (open === 0 && failed === 0)
        counts.COMPLETED += items.length - (this.isStream ? this.#handed(submission) : 0)
      else for (const { status, settled } of items) if (settled !== handedOut) counts[status.state]++
    }
    const { COMPLETED: done, ACTIVE: running } = counts
    const failed = counts.FAILED + counts.CANCELED
    const known = done + running + failed + counts.NEW + counts.QUEUED
    const total = Math.max(known, this.isStopped ? 0 : this.read)
    const now = Date.now()
    const ended = done + failed
    this.#pace.note(ended, now)
    const rate = this.#pace.rate(ended, now)
    const open = total - ended
    const facts = { total, done, running, queued: total - done - running - failed, failed }
    if (rate === undefined) return facts
    return { ...facts, rate, ...(this.isComplete ? { left: open === 0 ? 0 : open / rate } : {}) }
  }

  /** Of its values, those that are no longer here. */
  #handed(submission: Submission): number {
    return submission.items.length - (this.#values.get(submission)?.left ?? submission.items.length)
  }

  get isOver(): boolean {
    return this.submissions.every(({ items }) => items.every(({ status }) => isFinal(status.state)))
  }
}
