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
import { ignoreRejection } from '../core/rejections.ts'
import { CallGroups, TurnSnapshot } from './call-groups.ts'
import { ended, followSignal } from './follow-signal.ts'
import { isGenerator, refuseMap, windowOf } from './generators.ts'
import { Job } from './job/job.ts'
import { JobArray } from './job/job-array.ts'
import { JobStream } from './job/job-stream.ts'
import { LateCalls } from './late-calls.ts'
import { callSplit, sayKept } from './loops/loops.ts'
import { type MapSource, startMap } from './map/map.ts'
import { tellOfCall, tellOfMap } from './notify/tell-of.ts'
import { checkOptions } from './options/check-options.ts'
import type { ClusterOptions, MapOptions } from './options/options.ts'
import { splitOptions } from './options/split-options.ts'
import { countOf, type Inputs, requireIterable } from './payload/inputs.ts'
import { watchProgress } from './progress/watch.ts'
import { alreadySealed, type Handle } from './submission/handle.ts'
import type { Item } from './submission/item.ts'
import { Submission } from './submission/submission.ts'
import { planOnly, renderOnly } from './submit/dispatch.ts'
import type { MapPlan } from './submit/map-plan.ts'
import { PackedInputs } from './submit/packed-inputs.ts'

/** What is marked: a function, where that was, and how. @internal */
export interface Target {
  readonly fn: (...args: never[]) => unknown
  readonly site: CallSite
  readonly options: ClusterOptions
  readonly method?: CaptureOptions['method']
  /** Of what is no function of the program. */
  readonly snapshot?: () => Snapshot
}

/** Calls of one target, with its options. @internal */
export class Caller {
  readonly #target: Target
  /** What `this` is in a map; a call brings its own. */
  readonly #self: unknown
  readonly #groups: CallGroups
  #late: LateCalls | undefined

  constructor(target: Target, self?: unknown, turn = new TurnSnapshot()) {
    this.#target = target
    this.#self = self
    this.#groups = new CallGroups(target, turn)
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
      const group = this.#groups.join(snapshot, this.#input(self, args))
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
