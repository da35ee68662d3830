import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type JobSpec, paths, progressNotice, type TaskReport } from '../src/core/protocol.ts'
import type { TaskProgress } from '../src/core/task.ts'
import type { Place } from './arguments.ts'

/** All members together write at most this many progress notices in a second. */
const mostPerSecond = 50

// Taken before user code can replace it with a fake.
const { setTimeout, clearTimeout } = globalThis
const { now } = performance

/** Tells how far the items are that run: a notice in the client's inbox, which takes the place of the one before. */
export class ProgressReports {
  readonly #place: Place
  readonly #spec: JobSpec
  readonly #intervalMs: number
  readonly #running = new Map<number, TaskProgress>()
  #sequence = 0
  #written: string | undefined
  #next = 0
  #timer: NodeJS.Timeout | undefined

  constructor(place: Place, spec: JobSpec) {
    this.#place = place
    this.#spec = spec
    const members = Math.min(spec.only?.length ?? spec.members, spec.concurrency ?? Number.POSITIVE_INFINITY)
    this.#intervalMs = Math.max(1, members / mostPerSecond) * 1_000
  }

  readonly report = (item: number, progress: TaskProgress): void => {
    this.#running.set(item, progress)
    const wait = this.#next - now.call(performance)
    if (wait <= 0) this.#write()
    else this.#timer ??= setTimeout(() => this.#write(), wait).unref()
  }

  /** The item has its record, which says more. */
  done(item: number): void {
    this.#running.delete(item)
    if (this.#running.size === 0) clearTimeout(this.#timer)
    if (this.#running.size === 0) this.#timer = undefined
  }

  /** The end comes with a notice of its own. */
  close(): void {
    clearTimeout(this.#timer)
    if (this.#written !== undefined) rmSync(this.#written, { force: true })
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#next = now.call(performance) + this.#intervalMs
    const { workdir, id, attempt, member } = this.#place
    const sequence = ++this.#sequence
    const items = [...this.#running].map(([item, progress]) => ({ item, ...progress }))
    const report: TaskReport = { id, attempt, member, sequence, items }
    const inbox = `${workdir}/${paths.inbox(this.#spec.client)}`
    const name = paths.progress(report)
    try {
      mkdirSync(inbox, { recursive: true, mode: 0o700 })
      writeFileSync(`${inbox}/.${name}`, progressNotice(report), { mode: 0o600 })
      renameSync(`${inbox}/.${name}`, `${inbox}/${name}`)
      if (this.#written !== undefined) rmSync(this.#written, { force: true })
      this.#written = `${inbox}/${name}`
    } catch {
      // A disk that is full ends no job for the sake of its progress; the result says so in its own time.
    }
  }
}
