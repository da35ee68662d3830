import type { Snapshot } from '../capture/types.ts'
import { type Deferred, deferred } from '../core/deferred.ts'
import { newJobId } from '../core/ids.ts'
import { ignoreRejection } from '../core/rejections.ts'
import { windowOf } from './generators.ts'
import { tellOfCall } from './notify/tell-of.ts'
import type { ClusterOptions } from './options/options.ts'
import { splitOptions } from './options/split-options.ts'
import type { Handle } from './submission/handle.ts'
import { levelOf, needParents } from './submission/parents.ts'
import { Submission } from './submission/submission.ts'
import { dispatch } from './submit/dispatch.ts'
import { type Input, PackedInputs } from './submit/packed-inputs.ts'
import type { Request } from './submit/submit.ts'

/** Calls made in this turn of the event loop, still open for more. Their jobs keep the handle, and nothing else of it. */
interface OpenGroup {
  readonly handle: Handle
  readonly snapshot: Snapshot
  readonly inputs: PackedInputs
}

const mostInGroup = 10_000

/**
 * What calls of one function made in this turn of the event loop have captured: where that is the same, groups with
 * other options share it. Ten thousand of them would hold most of what they need for it. @internal
 */
export class TurnSnapshot {
  #current: Snapshot | undefined

  /** The one that calls with these values share. */
  share(snapshot: Snapshot): Snapshot {
    const current = this.#current
    if (current && hasSameValues(current, snapshot)) return current
    this.#current = snapshot
    setImmediate(() => this.drop(snapshot))
    return snapshot
  }

  /** It may be made into a bundle now, which nothing joins any more. */
  drop(snapshot: Snapshot): void {
    if (this.#current === snapshot) this.#current = undefined
  }
}

const hasSameValues = (one: Snapshot, other: Snapshot) => Buffer.compare(one.values(), other.values()) === 0

/** The groups of calls of one function that are still open: calls made in one turn travel together. @internal */
export class CallGroups {
  readonly #caller: { readonly fn: Function; readonly options: ClusterOptions }
  readonly #turn: TurnSnapshot
  /** By how many submissions have to go before: a call that needs another one's value cannot travel with it. */
  readonly #open = new Map<number, OpenGroup>()

  constructor(caller: { readonly fn: Function; readonly options: ClusterOptions }, turn: TurnSnapshot) {
    this.#caller = caller
    this.#turn = turn
  }

  /** The group that a call travels with, with its input. */
  join(snapshot: Snapshot, input: Input): OpenGroup {
    // The group's own snapshot encodes, so that what arguments bring along joins its bundle.
    const first = this.#joinable(snapshot, 0)
    const inputs = first?.inputs ?? this.#noInputs()
    const level = levelOf(inputs.add(first?.snapshot ?? this.#turn.share(snapshot), input, 'call'))
    if (level === 0) return first ?? this.#begin(snapshot, 0, inputs)
    inputs.removeLast()
    const later = this.#joinable(snapshot, level) ?? this.#begin(snapshot, level, this.#noInputs())
    needParents(later.handle.submission, later.inputs.add(later.snapshot, input, 'call'))
    return later
  }

  #noInputs(): PackedInputs {
    return new PackedInputs({ whole: splitOptions(this.#caller.options).cache })
  }

  #joinable(snapshot: Snapshot, level: number): OpenGroup | undefined {
    const open = this.#open.get(level)
    const takesMore = open && open.inputs.entries.length < mostInGroup
    return takesMore && hasSameValues(open.snapshot, snapshot) ? open : undefined
  }

  #begin(snapshot: Snapshot, level: number, inputs: PackedInputs): OpenGroup {
    this.#open.get(level)?.handle.seal()
    const ready = deferred<Request>()
    const submission = new Submission(newJobId(), level)
    const session = dispatch(submission, ready.promise)
    session.catch(ignoreRejection)
    const handle: Handle = { submission, session, seal: sealOnce(this.#sealing(level, ready, process.cwd())) }
    // What is to wait for others takes the classes of their results along, which nobody else's bundle needs.
    const own = level === 0 ? this.#turn.share(snapshot) : snapshot
    const group = { handle, snapshot: own, inputs }
    tellOfCall(handle)
    this.#open.set(level, group)
    setImmediate(handle.seal)
    return group
  }

  #sealing(level: number, ready: Deferred<Request>, cwd: string): () => void {
    return () => {
      const { snapshot, inputs } = this.#open.get(level)!
      this.#open.delete(level)
      this.#turn.drop(snapshot)
      // Its only call was refused: nothing is to be submitted, and nobody has this group.
      if (inputs.entries.length === 0) return
      const { fn, options } = this.#caller
      ready.resolve({ snapshot, options, inputs, map: false, stream: windowOf(fn, options), cwd })
    }
  }
}

/** Keeps nothing once it was called: jobs hold on to it for as long as they are waited for. */
function sealOnce(seal: () => void): () => void {
  let once: (() => void) | undefined = seal
  return () => {
    const first = once
    once = undefined
    first?.()
  }
}
