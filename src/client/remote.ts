import { homedir } from 'node:os'
import {
  evaluatesCells,
  readyForSnapshot,
  requireUnchanged,
  snapshot as takeSnapshot,
} from '../capture/snapshot.ts'
import type { CallSite, CaptureOptions, Snapshot } from '../capture/types.ts'
import { cacheFolder } from '../config/cache-folder.ts'
import { newJobId } from '../core/ids.ts'
import type { Chained, ChainedList } from './chained.ts'
import { type Deferred, deferred } from './deferred.ts'
import { dispatch, planOnly, renderOnly } from './dispatch.ts'
import { isGenerator, refuseMap, windowOf } from './generators.ts'
import { alreadySealed, type Handle } from './handle.ts'
import { asLists, countOf, type Inputs, requireIterable } from './inputs.ts'
import type { Item } from './item.ts'
import { ignoreRejection, Job, quiet } from './job.ts'
import { JobArray, partsOf } from './job-array.ts'
import { JobStream } from './job-stream.ts'
import { LateCalls } from './late-calls.ts'
import { callSplit, sayKept } from './loops.ts'
import { type MapSource, startMap } from './map.ts'
import type { MapPlan } from './map-plan.ts'
import { tellOfCall, tellOfMap } from './notify/tell-of.ts'
import { type ClusterOptions, checkOptions, type MapOptions, mergeOptions, splitOptions } from './options.ts'
import { type Input, PackedInputs } from './packed-inputs.ts'
import { levelOf, needParents } from './parents.ts'
import { watchProgress } from './progress/watch.ts'
import { Submission } from './submission.ts'
import type { Request } from './submit.ts'
import { asLocalGenerator, asLocalTask } from './task.ts'

/**
 * A function that runs on the cluster when it is called; `cluster(fn)` makes one.
 * @example
 * import { cluster, type Remote } from 'farcall'
 *
 * const power: Remote<[base: number, exponent: number], number> = cluster((base: number, exponent: number) => base ** exponent)
 * const one = await power(2, 10)
 * const many = await power.starmap([[2, 1], [2, 2]])
 * const here = await power.local(2, 3)
 * const larger = await power.with({ memory: '1GB' })(2, 4)
 */
export interface Remote<A extends unknown[], R> {
  /**
   * Runs it there. Calls made in one turn of the event loop travel together, as one array job. A job that is given as an
   * argument, also inside arrays and objects, is its value there: it is not waited for here.
   */
  (...args: ChainedList<A>): Job<R>
  (...args: A): Job<R>
  /**
   * Runs it for each item, as one array job. Inputs that come one by one, also without an end, go out in waves. The
   * results of another map are its items, too: none of them is waited for here.
   */
  map: MapFunction<A[0], R, Inputs<Chained<A[0]>> | JobArray<A[0]>>
  /** Like map, with a list of arguments for each call. */
  starmap: MapFunction<A, R, Inputs<ChainedList<A>>>
  /** Runs it here, as if farcall were not there. */
  local(...args: A): R | Promise<R>
  /** The same function with other options on top of its own. */
  with(options: ClusterOptions): Remote<A, R>
  /** The script that would be submitted. Nothing is sent. */
  script(...args: ChainedList<A>): Promise<string>
}

/**
 * `remote.map` and `remote.starmap`.
 * @example
 * import { cluster, type MapFunction } from 'farcall'
 *
 * const simulate = cluster({ targetTime: '5min' }, (seed: number) => Math.sin(seed))
 * const map: MapFunction<number, number> = simulate.map
 * console.log(await map.plan([1, 2, 3]))
 * const results = await map([1, 2, 3])
 */
export interface MapFunction<T, R, Given = Inputs<T>> {
  (items: Given, options?: MapOptions): JobArray<R>
  /**
   * What a map of so many items would be: its members, how long they are expected to take and where that is known from.
   * Nothing is sent; the scheduler is asked for its limits. Items are counted, not looked at; async ones are read to their end.
   * @throws (by rejecting) ConfigError, CaptureError, TransportError
   */
  plan(items: Given, options?: MapOptions): Promise<MapPlan>
}

/** What is marked: a function, where that was, and how. @internal */
export interface Target {
  readonly fn: (...args: never[]) => unknown
  readonly site: CallSite
  readonly options: ClusterOptions
  readonly method?: CaptureOptions['method']
  /** Of what is no function of the program. */
  readonly snapshot?: () => Snapshot
}

/** Calls made in this turn of the event loop, still open for more. Their jobs keep the handle, and nothing else of it. */
interface OpenGroup {
  readonly handle: Handle
  readonly snapshot: Snapshot
  readonly inputs: PackedInputs
}

const mostInGroup = 10_000

/**
 * What calls of one function made in this turn of the event loop have captured: where that is the same, groups with
 * other options share it. Ten thousand of them would hold most of what they need for it.
 */
