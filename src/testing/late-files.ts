import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command, CommandResult } from '../core/shell.ts'
import { wrapTransports } from '../executor/open.ts'
import type { ExecOptions, FileStat, FileToPut, Pipe, Transport } from '../transport/transport.ts'

/** How a shared folder lags behind. */
export interface Lag {
  /** The absolute path where jobs write, as the profile's `workdir` says. */
  readonly workdir: string
  /** An empty folder: what the client sees of it. */
  readonly view: string
  /** Milliseconds until a file is seen, or seen changed; by its path within the work folder, where they differ. */
  readonly delayMs: number | ((path: string) => number)
  /** A file is seen with size 0 for half of that time. */
  readonly emptyFirst?: boolean
}

/** What jobs leave; all else the client writes itself, and sees at once. */
const left = /^(jobs\/[^/]+\/run\.|inbox\/[^/]+\/[^.])/

/**
 * What a job has written comes late to the client, as a network filesystem may show it: a mirror copies it into the
 * view. Submissions and queries go where they went; what looks for results looks into the view.
 */
class LateTransport implements Transport {
  readonly #inner: Transport
  readonly #lag: Lag
  /** Changes that are not seen yet: the file's state, and since when it is so. */
  readonly #pending = new Map<string, { state: string; since: number }>()
  readonly #shown = new Map<string, string>()
  readonly #timer: NodeJS.Timeout

  constructor(inner: Transport, lag: Lag) {
    this.#inner = inner
    this.#lag = lag
    this.#timer = setInterval(() => this.#tick(), 50).unref()
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

  async exec(command: Command, options?: ExecOptions): Promise<CommandResult> {
    const { workdir, view } = this.#lag
    // The submission, the probe and the cleaner work on the folder itself.
    const [, , script = ''] = command.argv
    const isOfClient = !/^umask 077$/m.test(script)
    const seen = (word: string) =>
      word === workdir || word.startsWith(`${workdir}/`) ? view + word.slice(workdir.length) : word
    if (!isOfClient) return this.#inner.exec(command, options)
    const result = await this.#inner.exec({ ...command, argv: command.argv.map(seen) }, options)
    this.#removeWhatWasRemoved()
    return result
  }

  pipe<T>(argv: readonly string[], use: (pipe: Pipe) => Promise<T>): Promise<T> {
    return this.#inner.pipe(argv, use)
  }

  put(files: readonly FileToPut[]): Promise<void> {
    return this.#inner.put(files)
  }

  get(path: string, range?: { from: number; length?: number }): Promise<Uint8Array | undefined> {
    return this.#inner.get(this.#seen(path), range)
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#inner.list(this.#seen(directory))
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#inner.stat(this.#seen(path))
  }

  remove(paths: readonly string[]): Promise<void> {
    return this.#inner.remove(paths)
  }

  ref(): void {
    this.#inner.ref()
  }

  unref(): void {
    this.#inner.unref()
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    clearInterval(this.#timer)
    return this.#inner[Symbol.asyncDispose]()
  }

  #seen(path: string): string {
    const { workdir, view } = this.#lag
    return path.startsWith(`${workdir}/`) ? view + path.slice(workdir.length) : path
  }

  #tick(): void {
    try {
      this.#mirror()
    } catch (error) {
      // A folder went while it was read: it is read again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  #mirror(): void {
    const { workdir, view, emptyFirst } = this.#lag
    const now = Date.now()
    for (const name of filesOf(workdir)) {
      const state = stateOf(join(workdir, name))
      if (state === undefined || this.#shown.get(name) === state) continue
      const pending = this.#pending.get(name)
      if (pending?.state !== state) this.#pending.set(name, { state, since: pending?.since ?? now })
      const delayMs = typeof this.#lag.delayMs === 'number' ? this.#lag.delayMs : this.#lag.delayMs(name)
      const age = now - (pending?.since ?? now)
      const target = join(view, name)
      const isLate = left.test(name)
      if (isLate && emptyFirst && age >= delayMs / 2 && !this.#shown.has(name)) {
        mkdirSync(dirname(target), { recursive: true })
        writeFileSync(target, '')
        this.#shown.set(name, 'empty')
      }
      if (isLate && age < delayMs) continue
      mkdirSync(dirname(target), { recursive: true })
      const temporary = join(dirname(target), `.late.${process.pid}`)
      copyFileSync(join(workdir, name), temporary)
      renameSync(temporary, target)
      this.#shown.set(name, state)
      this.#pending.delete(name)
    }
  }

  /** What the client has removed from its view is gone everywhere. */
  #removeWhatWasRemoved(): void {
    const { workdir, view } = this.#lag
    for (const name of [...this.#shown.keys()]) {
      if (stateOf(join(view, name)) !== undefined) continue
      rmSync(join(workdir, name), { force: true })
      this.#shown.delete(name)
    }
  }
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name).slice(folder.length + 1)] : [],
  )
}

function stateOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat && `${stat.ino} ${stat.size} ${stat.mtimeMs}`
}

/**
 * Has all calls of this process see late what jobs have written, as a shared folder may show it; before the first call.
 * For `direct` on this machine. It simulates a network filesystem, and is none.
 * @example
 * import { mkdtempSync } from 'node:fs'
 * import { lateFiles } from 'farcall/testing'
 *
 * const workdir = mkdtempSync('/tmp/work-')
 * lateFiles({ workdir, view: mkdtempSync('/tmp/view-'), delayMs: 3_000, emptyFirst: true })
 */
export function lateFiles(lag: Lag): void {
  wrapTransports((transport) => new LateTransport(transport, lag))
}
