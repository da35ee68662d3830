import type { JobId } from '../../core/ids.ts'
import type { Executor } from '../../executor/executor.ts'
import { type Item, isFailed } from '../submission/item.ts'
import { flushRecords, type JobRecords } from '../submission/recorder.ts'
import type { Submission } from '../submission/submission.ts'

/** Folders of this many jobs that are done are left for `logs()`; the oldest go first. */
const keptWhileRunning = 64

/** A job that is over here. 'detached': not all its results could be read. */
interface Done {
  readonly id: JobId
  readonly outcome: 'completed' | 'failed' | 'detached'
  readonly records: JobRecords | undefined
  /** What it has yielded and nobody has read yet. */
  readonly readers: Submission['readers']
  /** Items that nobody here waited for: whoever attaches gets them. */
  readonly letGo: Submission['letGo']
  /** Items whose values were left there; somebody may still ask for them. */
  readonly left: readonly Item[]
}

/** Jobs that are over, and whose files are still there: for `logs()`, for who reads them, or for the rest of their map. */
export class DoneJobs {
  readonly #executor: Executor
  /** Nobody needs their files but who asks for logs; the oldest first. */
  readonly #done: Done[] = []
  /** Other parts of their map are not over. */
  readonly #held = new Set<Done>()
  /** Jobs whose files others read that are not over, by those. */
  readonly #readers = new Map<JobId, Set<Submission>>()
  /** Jobs that stay for those. */
  readonly #read = new Map<JobId, Done>()

  constructor(executor: Executor) {
    this.#executor = executor
  }

  add(submission: Submission): void {
    const { id, records, readers, letGo } = submission
    const left = submission.items.filter((item) => item.fetch)
    const done = { id, outcome: outcomeOf(submission), records, readers, letGo, left }
    if (!submission.heldUntil) this.#keep(done)
    else {
      this.#held.add(done)
      void submission.heldUntil.then(() => {
        if (this.#held.delete(done)) this.#keep(done)
      })
    }
  }

  #keep(one: Done): void {
    if (this.#readers.has(one.id)) {
      this.#read.set(one.id, one)
      return
    }
    this.#done.push(one)
    if (this.#done.length <= keptWhileRunning) return
    const oldest = this.#done.splice(0, keptWhileRunning / 2)
    const stays = (one: Done) => isUnread(one) || one.left.some((item) => item.fetch)
    this.#done.unshift(...oldest.filter(stays))
    void this.#release(oldest.filter((one) => !stays(one)).map(asLeft))
  }

  /** It is to run again. */
  takeBack(id: JobId): void {
    this.#take(id)
  }

  #take(id: JobId): Done | undefined {
    const index = this.#done.findIndex((one) => one.id === id)
    return index < 0 ? undefined : this.#done.splice(index, 1)[0]
  }

  has(id: JobId): boolean {
    return this.#read.has(id) || [...this.#done, ...this.#held].some((one) => one.id === id)
  }

  /** Its files stay until `reader`, which needs them, is over. */
  hold(id: JobId, reader: Submission): void {
    const readers = this.#readers.get(id) ?? new Set()
    this.#readers.set(id, readers.add(reader))
    const done = this.#take(id)
    if (done) this.#read.set(id, done)
    void reader.over.promise.then(() => {
      readers.delete(reader)
      if (readers.size > 0) return
      this.#readers.delete(id)
      const read = this.#read.get(id)
      if (this.#read.delete(id)) this.#keep(read!)
    })
  }

  /** The place is left. What others still need there stays: its folder says so. */
  async leave(): Promise<void> {
    const over = [...this.#done.splice(0), ...this.#read.values()]
    const done = over.map((one) => (isUnread(one) ? detached(one) : asLeft(one)))
    const held = [...this.#held].map(detached)
    this.#held.clear()
    await this.#release([...done, ...held])
  }

  async #release(jobs: readonly Done[]): Promise<void> {
    // What is cached is written before its files go.
    flushRecords()
    try {
      for (const outcome of ['completed', 'failed', 'detached'] as const) {
        const ids = jobs.filter((job) => job.outcome === outcome).map((job) => job.id)
        if (ids.length > 0) await this.#executor.release(ids, outcome)
      }
      for (const { records, outcome } of jobs) {
        if (outcome === 'detached') records?.letGo()
        else records?.collected()
      }
    } catch (error) {
      // The results are here; what could not be removed is garbage, and `process.emitWarning` says where.
      process.emitWarning(`farcall: files of finished jobs stay on ${this.#executor.name}: ${String(error)}`)
    }
  }
}

function isUnread({ readers }: Done): boolean {
  return readers.some((reader) => reader.isUnread)
}

const detached = (done: Done): Done => ({ ...done, outcome: 'detached' })
/** It may be let go after its end, too. */
const asLeft = (done: Done): Done => (done.letGo.size > 0 ? detached(done) : done)

function outcomeOf({ items, keeps }: Submission): Done['outcome'] {
  if (items.some((item) => item.notAsked && !isCanceled(item))) return 'detached'
  if (items.some((item) => item.unread && isFailed(item))) return 'detached'
  return items.every(isDoneWith) && !keeps ? 'completed' : 'failed'
}

function isCanceled({ status: { state, reason } }: Item): boolean {
  return state === 'CANCELED' && reason === 'by-user'
}

/** Nobody looks for the cause of what he has canceled himself. */
function isDoneWith(item: Item): boolean {
  return item.status.state === 'COMPLETED' || isCanceled(item)
}
