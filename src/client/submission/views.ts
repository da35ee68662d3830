import type { JobId } from '../../core/ids.ts'
import type { MapPart } from '../../core/protocol.ts'
import { isFinal, type JobStatus, mayFollow, wholeStatus } from '../../core/status.ts'
import type { ResultFile } from '../outcome/result-file.ts'
import type { Item } from './item.ts'
import type { Submission } from './submission.ts'

/** An item that stands for one of a submission's own, or for all of them. */
interface View {
  readonly item: Item
  readonly index: number | undefined
}

/** What `attach` gave before it knew how many items the job has: these stand for the job's own. */
export class Views {
  readonly #submission: Submission
  readonly #views: View[] = []
  #knowsRest = false

  constructor(submission: Submission) {
    this.#submission = submission
  }

  /** `attach` gave some: the items are known once the job is found. */
  get any(): boolean {
    return this.#views.length > 0
  }

  add(item: Item, index: number | undefined): void {
    this.#views.push({ item, index })
  }

  /** The map has that item in this job, under this number. */
  moveTo({ id, part }: { id: JobId; part: MapPart }, view: Item, index: number): void {
    this.#submission.id = id
    this.#submission.part = part
    Object.assign(view, { index })
    this.#views.splice(0, this.#views.length, { item: view, index })
  }

  /** All parts of the map that there are are followed. */
  knowsRest(): void {
    this.#knowsRest = true
    this.#submission.tell(this.#submission.status, [])
  }

  /** Whether an item stands for all of them. */
  isWhole(item: Item): boolean {
    return this.#views.some((view) => view.item === item && view.index === undefined)
  }

  /** Whether an item stands for no more than one of them. */
  isOne(item: Item): boolean {
    const view = this.#views.find((one) => one.item === item)
    return view === undefined || view.index !== undefined
  }

  /** The job's own items that an item stands for. */
  itemsBehind(item: Item): readonly Item[] {
    const view = this.#views.find((one) => one.item === item)
    if (!view) return [item]
    const { items } = this.#submission
    return view.index === undefined ? items : items.slice(view.index, view.index + 1)
  }

  /** What was asked of this item, or of what stands for it. */
  fileOf(item: Item): ResultFile | undefined {
    if (item.file) return item.file
    const alone = this.#views.find(({ item: view }) => {
      const behind = this.itemsBehind(view)
      return behind.length === 1 && behind[0] === item
    })
    return alone?.item.file
  }

  /** Brings those up to date that stand for these items, or for all; gives each that changes, before it looks at the next. */
  *update(items: readonly Item[]): Generator<Item, void> {
    for (const { item, index } of this.#views) {
      const next = index === undefined ? this.#wholeStatus : items.find((one) => one.index === index)?.status
      if (!next || !mayFollow(next, item.status)) continue
      item.status = next
      yield item
    }
  }

  /** Of the whole map, as the views of its first part show it. */
  get #wholeStatus(): JobStatus {
    const { part, status, rest } = this.#submission
    if (part?.number === 0 && !this.#knowsRest && isFinal(status.state)) return { state: 'ACTIVE' }
    if (rest.length === 0) return status
    return wholeStatus([status, ...rest.map(({ submission }) => submission.status)])
  }
}
