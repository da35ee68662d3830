import { quiet } from '../core/rejections.ts'
import { TurnSnapshot } from './call-groups.ts'
import { Caller, type Target } from './caller.ts'
import type { Chained, ChainedList } from './chained.ts'
import { isGenerator } from './generators.ts'
import { asLocalGenerator, asLocalTask } from './in-job/task.ts'
import { Job } from './job/job.ts'
import { type JobArray, partsOf } from './job/job-array.ts'
import { checkOptions } from './options/check-options.ts'
import { mergeOptions } from './options/merge-options.ts'
import type { ClusterOptions, MapOptions } from './options/options.ts'
import { splitOptions } from './options/split-options.ts'
import { asLists, type Inputs, requireIterable } from './payload/inputs.ts'
import type { MapPlan } from './submit/map-plan.ts'

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
