/** Runs items of localMap in a thread of a job, or of a plain program. */
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { makeTask, taskKey } from '../src/core/task.ts'
import type { FromThread, ThreadData, ToThread } from '../src/threads/messages.ts'
import { moved, pack, unpack } from '../src/threads/packet.ts'
import { readPlace } from './arguments.ts'
import { importBundle, readArguments } from './bundle.ts'
import { elsewhereIn } from './elsewhere.ts'
import { provideFiles } from './files.ts'
import { decodeWith, encodeItemResult, encodeThrown } from './values.ts'

type Begin = Extract<ToThread, { kind: 'begin' }>
type Fn = (item: unknown) => unknown

/** Where the stub of a bundle finds what runs localMap: see src/capture/stub.ts. */
export const threadsKey = Symbol.for('farcall.threads')

export function isThread(): boolean {
  return (workerData as Partial<ThreadData> | null)?.farcall === 'thread'
}

export function runThread(): void {
  const { bundle: path, place, blobs, current } = workerData as ThreadData
  const elsewhere = elsewhereIn(blobs)
  const port = parentPort!
  let bundle: BundleModule | undefined
  let begun: { fn: Fn; begin: Begin } | undefined
  const tell = (message: FromThread, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)
  const fail = (error: unknown) =>
    tell({ kind: 'failed', index: Atomics.load(current, 0), error: encodeThrown(bundle, error) })

  const exit = process.exit
  process.exit = function patched(code?: number | string | null): never {
    const here: { stack?: string } = {}
    Error.captureStackTrace(here, patched)
    const number = Number(code ?? process.exitCode ?? 0)
    tell({ kind: 'exit', index: Atomics.load(current, 0), code: number, stack: here.stack ?? '' })
    return exit.call(process, number)
  }
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') === 1) fail(error)
  })
  // The job's log is a file: what the thread writes is in it even if the thread ends at once.
  if (place) {
    writeDirectly(process.stdout, 1)
    writeDirectly(process.stderr, 2)
  }

  const load = async (): Promise<BundleModule> => {
    if (bundle) return bundle
    if (place) provideFiles()
    const loaded = await importBundle(path)
    // Those of a plain program come with each call.
    if (place) {
      const { values } = readArguments(readPlace(place), 0, 0)
      loaded.setValues(() => decodeWith(loaded, values, elsewhere))
    }
    bundle = loaded
    return loaded
  }

  const begin = async (message: Begin): Promise<void> => {
    begun = undefined
    Atomics.store(current, 0, -1)
    setTask(message, -1)
    const loaded = await load()
    const { values, shared } = message
    if (values) loaded.setValues(() => decodeWith(loaded, values, elsewhere, shared))
    let fn: unknown = loaded.main
    if (message.fn) {
      const [given] = unpack(message.fn, (bytes, shared) => decodeWith(loaded, bytes, elsewhere, shared)) as [
        { fn: Fn; state: Record<string, unknown> | undefined },
      ]
      if (given.state) loaded.setState?.(given.state)
      fn = given.fn
    }
    begun = { fn: fn as Fn, begin: message }
  }

  const run = async ({ from, items }: Extract<ToThread, { kind: 'run' }>): Promise<void> => {
    if (!bundle || !begun) return
    const started = performance.now()
    const loaded = bundle
    const { fn } = begun
    const values = unpack(items, (bytes, shared) => decodeWith(loaded, bytes, elsewhere, shared))
    const results: unknown[] = []
    for (const [at, item] of values.entries()) {
      Atomics.store(current, 0, from + at)
      setTask(begun.begin, from + at)
      const result = fn(item)
      results.push(typeof result === 'object' && result !== null ? await result : result)
    }
    const packet = pack(results, (value, at, shared) => {
      Atomics.store(current, 0, from + at)
      return encodeItemResult(loaded, value, from + at, shared, place !== undefined)
    })
    Atomics.store(current, 0, -1)
    tell({ kind: 'done', from, results: packet, milliseconds: performance.now() - started }, moved(packet))
  }

  let last: Promise<void> = Promise.resolve()
  port.on('message', (message: ToThread) => {
    last = last.then(() => (message.kind === 'begin' ? begin(message) : run(message))).catch(fail)
  })
}

function setTask({ facts, seed }: Begin, index: number): void {
  if (facts)
    Reflect.set(
      globalThis,
      taskKey,
      makeTask(facts, () => {}, [...seed, index]),
    )
  else Reflect.deleteProperty(globalThis, taskKey)
}

function writeDirectly(stream: NodeJS.WriteStream, fd: number): void {
  stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : undefined
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    const done = rest.find((one) => typeof one === 'function') as (() => void) | undefined
    if (done) queueMicrotask(done)
    return true
  }) as typeof stream.write
}
