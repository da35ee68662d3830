import { FarcallError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { RecordKind } from '../../core/pack.ts'
import type { JobSpec, Work } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import { openStore } from '../../store/open.ts'
import type { JobStore, NewResult } from '../../store/types.ts'
import { sumOf } from '../outcome/item-time.ts'
import { type Measures, toStored } from '../outcome/measures.ts'
import type { MemberEndEvent } from './intake.ts'
import { trimRecordsDaily } from './trim-records.ts'

/** Changes are gathered for so long: ten thousand jobs that end together are some transactions, not ten thousand. */
const gatherMs = 100
/** Between two tries to write what could not be written. */
const againMs = 2_000

type Change = (store: JobStore) => void

/** Writes what becomes of jobs into the store of a folder, many changes in one transaction. */
export class Recorder {
  readonly store: JobStore
  #pending: Change[] = []
  #timer: NodeJS.Timeout | undefined
  /** The store cannot be written, and that was said. */
  #stuck = false

  constructor(store: JobStore) {
    this.store = store
  }

  /** Soon, in the order of the calls. */
  later(change: Change): void {
    this.#pending.push(change)
    this.#wait(this.#stuck ? againMs : gatherMs)
  }

  /** The end of the process writes what is left: nothing is kept alive for it. */
  #wait(ms: number): void {
    this.#timer ??= setTimeout(() => this.flush(), ms).unref()
  }

  /** At once, or not at all: what it needs may be gone soon. */
  now(change: Change): void {
    this.flush()
    this.#write([change], (error) =>
      process.emitWarning(`farcall: a result is not in the cache: ${String(error)}`),
    )
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const changes = this.#pending.splice(0)
    if (changes.length === 0) return
    const written = this.#write(changes, (error) => {
      const passes = error instanceof FarcallError && error.code === 'STORE_UNWRITABLE'
      if (passes) this.#pending.unshift(...changes)
      if (!passes || !this.#stuck)
        // The job and its result are not in danger: what is missing here, the files on the cluster tell.
        process.emitWarning(
          `farcall: what became of jobs is not recorded${passes ? ' yet, and is tried again while this program runs' : ''}: ${String(error)}`,
        )
      this.#stuck = passes
      if (passes) this.#wait(againMs)
    })
    if (written) this.#stuck = false
  }

  #write(changes: readonly Change[], failed: (error: unknown) => void): boolean {
    try {
      this.store.batch(() => {
        for (const change of changes) change(this.store)
      })
      return true
    } catch (error) {
      failed(error)
      return false
    }
  }
}

const recorders = new Map<string, Recorder>()

/** The recorder of a folder, opened when first asked for. @throws FarcallError STORE_UNWRITABLE, STORE_UNSAFE, STORE_NEWER */
export function recorderOf(folder: string): Recorder {
  let recorder = recorders.get(folder)
  if (!recorder) {
    const warn = (message: string) => process.emitWarning(`farcall: ${message}`)
    recorder = new Recorder(openStore({ folder, warn }))
    if (recorders.size === 0) process.on('exit', flushRecords)
    recorders.set(folder, recorder)
  }
  return recorder
}

/** Writes all that is not written yet. */
export function flushRecords(): void {
  for (const recorder of recorders.values()) recorder.flush()
}

/** What is old goes from the records, once a day. */
export function trimRecords(): void {
  for (const { store } of recorders.values()) trimRecordsDaily(store, Date.now())
}

/** The key that an item's error lies under: for those who wait for this job, and for nobody later. */
export const errorKey = (key: string, job: JobId): string => `${key}:${job}`

/** What becomes of one job, as its submission tells it. */
export class JobRecords {
  readonly recorder: Recorder
  readonly #id: JobId
  /** Of its items, by their place in the job. */
  readonly #keys: readonly (string | undefined)[]
  #nodeVersion: string | undefined
  readonly #counts = { done: 0, failed: 0, due: false }
  #work: Work | undefined

  constructor(recorder: Recorder, id: JobId, keys: readonly (string | undefined)[]) {
    this.recorder = recorder
    this.#id = id
    this.#keys = keys
  }

  submitted(attempt: number, nativeId: string): void {
    this.recorder.later((store) => store.submitted(this.#id, attempt, nativeId))
  }

  /** The place takes no more members: written at once, as whoever takes it up goes by it. */
  dealtAnew(spec: JobSpec): void {
    this.recorder.later((store) => store.dealtAnew(spec))
    this.recorder.flush()
  }

  /** Another attempt that is about to be submitted: written at once. The place has its arguments. */
  retry(spec: JobSpec): void {
    this.recorder.later((store) => store.retry(spec))
    this.recorder.flush()
  }

  status(status: JobStatus, member?: number): void {
    const timed = { ...status, time: status.time ?? Date.now() }
    const update = { id: this.#id, status: timed, ...(member === undefined ? {} : { member }) }
    this.recorder.later((store) => store.status([update]))
  }

  end({ end, status, member }: MemberEndEvent, members: number): void {
    if (members > 1) this.status(status, member)
    if (!end) return
    this.#nodeVersion ??= end.node
  }

  /** An item's record, when it is to be cached. A file is read at once: it may be gone soon. */
  result(item: number, kind: RecordKind, content: NewResult['content']): void {
    const key = this.#keys[item]
    if (key === undefined || kind === 'yield') return
    const under = kind === 'error' ? errorKey(key, this.#id) : key
    const write = (store: JobStore) => store.result(under, { job: this.#id, item, kind, content })
    if (content instanceof Uint8Array) this.recorder.later(write)
    else this.recorder.now(write)
  }

  /** Soon, and of many that come together only the last. */
  counted(done: number, failed: number): void {
    Object.assign(this.#counts, { done, failed })
    if (this.#counts.due) return
    this.#counts.due = true
    this.recorder.later((store) => {
      this.#counts.due = false
      store.counted(this.#id, this.#counts.done, this.#counts.failed)
    })
  }

  /** How long items took. Soon, and what many members say as one. */
  worked(key: string, work: Work): void {
    const before = this.#work
    this.#work = before ? sumOf(before, work) : work
    if (before) return
    let taken: Work | undefined
    this.recorder.later((store) => {
      // Written again where the disk was full: what has come since has a change of its own.
      if (!taken) {
        taken = this.#work!
        this.#work = undefined
      }
      store.worked(this.#id, key, taken)
    })
  }

  over(status: JobStatus, measures: Measures): void {
    const facts = {
      ...(measures.members.size > 0 ? { usage: toStored(measures) } : {}),
      ...(this.#nodeVersion === undefined ? {} : { nodeVersion: this.#nodeVersion }),
    }
    const timed = { ...status, time: status.time ?? Date.now() }
    this.recorder.later((store) => store.ended(this.#id, timed, facts))
  }

  /** Its results are safe. */
  collected(): void {
    this.recorder.later((store) => store.collected([this.#id]))
  }

  /** Nobody follows it any more: whoever wants its result is free to. */
  letGo(): void {
    this.recorder.later((store) => store.own(this.#id, undefined))
  }
}
