import type { Reference } from '../src/codec/types.ts'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { CaptureError } from '../src/core/errors.ts'
import { type Task, type TaskFacts, taskKey } from '../src/core/task.ts'
import { checkLocalMap, type LocalMapOptions, readItems } from '../src/threads/options.ts'
import { pack } from '../src/threads/packet.ts'
import { ThreadPool } from '../src/threads/pool.ts'
import type { ReadElsewhere } from './elsewhere.ts'
import { threadsKey } from './thread.ts'
import { decodeWith, encodeForThread } from './values.ts'

interface Closure {
  readonly id: string
  captures(): Record<string, unknown>
}

/** Has the bundle's localMap spread its items over threads of this process. */
export function offerThreads(
  bundle: BundleModule,
  path: string,
  place: readonly string[],
  elsewhere: ReadElsewhere,
): void {
  let pool: ThreadPool | undefined
  let calls: { task: unknown; count: number } | undefined

  const localMap = async (items: unknown, fn: unknown, options: LocalMapOptions = {}): Promise<unknown[]> => {
    checkLocalMap(items, fn, options)
    const task = Reflect.get(globalThis, taskKey) as Task
    if (calls?.task !== task) calls = { task, count: 0 }
    const call = calls.count++
    const { random: _, progress: __, ...facts } = task
    const { concurrency = facts.cores } = options
    // Taken at the call: what changes later is not seen.
    const given = { fn, state: bundle.getState?.() }
    const write = (value: unknown, root: string, shared: SharedArrayBuffer[]) =>
      encodeForThread(bundle, value, root, shared, (object) => referTo(bundle, object))
    const begin = {
      kind: 'begin',
      fn: naming(() => pack([given], (value, _index, shared) => write(value, 'localMap', shared))),
      facts: facts satisfies TaskFacts,
      seed: ['localMap', call],
    } as const
    pool ??= new ThreadPool({
      file: process.argv[1]!,
      data: { bundle: path, place, blobs: `${place[0]}/blobs` },
      memory: facts.memory,
    })
    return pool.run({
      items: await readItems(items),
      concurrency,
      begin,
      write: (value, index, shared) => write(value, `items[${index}]`, shared),
      read: (bytes, shared) => decodeWith(bundle, bytes, elsewhere, shared),
      readError: (bytes) => decodeWith(bundle, bytes, elsewhere),
    })
  }
  Reflect.set(globalThis, threadsKey, localMap)
}

/** "localMap.fn.socket: why" becomes "localMap: captured 'socket': why", as capture says it. */
function naming<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error
    const [first = ''] = error.message.split('\n')
    const [, name, rest] =
      /^localMap\.(?:fn|state(?:\.[\w$]+|\["[^"]*"\]))\.([\p{ID_Continue}$]+)(.*)$/u.exec(first) ?? []
    const words =
      name === undefined
        ? first.replace(/^localMap\.fn: /, 'localMap: ')
        : `localMap: captured '${name}'${rest}`
    throw new CaptureError('CAPTURE_REFUSED', words, error.hint === undefined ? {} : { hint: error.hint })
  }
}

const closures = (): WeakMap<object, Closure> | undefined =>
  Reflect.get(globalThis, Symbol.for('farcall.closures')) as WeakMap<object, Closure> | undefined

/** A function of the bundle, or one that capture has marked, or that came as a value. */
function referTo(bundle: BundleModule, object: object): Reference | undefined {
  if (typeof object !== 'function') return undefined
  const closure = closures()?.get(object)
  if (closure)
    return {
      kind: 'instance',
      id: closure.id,
      fields: closure.captures(),
      privates: { ...(object as object) },
    }
  const id = bundle.identify(object, true) ?? builtinOf(object)
  return id === undefined ? undefined : { kind: 'function', id }
}

/** `Math.sqrt`, `Number`: the same in every thread. */
function builtinOf(fn: object): string | undefined {
  for (const name of ['Math', 'Number', 'String', 'JSON', 'Object', 'Array', 'Date', 'Atomics', 'Reflect']) {
    const owner = Reflect.get(globalThis, name) as object
    if (owner === fn) return `g:${name}`
    for (const key of Object.getOwnPropertyNames(owner))
      if (key !== 'prototype' && Reflect.get(owner, key) === fn) return `g:${name}.${key}`
  }
  for (const name of ['Boolean', 'BigInt', 'parseFloat', 'parseInt', 'isNaN', 'isFinite', 'structuredClone'])
    if (Reflect.get(globalThis, name) === fn) return `g:${name}`
  return undefined
}