class TurnSnapshot {
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

/** Calls of one target, with its options; remembers the group of calls that is still open. @internal */
export class Caller {
  readonly #target: Target
  /** What `this` is in a map; a call brings its own. */
  readonly #self: unknown
  readonly #turn: TurnSnapshot
  /** By how many submissions have to go before: a call that needs another one's value cannot travel with it. */
  readonly #open = new Map<number, OpenGroup>()
  #late: LateCalls | undefined

  constructor(target: Target, self?: unknown, turn = new TurnSnapshot()) {
    this.#target = target
    this.#self = self
    this.#turn = turn
  }

  /** Of a generator it is a JobStream. */
  call<R>(self: unknown, args: readonly unknown[], hide: Function): Job<R> {
    const { fn, options } = this.#target
    const callSite = siteOf(hide)
    try {
      const { signal, parallel } = splitOptions(options)
      const stream = windowOf(fn, options)
      if (evaluatesCells) {
        if (parallel) sayKept(fn.name || 'the function', 'Deno cannot look into it within the turn of a cell')
        this.#late ??= new LateCalls(
          () => this.#snapshot(),
          { options, stream },
          Boolean(splitOptions(options).cache),
        )
        const { handle, item } = this.#late.call(this.#input(self, args), callSite)
        const job = made<R>(fn, handle, item)
        if (signal) followSignal(signal, job, ended(handle))
        return job
      }
      const split = parallel && this.#split(self, args, parallel, callSite)
      if (split) {
        const job = new Job<R>(split.handle, split.item)
        tellOfCall(split.handle)
        if (signal) followSignal(signal, job, ended(split.handle))
        return job
      }
      const snapshot = this.#snapshot()
      const group = this.#join(snapshot, this.#input(self, args))
      const { submission } = group.handle
      const item = submission.add(callSite)
      // What it waits for may be waiting for this one, should more join it.
      if (submission.level === Number.POSITIVE_INFINITY) group.handle.seal()
      const job = made<R>(fn, group.handle, item)
      if (signal) followSignal(signal, job, ended(group.handle))
      return job
    } catch (error) {
      return refused(fn, callSite, error)
    }
  }

