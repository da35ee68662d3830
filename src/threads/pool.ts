import { setFlagsFromString } from 'node:v8'
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { FarcallError } from '../core/errors.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'
import { moved, type Packet, pack, type Read, unpack, type Write } from './packet.ts'

export interface PoolOptions {
  /** The program of a worker. */
  readonly file: string | URL
  readonly data: Omit<ThreadData, 'current' | 'farcall'>
  /** Bytes that the threads may use together with this one; undefined: no limit but Node's own. */
  readonly memory: number | undefined
}

export interface ThreadCall {
  readonly items: readonly unknown[]
  readonly concurrency: number
  /** What a thread must know before it runs an item. */
  readonly begin: Extract<ToThread, { kind: 'begin' }>
  readonly write: Write
  readonly read: Read
  /** What an item threw. */
  readonly readError: (bytes: Uint8Array) => unknown
}

/** Items that run together take about this long: what a message costs is then little, and the end is even. */
const batchMs = 20

/** Worker threads that stay for the next call, which is one call at a time. */
export class ThreadPool {
  readonly #options: PoolOptions
  readonly #idle: Thread[] = []
  #last: Promise<unknown> = Promise.resolve()
  #calls = 0

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** The results in the order of the items. The first failure ends the threads that still run an item. */
  run(call: ThreadCall): Promise<unknown[]> {
    this.#calls++
    const running = this.#last.then(() => this.#run(call)).finally(() => this.#calls--)
    this.#last = running.catch(() => undefined)
    return running
  }

  /** No call uses it. */
  get isResting(): boolean {
    return this.#calls === 0
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((thread) => thread.end()))
  }

  #run(call: ThreadCall): Promise<unknown[]> {
    const count = Math.min(call.concurrency, call.items.length)
    const threads = Array.from({ length: count }, () => this.#idle.pop() ?? this.#start(call.concurrency))
    return new Promise((resolve, reject) => {
      const running = new Run(call, threads, async (error?: Failure) => {
        const stopped = threads.filter((thread) => thread.isBusy || thread.isGone)
        for (const thread of threads) if (!stopped.includes(thread)) this.#rest(thread)
        await Promise.all(stopped.map((thread) => thread.end()))
        if (error) reject(error.reason)
        else resolve(running.results)
      })
      running.start()
    })
  }

  #rest(thread: Thread): void {
    thread.rest()
    this.#idle.push(thread)
  }

  #start(threads: number): Thread {
    const { file, data, memory } = this.#options
    let resourceLimits: ResourceLimits = {}
    if (memory !== undefined) {
      // As a flag it would hold for each thread, whatever its own limit; this thread's heap has it already.
      setFlagsFromString('--max-old-space-size=0')
      const share = Math.floor(((memory / 2 ** 20) * 0.85) / (threads + 1))
      resourceLimits = { maxOldGenerationSizeMb: Math.max(share, 16) }
    }
    return new Thread(file, data, resourceLimits)
  }
}

/** One call, while it runs. */
class Run {
  readonly results: unknown[]
  readonly #call: ThreadCall
  readonly #threads: readonly Thread[]
  readonly #over: (error?: Failure) => void
  #next = 0
  #done = 0
  #isOver = false
  /** Of one item, as far as is known. */
  #milliseconds: number | undefined

  constructor(call: ThreadCall, threads: readonly Thread[], over: (error?: Failure) => void) {
    this.#call = call
    this.#threads = threads
    this.#over = over
    this.results = new Array(call.items.length)
  }

