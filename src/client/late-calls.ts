import { readyForSnapshot, requireUnchanged } from '../capture/snapshot.ts'
import type { Snapshot } from '../capture/types.ts'
import { encode } from '../codec/codec.ts'
import { type Deferred, deferred } from '../core/deferred.ts'
import { newJobId } from '../core/ids.ts'
import { ignoreRejection } from '../core/rejections.ts'
import { tellOfCall } from './notify/tell-of.ts'
import type { Handle } from './submission/handle.ts'
import type { Item } from './submission/item.ts'
import { levelOf, needParents } from './submission/parents.ts'
import { Submission } from './submission/submission.ts'
import { dispatch } from './submit/dispatch.ts'
import { type Input, PackedInputs } from './submit/packed-inputs.ts'
import type { Request } from './submit/submit.ts'

/** All of a request but what is known only once the variables were read. */
type Settings = Pick<Request, 'options' | 'stream'>
type Call = { readonly handle: Handle; readonly item: Item }

/** Calls of one function made within one turn. */
interface Turn {
  readonly taken: Promise<Snapshot>
  readonly callSites: Set<string | undefined>
  /** By how many submissions have to go before, as calls elsewhere travel together. */
  readonly groups: Map<number, { readonly handle: Handle; readonly inputs: PackedInputs }>
}

/** An argument holds a function or class instance, whose code cannot be looked up yet. */
class NeedsCode extends Error {}

/**
 * Calls where variables cannot be read at once (Deno's REPL and kernel): the job is there at once, arguments that are
 * plain data are written at once, and the variables are read in the first turn that evaluates no cell.
 */
export class LateCalls {
  readonly #take: () => Snapshot
  readonly #settings: Settings
  readonly #whole: boolean
  #turn: Turn | undefined

  /** `whole`: see PackedInputs. */
  constructor(take: () => Snapshot, settings: Settings, whole: boolean) {
    this.#take = take
    this.#settings = settings
    this.#whole = whole
  }

  /** @throws CaptureError for arguments that can never travel */
  call(input: Input, callSite: { readonly stack?: string }): Call {
    this.#turn ??= this.#begin()
    this.#turn.callSites.add(callSite.stack)
    try {
      return this.#together(this.#turn, input, callSite)
    } catch (error) {
      if (error instanceof NeedsCode) return this.#alone(this.#turn, input, callSite)
      throw error
    }
  }

  #begin(): Turn {
    const callSites = new Set<string | undefined>()
    const taken = readyForSnapshot().then(() => {
      this.#turn = undefined
      const snapshot = this.#take()
      for (const stack of callSites) requireUnchanged(snapshot.variables ?? [], stack)
      return snapshot
    })
    taken.catch(ignoreRejection)
    return { taken, callSites, groups: new Map() }
  }

  #together(turn: Turn, input: Input, callSite: { readonly stack?: string }): Call {
    const trial = this.#noInputs()
    const level = levelOf(trial.add(plainOnly, input, 'call'))
    const group = turn.groups.get(level) ?? this.#open(turn, level)
    const { submission } = group.handle
    needParents(submission, group.inputs.add(plainOnly, input, 'call'))
    const item = submission.add(callSite)
    // What it waits for may be waiting for this one, should more join it.
    if (level === Number.POSITIVE_INFINITY) turn.groups.delete(level)
    return { handle: group.handle, item }
  }

  #open(turn: Turn, level: number) {
    const inputs = this.#noInputs()
    const ready = deferred<Request>()
    const handle = this.#handle(new Submission(newJobId(), level), ready, () => turn.groups.delete(level))
    const group = { handle, inputs }
    turn.groups.set(level, group)
    const cwd = process.cwd()
    turn.taken.then(
      (snapshot) => ready.resolve({ snapshot, inputs, map: false, cwd, ...this.#settings }),
      ready.reject,
    )
    return group
  }

  /** What its arguments bring along may be refused, which is not to be the others' failure. */
  #alone(turn: Turn, input: Input, callSite: { readonly stack?: string }): Call {
    const ready = deferred<Request>()
    const submission = new Submission(newJobId(), Number.POSITIVE_INFINITY)
    const cwd = process.cwd()
    turn.taken
      .then(() => {
        // A snapshot of its own, which these arguments join.
        const snapshot = this.#take()
        const inputs = this.#noInputs()
        needParents(submission, inputs.add(snapshot, input, 'call'))
        ready.resolve({ snapshot, inputs, map: false, cwd, ...this.#settings })
      })
      .catch(ready.reject)
    return { handle: this.#handle(submission, ready, () => {}), item: submission.add(callSite) }
  }

  #handle(submission: Submission, ready: Deferred<Request>, seal: () => void): Handle {
    const session = dispatch(submission, ready.promise)
    session.catch(ignoreRejection)
    const handle: Handle = { submission, session, seal }
    tellOfCall(handle)
    return handle
  }

  #noInputs(): PackedInputs {
    return new PackedInputs({ whole: this.#whole })
  }
}

const plainOnly: Pick<Snapshot, 'encode'> = {
  encode(value, root, elsewhere) {
    let needsCode = false
    const reference = () => {
      needsCode = true
      return undefined
    }
    try {
      return encode(value, { root, reference, ...(elsewhere ? { elsewhere } : {}) })
    } catch (error) {
      throw needsCode ? new NeedsCode() : error
    }
  },
}
