import type { JobId } from '../core/ids.ts'
import { isFinal } from '../core/status.ts'
import type { Handle } from './handle.ts'
import type { Item } from './item.ts'
import { ignoreRejection } from './job.ts'
import type { Submission } from './submission.ts'

/** One input of a map: its number there, and the submission that runs it. */
export interface PartItem {
  readonly index: number
  readonly item: Item
  readonly handle: Handle
}

/** One map as this process sees it: the submissions that run its items, in the order of the items. @internal */
export class Parts {
  readonly id: JobId
  /** Resolves once all of its submissions are known; rejects when its inputs could not be read, or sent. */
  readonly complete: Promise<void>
  readonly #handles: Handle[] = []
  /** Those whose items are all there. */
  readonly #filled: Handle[] = []
  readonly #followers = new Set<(handle: Handle) => void>()

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
    const tell = () => {
      this.#filled.push(handle)
      for (const follower of this.#followers) follower(handle)
    }
    if (filling) filling.then(tell, ignoreRejection)
    else tell()
  }

  /** Calls `follower` with each submission that has its items, and with those that come. */
  follow(follower: (handle: Handle) => void): () => void {
    for (const handle of this.#filled) follower(handle)
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  get count(): number {
    return this.#handles.reduce((sum, { submission }) => sum + submission.items.length, 0)
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

  get isOver(): boolean {
    return this.submissions.every(({ items }) => items.every(({ status }) => isFinal(status.state)))
  }
}