  map<R>(lists: Inputs<readonly unknown[]>, options: MapOptions, hide: Function): JobArray<R> {
    refuseMap(this.#target.fn, 'map')
    checkOptions(options, 'map')
    const callSite = siteOf(hide)
    const merged = { ...this.#target.options, ...options }
    const source = (): MapSource => ({
      snapshot: this.#snapshot(),
      input: (args) => this.#input(this.#self, args),
      options: merged,
      callSite,
    })
    const late = async () => {
      await readyForSnapshot()
      const made = source()
      requireUnchanged(made.snapshot.variables ?? [], callSite.stack)
      return made
    }
    const parts = startMap(evaluatesCells ? late : source, lists, merged)
    const array = new JobArray<R>(parts)
    tellOfMap(parts)
    watchProgress({
      parts,
      name: this.#target.fn.name || 'map',
      progress: () => parts.progress,
      onProgress: splitOptions(merged).onProgress,
    })
    const { signal } = splitOptions(merged)
    if (signal) followSignal(signal, array, parts.over)
    return array
  }

  async plan(items: Inputs<unknown>, options: MapOptions, where: string): Promise<MapPlan> {
    refuseMap(this.#target.fn, where)
    requireIterable(items, where)
    checkOptions(options, where)
    if (evaluatesCells) await readyForSnapshot()
    const snapshot = this.#snapshot()
    return planOnly(snapshot, { ...this.#target.options, ...options }, await countOf(items))
  }

  script(args: readonly unknown[]): Promise<string> {
    return evaluatesCells ? readyForSnapshot().then(() => this.#script(args)) : this.#script(args)
  }

  #script(args: readonly unknown[]): Promise<string> {
    const snapshot = this.#snapshot()
    new PackedInputs().add(snapshot, this.#input(this.#self, args), 'call')
    return renderOnly(newJobId(), snapshot, this.#target.options)
  }

  /** The call in pieces, when it has loops whose turns may run apart. */
  #split(self: unknown, args: readonly unknown[], parallel: 'auto' | 'strict', callSite: { stack?: string }) {
    const { options } = this.#target
    const snapshot = this.#snapshot(parallel)
    const { kept, split } = snapshot.loops!
    for (const { place, reason } of kept) sayKept(place, reason)
    if (!split) return undefined
    const call = callSplit({ snapshot, split, options, input: this.#input(self, args), callSite })
    if (!call) for (const { place } of split.plan.loops) sayKept(place, 'the call stages files')
    return call
  }

  #snapshot(parallel?: 'auto' | 'strict'): Snapshot {
    const { fn, site, method, snapshot } = this.#target
    if (snapshot) return snapshot()
    return takeSnapshot(fn, site, {
      cacheDir: cacheFolder(process.env, homedir()),
      ...(method ? { method } : {}),
      ...(parallel ? { parallel } : {}),
    })
  }

  #input(self: unknown, args: readonly unknown[]): { self?: unknown; args: readonly unknown[] } {
    const { method } = this.#target
    if (!method) return { args }
    // A static method that was taken off its class gets that class there.
    return method.isStatic && typeof self !== 'function' ? { args } : { self, args }
  }

  /** The group that a call travels with, with its input. */
  #join(snapshot: Snapshot, input: Input): OpenGroup {
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
    return new PackedInputs({ whole: splitOptions(this.#target.options).cache })
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
      const { fn, options } = this.#target
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

/** Makes the callable that users hold; of a method, with its `this`. @internal */
export function makeRemote<A extends unknown[], R>(
  target: Target,
  self?: unknown,
  turn = new TurnSnapshot(),
): Remote<A, R> {
  const caller = new Caller(target, self, turn)
  const remote = function remote(...args: A): Job<R> {
    return caller.call<R>(self, args, remote)
  } as Remote<A, R>
  const streams = isGenerator(target.fn)
  const withPlan = <T, Given extends Inputs<unknown>>(
    map: (items: Given, options?: MapOptions) => JobArray<R>,
    name: string,
  ) =>
    Object.defineProperty(map, 'plan', {
      value: (items: Given, options: MapOptions = {}) =>
        caller.plan(jobLists(items) ?? items, options, `${name}.plan`),
    }) as MapFunction<T, R, Given>
  const methods = {
    map: withPlan<A[0], Inputs<Chained<A[0]>> | JobArray<A[0]>>(
      (items, options = {}) => caller.map<R>(jobLists(items) ?? asLists(items), options, remote.map),
      'map',
    ),
    starmap: withPlan<A, Inputs<ChainedList<A>>>((lists, options = {}) => {
      requireIterable(lists, 'starmap')
      return caller.map<R>(lists, options, remote.starmap)
    }, 'starmap'),
    local: (...args: A) => {
      const run = () => Reflect.apply(target.fn, self, args)
      if (splitOptions(target.options).gather) return asLocalTask(() => alone(run())) as R | Promise<R>
      return (streams ? asLocalGenerator : asLocalTask)(run) as R | Promise<R>
    },
    with: (options: ClusterOptions) => {
      checkOptions(options, 'with')
      return makeRemote<A, R>({ ...target, options: mergeOptions(target.options, options) }, self, turn)
    },
    script: (...args: ChainedList<A>) => caller.script(args),
  }
  for (const [key, value] of Object.entries(methods)) Object.defineProperty(remote, key, { value })
  Object.defineProperty(remote, 'name', { value: target.fn.name, configurable: true })
  Object.defineProperty(remote, 'length', { value: target.fn.length, configurable: true })
  return remote
}

/** The values of all ranks, where there is one. */
const alone = (value: unknown) => (value instanceof Promise ? value.then((one) => [one]) : [value])

/** Of a map, the job of each item as a list of one argument: at once, where all are known; else when they are. */
function jobLists(array: object): Inputs<[Job<unknown>]> | undefined {
  const parts = partsOf(array)
  if (!parts) return undefined
  // Its failure is told by what needs the items.
  quiet(array as Promise<unknown>)
  const lists = (): [Job<unknown>][] =>
    parts.items.map(({ handle, item }) => {
      const job = new Job<unknown>(handle, item)
      quiet(job)
      return [job]
    })
  parts.isAwaited = true
  if (parts.isComplete) return lists()
  return (async function* () {
    await parts.complete
    yield* lists()
  })()
}

function siteOf(hide: Function): { stack?: string } {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, hide)
  return holder
}

/** A job that could not even be sent: the error is its outcome. */
function refused<R>(fn: Function, callSite: { stack?: string }, error: unknown): Job<R> {
  const submission = new Submission(newJobId())
  const item: Item = submission.add(callSite)
  submission.abandon(error, { state: 'FAILED', reason: 'submit-failed' })
  const session = Promise.reject(error)
  session.catch(ignoreRejection)
  return made<R>(fn, { submission, session, seal: alreadySealed }, item)
}

function made<R>(fn: Function, handle: Handle, item: Item): Job<R> {
  return isGenerator(fn) ? (new JobStream(handle, item) as unknown as Job<R>) : new Job<R>(handle, item)
}

function followSignal(
  signal: AbortSignal,
  job: Job<unknown> | JobArray<unknown>,
  ended: Promise<void>,
): void {
  const cancel = () => {
    job
      .cancel(signal.reason)
      .catch((error) => process.emitWarning(`farcall: cancel failed: ${String(error)}`))
  }
  if (signal.aborted) {
    cancel()
    return
  }
  signal.addEventListener('abort', cancel, { once: true })
  // Not by the job's own promise: a failure that nobody awaits would then count as handled.
  void ended.then(() => signal.removeEventListener('abort', cancel))
}

/** Resolves when it is over, or was not even sent. */
function ended({ submission, session }: Handle): Promise<void> {
  return new Promise((resolve) => {
    void submission.over.promise.then(resolve)
    session.catch(() => resolve())
  })
}
