import type { Elsewhere } from '../core/elsewhere.ts'
import type { JobStatus } from '../core/status.ts'
import type { Handle } from './handle.ts'
import type { Item } from './item.ts'
import { insideOf, quiet } from './job.ts'
import { partsOf } from './job-array.ts'
import { allResults } from './results.ts'
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

/** What an argument stands for, when it is a job. */
export function parentOf(value: object): Parent | undefined {
  const job = insideOf(value)
  if (job) return oneJob(job.handle, job.item)
  const parts = partsOf(value)
  if (!parts) return undefined
  // No loop is to let go of its values.
  parts.isAwaited = true
  return {
    key: parts.id,
    ready: parts.complete,
    id: parts.id,
    get handles() {
      return parts.handles
    },
    get isKnown() {
      return parts.isComplete
    },
    get status() {
      return parts.submissions.find(({ failed }) => failed > 0)?.status ?? { state: 'NEW' }
    },
    isArray: () => true,
    items: () => parts.items.map(({ item, handle }) => ({ item, submission: handle.submission })),
    value: () => parts.complete.then(() => allResults(parts)),
  }
}

function oneJob(handle: Handle, item: Item): Parent {
  const { submission } = handle
  // What `attach` gave may stand for all items.
  const isOne = submission.views.isOne(item)
  return {
    key: isOne ? `${submission.id}[${item.index}]` : submission.id,
    ready: handle.session,
    handles: [handle],
    isKnown: true,
    get id() {
      return isOne ? submission.itemId(item) : submission.id
    },
    get status() {
      return item.status
    },
    isArray() {
      const { spec } = submission.submitted ?? {}
      return !isOne && spec !== undefined && (spec.map || spec.items > 1)
    },
    items: () => submission.views.itemsBehind(item).map((own) => ({ item: own, submission })),
    value: () => item.settled.promise,
  }
}

/** The jobs among the arguments of one call; finds them while these are encoded. */
export class ParentsAmong {
  readonly #found = new Map<string, Parent>()

  /** Where its value lies, when the object is a job. */
  add(object: object): Elsewhere | undefined {
    const parent = parentOf(object)
    if (!parent) return undefined
    this.#found.set(parent.key, parent)
    // Its failure is told by what needs its value.
    quiet(object as Promise<unknown>)
    return { job: parent.key }
  }

  get all(): readonly Parent[] {
    return [...this.#found.values()]
  }
}

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
