import type { Command, CommandResult } from '../core/shell.ts'
import { wrapTransports } from '../executor/open.ts'
import type { ExecOptions, FileStat, FileToPut, Pipe, Transport } from '../transport/transport.ts'

/**
 * What is called around each operation on a place, with its number from 1, its name, and the words of a command. What
 * it throws, the operation does.
 */
export interface Faults {
  before?(number: number, operation: string, argv: readonly string[]): void | Promise<void>
  /** It is on its way, and its answer has not been read. */
  during?(number: number, operation: string, argv: readonly string[]): void | Promise<void>
  after?(number: number, operation: string, argv: readonly string[]): void | Promise<void>
}

/** A transport that calls back around each operation: to kill the process there, to fail, to be slow. */
export class ObservedTransport implements Transport {
  readonly #inner: Transport
  readonly #faults: Faults
  #count = 0

  constructor(inner: Transport, faults: Faults) {
    this.#inner = inner
    this.#faults = faults
  }

  get name(): string {
    return this.#inner.name
  }

  get concurrency(): number {
    return this.#inner.concurrency
  }

  get roundTrips(): number {
    return this.#inner.roundTrips
  }

  open(): Promise<void> {
    return this.#inner.open()
  }

  async #observe<T>(operation: string, work: () => Promise<T>, argv: readonly string[] = []): Promise<T> {
    const number = ++this.#count
    await this.#faults.before?.(number, operation, argv)
    const working = work()
    // Awaited after `during`.
    working.catch(() => {})
    await this.#faults.during?.(number, operation, argv)
    const result = await working
    await this.#faults.after?.(number, operation, argv)
    return result
  }

  exec(command: Command, options?: ExecOptions): Promise<CommandResult> {
    return this.#observe('exec', () => this.#inner.exec(command, options), command.argv)
  }

  pipe<T>(argv: readonly string[], use: (pipe: Pipe) => Promise<T>): Promise<T> {
    return this.#observe('pipe', () => this.#inner.pipe(argv, use), argv)
  }

  put(files: readonly FileToPut[]): Promise<void> {
    return this.#observe('put', () => this.#inner.put(files))
  }

  get(path: string, range?: { from: number; length?: number }): Promise<Uint8Array | undefined> {
    return this.#observe('get', () => this.#inner.get(path, range))
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#observe('list', () => this.#inner.list(directory))
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#observe('stat', () => this.#inner.stat(path))
  }

  remove(paths: readonly string[]): Promise<void> {
    return this.#observe('remove', () => this.#inner.remove(paths))
  }

  ref(): void {
    this.#inner.ref()
  }

  unref(): void {
    this.#inner.unref()
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]()
  }
}

/**
 * Has all calls of this process go through an ObservedTransport; before the first call.
 * @example
 * import { injectFaults } from 'farcall/testing'
 *
 * injectFaults({ before: (number, operation) => console.log(number, operation) })
 */
export function injectFaults(faults: Faults): void {
  wrapTransports((transport) => new ObservedTransport(transport, faults))
}