  start(): void {
    if (this.#call.items.length === 0) this.#end()
    for (const thread of this.#threads) {
      this.#attempt(() => {
        thread.begin(this.#call.begin, {
          message: (message) => this.#hear(thread, message),
          gone: (how) => this.#gone(thread, how),
        })
        this.#feed(thread)
      })
    }
  }

  /** Short items go ahead of what runs, so that a thread never waits for the next; long ones are dealt when one is free. */
  #feed(thread: Thread): void {
    const { items, write } = this.#call
    while (!this.#isOver && this.#next < items.length && thread.outstanding < this.#depth()) {
      const from = this.#next
      const size = this.#size()
      this.#next = Math.min(items.length, from + size)
      const some = items.slice(from, this.#next)
      const packet = pack(some, (value, at, shared) => write(value, from + at, shared))
      thread.send({ kind: 'run', from, items: packet }, packet)
    }
  }

  #depth(): number {
    return this.#milliseconds !== undefined && this.#milliseconds < batchMs / 4 ? 2 : 1
  }

  #size(): number {
    if (this.#milliseconds === undefined) return 1
    const rest = this.#call.items.length - this.#next
    const even = Math.ceil(rest / (2 * this.#threads.length))
    return Math.max(1, Math.min(even, Math.floor(batchMs / Math.max(this.#milliseconds, 0.001))))
  }

  #hear(thread: Thread, message: FromThread): void {
    if (this.#isOver) return
    if (message.kind === 'exit') this.#end({ reason: exited(message.index, message.code, message.stack) })
    else if (message.kind === 'failed')
      this.#attempt(() => {
        throw withIndex(this.#call.readError(message.error), message.index)
      })
    else
      this.#attempt(() => {
        thread.outstanding--
        const values = unpack(message.results, this.#call.read)
        for (const [at, value] of values.entries()) this.results[message.from + at] = value
        this.#done += values.length
        this.#milliseconds = message.milliseconds / values.length
        if (this.#done === this.results.length) this.#end()
        else this.#feed(thread)
      })
  }

  #gone(thread: Thread, how: Gone): void {
    if (this.#isOver) return
    const { index } = thread
    if (how.error && (how.error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY')
      this.#end({ reason: outOfMemory(index, thread.megabytes, how.error) })
    else if (how.error) this.#end({ reason: withIndex(how.error, index) })
    else this.#end({ reason: exited(index, how.code) })
  }

  #attempt(work: () => void): void {
    try {
      work()
    } catch (reason) {
      this.#end({ reason })
    }
  }

  #end(error?: Failure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#over(error)
  }
}

interface Failure {
  readonly reason: unknown
}

interface Gone {
  readonly code: number
  readonly error?: unknown
}

interface Listener {
  message(message: FromThread): void
  gone(how: Gone): void
}

/** One worker thread. */
class Thread {
  outstanding = 0
  readonly megabytes: number | undefined
  readonly #worker: Worker
  readonly #current: Int32Array
  #listener: Listener | undefined
  #gone: Gone | undefined

  constructor(file: string | URL, data: PoolOptions['data'], resourceLimits: ResourceLimits) {
    this.#current = new Int32Array(new SharedArrayBuffer(4)).fill(-1)
    const workerData: ThreadData = { farcall: 'thread', ...data, current: this.#current }
    this.megabytes = resourceLimits.maxOldGenerationSizeMb
    // Loaders of the program's are not for a bundle.
    this.#worker = new Worker(file, { workerData, resourceLimits, execArgv: [] })
    this.#worker.on('message', (message: FromThread) => this.#listener?.message(message))
    let error: unknown
    this.#worker.on('error', (reason) => {
      error = reason
    })
    this.#worker.on('exit', (code) => {
      this.#gone = { code, ...(error === undefined ? {} : { error }) }
      this.#listener?.gone(this.#gone)
    })
  }

  /** The item that it runs, or ran last. */
  get index(): number {
    return Atomics.load(this.#current, 0)
  }

  get isBusy(): boolean {
    return this.outstanding > 0
  }

  get isGone(): boolean {
    return this.#gone !== undefined
  }

  /** The message is copied: each thread gets it. */
  begin(message: ToThread, listener: Listener): void {
    this.#listener = listener
    this.#worker.ref()
    if (this.#gone) listener.gone(this.#gone)
    else this.#worker.postMessage(message)
  }

  send(message: ToThread, packet: Packet): void {
    this.outstanding++
    this.#worker.postMessage(message, moved(packet))
  }

  /** It waits for the next call, and keeps no program from ending. */
  rest(): void {
    this.#listener = undefined
    this.#worker.unref()
  }

  async end(): Promise<void> {
    this.#listener = undefined
    await this.#worker.terminate()
  }
}

/** @internal */
export function withIndex(reason: unknown, index: number): unknown {
  if (
    index >= 0 &&
    typeof reason === 'object' &&
    reason !== null &&
    Object.isExtensible(reason) &&
    !('index' in reason)
  )
    Object.defineProperty(reason, 'index', { value: index, enumerable: true, configurable: true })
  return reason
}

const inItem = (index: number) => (index < 0 ? '' : ` in item ${index}`)

function exited(index: number, code: number, stack = ''): unknown {
  const what = stack ? `process.exit(${code}) was called` : `its thread ended with exit code ${code}`
  const error = new FarcallError('THREAD_ENDED', `localMap: ${what}${inItem(index)}`, {
    hint: 'throw an error instead: a thread cannot end the job',
  })
  const frames = stack.split('\n').slice(1).join('\n')
  if (frames) error.stack = `${error.name}: ${error.message}\n${frames}`
  return withIndex(error, index)
}

function outOfMemory(index: number, megabytes: number | undefined, cause: unknown): unknown {
  const limit =
    megabytes === undefined ? "Node's own limit" : `${megabytes} MB, its part of the memory granted`
  return withIndex(
    new FarcallError('THREAD_ENDED', `localMap: the heap of its thread is full${inItem(index)} (${limit})`, {
      cause,
      hint: 'ask for more memory, or give localMap a lower concurrency: threads share it evenly',
    }),
    index,
  )
}
