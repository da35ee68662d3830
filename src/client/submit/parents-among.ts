import type { Elsewhere } from '../../core/elsewhere.ts'
import { quiet } from '../../core/rejections.ts'
import { insideOf } from '../job/job.ts'
import { partsOf } from '../job/job-array.ts'
import { allResults } from '../job/results.ts'
import type { Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import type { Parent } from '../submission/parents.ts'

/** What an argument stands for, when it is a job. */
function parentOf(value: object): Parent | undefined {
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
