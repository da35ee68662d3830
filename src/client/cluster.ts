import { noteImports } from '../capture/snapshot.ts'
import { CaptureError, ConfigError } from '../core/errors.ts'
import { Caller, type Target } from './caller.ts'
import { checkOptions } from './options/check-options.ts'
import type { ClusterOptions, GatheredOptions } from './options/options.ts'
import { makeRemote, type Remote } from './remote.ts'
import type { RemoteStream, Streamed } from './remote-stream.ts'

/**
 * The Remote of a plain function, or the RemoteStream of a generator function.
 * @example
 * import { cluster, type RemoteOf } from 'farcall'
 *
 * function square(n: number) { return n * n }
 * const remote: RemoteOf<typeof square> = cluster(square) // Remote<[n: number], number>
 */
export type RemoteOf<F extends Function> = F extends (...args: infer A) => infer R
  ? Streamed<R> extends [infer Y, infer T]
    ? RemoteStream<A, Y, T>
    : Remote<A, Awaited<R>>
  : never

/**
 * The Remote of a function with `gather: 'all'`: its value is an array, with that of each rank.
 * @example
 * import { cluster, type GatheredOf } from 'farcall'
 *
 * function square(n: number) { return n * n }
 * const remote: GatheredOf<typeof square> = cluster({ tasksPerNode: 2, gather: 'all' }, square) // Remote<[n: number], number[]>
 */
export type GatheredOf<F extends Function> = F extends (...args: infer A) => infer R
  ? Remote<A, Awaited<R>[]>
  : never

/** What a marked method gives is still what it is declared to give: a stream is an AsyncGenerator that is sent nothing. */
type Given = Promise<unknown> | AsyncGenerator<unknown, unknown, undefined>

/**
 * What `cluster(options)` gives: a decorator of a method, in the standard's dialect and in that of experimentalDecorators.
 * The method must be declared to return a promise, or an AsyncGenerator, since that is what it gives from then on.
 */
export interface ClusterDecorator {
  // biome-ignore lint/suspicious/noExplicitAny: any method may be marked
  <This, F extends (this: This, ...args: any[]) => Given>(
    method: F,
    context: ClassMethodDecoratorContext<This, F>,
  ): F
  // biome-ignore lint/suspicious/noExplicitAny: any method may be marked
  <F extends (...args: any[]) => Given>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<F>,
  ): TypedPropertyDescriptor<F> | undefined
}

/** Where farcall keeps what it knows of a marked function, across copies of the library. @internal */
export const targetSymbol = Symbol.for('farcall.target')

/**
 * Marks a function to run on the cluster: as a decorator of a method, or around a plain function.
 * What the function needs (variables around it, modules, packages) goes along.
 *
 * `time` is '2h' or a number of seconds, `memory` '16GB' or a number of bytes.
 *
 * A call rejects with what the function threw, and for everything else with a FarcallError: CaptureError for what
 * cannot go along, TransportError, SubmitError, JobFailedError, JobCanceledError, ResultError.
 *
 * @throws ConfigError OPTION_UNKNOWN, OPTION_INVALID, UNIT_INVALID for options that cannot be used
 * @example
 * import { cluster } from 'farcall'
 *
 * class Study {
 *   \@cluster({ cores: 2, memory: '1GB', time: '10m' })
 *   static async simulate(seed: number) {
 *     return Math.sin(seed)
 *   }
 * }
 * console.log(await Study.simulate(42))
 * @example
 * import { cluster } from 'farcall'
 *
 * const simulate = cluster({ memory: '1GB' }, (seed: number) => Math.sin(seed))
 * const results = await simulate.map([1, 2, 3])
 */
// Function, not a type of call: that would give parameters without a type one, and lose it for those with a default.
export function cluster<F extends Function>(options: GatheredOptions, fn: F): GatheredOf<F>
export function cluster<F extends Function>(options: ClusterOptions, fn: F): RemoteOf<F>
export function cluster<F extends Function>(fn: F): RemoteOf<F>
export function cluster(options?: ClusterOptions): ClusterDecorator
export function cluster(...args: unknown[]): unknown {
  const site = new Error().stack ?? ''
  noteImports()
  const [first, second] = args
  if (typeof first === 'function')
    return isDecoration(args) ? decorate({}, site, args) : wrap({}, first, site)
  const options = first === undefined ? {} : first
  checkOptions(options, 'cluster')
  if (args.length < 2) {
    if ('gather' in options)
      throw new ConfigError('OPTION_INVALID', 'gather: a marked method gives what it is declared to give', {
        hint: "wrap a function: cluster({ gather: 'all', tasksPerNode: 4 }, (seed: number) => Study.simulate(seed))",
      })
    return (...decorated: unknown[]) => decorate(options, site, decorated)
  }
  if (typeof second !== 'function')
    throw new ConfigError(
      'OPTION_INVALID',
      `cluster: expected a function after the options, got ${typeof second}`,
      {
        hint: 'cluster(options, fn), or @cluster(options) on a method',
      },
    )
  return wrap(options, second, site)
}

function wrap(options: ClusterOptions, fn: Function, site: string): Remote<unknown[], unknown> {
  const target: Target = { fn: fn as Target['fn'], site, options }
  const remote = makeRemote<unknown[], unknown>(target)
  Object.defineProperty(remote, targetSymbol, { value: target })
  return remote
}

function isDecoration(args: readonly unknown[]): boolean {
  return isContext(args[1]) || args.length === 3
}

function isContext(value: unknown): value is ClassMethodDecoratorContext {
  return typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string'
}

/** Both dialects: TC39 hands a method and its context, the legacy one target, key and descriptor. */
function decorate(options: ClusterOptions, site: string, args: readonly unknown[]): unknown {
  const [first, second, third] = args
  if (isContext(second)) {
    const { kind, name } = second
    if (kind !== 'method') throw notAMethod(kind, name)
    if (second.private)
      throw refusedMethod(name, 'is private', 'make it public, or call it from a public method')
    return replacement(first as Target['fn'], { name, isStatic: second.static }, options, site)
  }
  const name = second as string | symbol
  const descriptor = third as PropertyDescriptor | undefined
  if (typeof descriptor?.value !== 'function') throw notAMethod(descriptor?.get ? 'getter' : 'field', name)
  const method = { name, isStatic: typeof first === 'function' }
  descriptor.value = replacement(descriptor.value as Target['fn'], method, options, site)
  return descriptor
}

function replacement(
  fn: Target['fn'],
  method: { name: string | symbol; isStatic: boolean },
  options: ClusterOptions,
  site: string,
) {
  const target: Target = { fn, site, options, method }
  const caller = new Caller(target)
  const marked = function (this: unknown, ...args: unknown[]) {
    return caller.call(this, args, marked)
  }
  Object.defineProperty(marked, 'name', { value: fn.name, configurable: true })
  Object.defineProperty(marked, 'length', { value: fn.length, configurable: true })
  Object.defineProperty(marked, targetSymbol, { value: target })
  return marked
}

function notAMethod(kind: string, name: string | symbol): CaptureError {
  return refusedMethod(name, `is a ${kind}`, 'put @cluster on a method, or use cluster(options, fn)')
}

function refusedMethod(name: string | symbol, why: string, hint: string): CaptureError {
  return new CaptureError('CAPTURE_REFUSED', `@cluster on ${String(name)}: it ${why}`, { hint })
}
