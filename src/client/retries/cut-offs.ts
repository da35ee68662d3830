import { LazyMap } from '../../core/lazy.ts'
import { type JobSpec, memberItems } from '../../core/protocol.ts'
import { isFinal } from '../../core/status.ts'
import type { Item } from '../submission/item.ts'
import type { Submission } from '../submission/submission.ts'

/** An attempt of a member as it began. */
interface Begun {
  /** What it had to do, in order. */
  readonly items: readonly Item[]
  /** Attempts right before it that got nothing done. */
  readonly idle: number
}

/** What the end of an attempt shows. */
interface Seen {
  readonly attempt: number
  /** They ran from its begin to its end: they alone take longer than the time limit. */
  readonly tooLong: ReadonlySet<Item>
  readonly idle: number
}

/** So many attempts in a row that get nothing done are the last ones: what is left would fare no better. */
const mostIdle = 2

/**
 * Chunks that a time limit has cut off. That there were more items in it than fit is no failure: it goes on where it
 * stopped, as long as items get done. An item that had the whole time for itself has failed, and the others go on
 * without it.
 */
export class CutOffs {
  readonly #submission: Submission
  readonly #begun = new LazyMap<number, Begun>()
  readonly #seen = new LazyMap<number, Seen>()

  constructor(submission: Submission) {
    this.#submission = submission
  }

  /** An attempt that is about to be made. */
  begin({ chunk, only = [] }: JobSpec, items: readonly Item[]): void {
    for (const member of only) {
      const own = items.filter(({ index }) => Math.floor(index / chunk) === member)
      const idle = this.#seen.get(member)?.idle ?? 0
      this.#begun.set(member, { items: own.sort((a, b) => a.index - b.index), idle })
    }
  }

  /** Whether an item of a member that ran into its time limit goes on in a further attempt. Asked of all that are open. */
  goesOn(item: Item): boolean {
    const member = Math.floor(item.index / this.#submission.submitted!.spec.chunk)
    const spec = this.#submission.specOf(member)
    let seen = this.#seen.get(member)
    if (seen?.attempt !== spec.attempt) {
      seen = this.#look(member, spec)
      this.#seen.set(member, seen)
    }
    return seen.idle < mostIdle && !seen.tooLong.has(item) && !spec.skip?.includes(item.index)
  }

  /** Items of these members that are not to run again. */
  tooLong(spec: JobSpec, members: readonly number[]): number[] {
    const { items } = this.#submission
    return members.flatMap((member) => {
      const { from, to } = memberItems(spec, member)
      return items
        .slice(from, to)
        .filter(({ status: { state, reason } }) => isFinal(state) && reason === 'timeout')
        .map(({ index }) => index)
    })
  }

  #look(member: number, spec: JobSpec): Seen {
    const { from, to } = memberItems(spec, member)
    const all = this.#submission.items.slice(from, to)
    // One that waits to be tried again for its own exception has its record: that was done.
    const open = this.#submission.openItems(member).filter(({ failure }) => !failure)
    const begun = this.#begun.get(member)
    // Of an attempt that another client made, nobody here knows what it began with: it is taken to have got on.
    const isKnown = begun !== undefined || spec.attempt === 1 || open.length === all.length
    const first = begun?.items ?? all
    const slots = spec.slots?.count ?? 1
    const tooLong = isKnown ? first.slice(0, slots).filter((item) => open.includes(item)) : []
    const idle = isKnown && open.length >= first.length ? (begun?.idle ?? 0) + 1 : 0
    return { attempt: spec.attempt, tooLong: new Set(tooLong), idle }
  }
}
