import { CaptureError } from '../core/errors.ts'
import type { Target } from './caller.ts'
import { targetSymbol } from './cluster.ts'
import { makeRemote, type Remote } from './remote.ts'
import type { RemoteStream } from './remote-stream.ts'

/** The Remote of a method that is declared to return a promise, or the RemoteStream of one that yields. */
export type RemoteMethod<F> = F extends (...args: infer A) => Promise<infer R>
  ? Remote<A, R>
  : F extends (...args: infer A) => AsyncGenerator<infer Y, infer R, undefined>
    ? RemoteStream<A, Y, R>
    : never

/**
 * All that a wrapped function has (map, with, local, script) for a method marked with `@cluster`.
 * With an object (or a class, for a static method) and a name, `this` is that object; a static method alone gets
 * its class there.
 *
 * @throws CaptureError CAPTURE_REFUSED when the method is not marked
 * @example
 * import { cluster, remote } from 'farcall'
 *
 * class Study {
 *   \@cluster({ time: '10m' })
 *   static async simulate(seed: number) {
 *     return Math.sin(seed)
 *   }
 * }
 * const results = await remote(Study.simulate).map([1, 2, 3])
 */
export function remote<
  F extends (...args: never[]) => Promise<unknown> | AsyncGenerator<unknown, unknown, undefined>,
>(method: F): RemoteMethod<F>
export function remote<T extends object, K extends keyof T>(object: T, name: K): RemoteMethod<T[K]>
export function remote(owner: unknown, name?: PropertyKey): unknown {
  const method = name === undefined ? owner : Reflect.get(Object(owner), name)
  const target =
    typeof method === 'function' ? (Reflect.get(method, targetSymbol) as Target | undefined) : undefined
  if (!target)
    throw new CaptureError(
      'CAPTURE_REFUSED',
      `remote: ${name === undefined ? 'what was given' : String(name)} is not marked with @cluster`,
      { hint: 'put @cluster() on the method, or use cluster(options, fn)' },
    )
  return makeRemote(target, name === undefined ? undefined : owner)
}
