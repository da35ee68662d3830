import type { JobStatus } from '../../core/status.ts'
import type { Handle } from './handle.ts'
import type { Item } from './item.ts'
import type { Submission } from './submission.ts'

/** A job, or an array of them, that stands in arguments for its value. */
export interface Parent {
  /** What stands for it there. */
  readonly key: string
  /** Resolves when its items are known; rejects when they never will be. */
  readonly ready: Promise<unknown>
  /** The submissions that have it, as far as they are known. */
  readonly handles: readonly Handle[]
  /** No more of them come. */
  readonly isKnown: boolean
  /** What the user knows it by. */
  readonly id: string
  readonly status: JobStatus
  /** Whether its value is an array of those of its items, once these are known. */
  isArray(): boolean
  /** Its items, once they are known. */
  items(): readonly ParentItem[]
  /** What awaiting it gives. */
  value(): Promise<unknown>
}

export interface ParentItem {
  readonly submission: Submission
  readonly item: Item
}

/** What stands for an item's value in arguments. */
export const keyOf = ({ submission, item }: ParentItem): string => `${submission.id}[${item.index}]`

/** How many submissions have to go before one with these; Infinity: that is not known yet. */
export function levelOf(parents: readonly Parent[]): number {
  let level = 0
  for (const { handles, isKnown } of parents) {
    if (!isKnown) return Number.POSITIVE_INFINITY
    for (const { submission } of handles) level = Math.max(level, submission.level + 1)
  }
  return level
}

/** A call that waits for these: they are followed for as long as it may need them here, though nobody else waits for them. */
export function needParents(submission: Submission, parents: readonly Parent[]): void {
  submission.needs(levelOf(parents))
  if (parents.length === 0) return
  let isOver = false
  for (const parent of parents) {
    const hold = () => {
      if (isOver) return
      for (const { submission: from } of parent.handles) from.neededBy.add(submission)
    }
    hold()
    // The parts of a map may come later; why one does not is for `ready` to say where it is awaited.
    parent.ready.then(hold, () => {})
  }
  void submission.over.promise.then(() => {
    isOver = true
    for (const parent of parents) releaseParent(submission, parent)
  })
}

/** Its values are here, or go their way without this program. */
export function releaseParent(submission: Submission, { handles }: Parent): void {
  for (const { submission: from } of handles) if (from.neededBy.delete(submission)) from.tell(from.status, [])
}
