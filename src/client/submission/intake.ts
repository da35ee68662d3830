import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ResultError } from '../../core/errors.ts'
import type { PackRecord, RecordKind } from '../../core/pack.ts'
import type { JobSpec } from '../../core/protocol.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import type { JobEvent } from '../../executor/executor.ts'
import type { NewResult } from '../../store/types.ts'
import { commandFailure, withFiles } from '../outcome/command-outcome.ts'
import { failureOf, type MemberFailure } from '../outcome/failures.ts'
import { type Decoder, decodeOptions, type Outcome, outcomeOf, readOutcome } from '../outcome/outcome.ts'
import {
  limits,
  localPathOf,
  type ResultFile,
  readResult,
  resultIsInFile,
  throughFile,
  writeResult,
} from '../outcome/result-file.ts'
import { completed, type Item } from './item.ts'
import { Outputs } from './outputs.ts'
import { failedParentOf, parentFailure } from './parent-failure.ts'
import type { Submission } from './submission.ts'

export type MemberEndEvent = Extract<JobEvent, { type: 'end' }>

/** What comes in for a submission, records and ends of members, made into the outcomes of its items. */
export class Intake {
  readonly #submission: Submission
  #unread: MemberEndEvent[] = []
  /** Records of members whose outputs are not here yet. */
  readonly #held: PackRecord[] = []
  readonly #outputs = new Outputs()
  #reading = false

  constructor(submission: Submission) {
    this.#submission = submission
  }

  end(event: MemberEndEvent): void {
    this.#unread.push(event)
    void this.#readEnds()
  }

  read(record: PackRecord): void {
    const item = this.#submission.items[record.index]
    const { submitted } = this.#submission
    if (!item || !submitted) return
    // A promise that resolves says that the files are there, too.
    if (
      submitted.spec.stage?.out.length &&
      !this.#outputs.has(Math.floor(record.index / submitted.spec.chunk))
    )
      this.#held.push(record)
    else this.take(item, record.kind, record.bytes)
  }

  /** An item's record, from wherever it came. */
  take(item: Item, kind: RecordKind, bytes: Uint8Array): void {
    if (isFinal(item.status.state)) return
    const file = this.#submission.views.fileOf(item)
    if (file && kind === 'value') {
      const path = localPathOf(file, this.#submission.itemId(item))
      try {
        writeResult(path, bytes)
        this.#submission.records?.result(item.index, kind, bytes)
        this.#settleInFile(item, file, path)
      } catch (error) {
        this.#settleUnread(item, { state: 'FAILED', reason: 'lost' }, this.#missing(item, error))
      }
    } else this.#settleWith(item, kind, bytes, (decoder) => readOutcome(kind, bytes, decoder))
  }

  #settleWith(
    item: Item,
    kind: RecordKind,
    content: NewResult['content'],
    read: (decoder: Decoder) => Outcome,
  ): void {
    if (isFinal(item.status.state)) return
    const jobId = this.#submission.itemId(item)
    try {
      // Only what was thrown says where it was called.
      const callSite = kind === 'error' ? framesOf(item.callSite) : ''
      const outcome = read({ ...this.#submission.decoder!, from: `job ${jobId}`, callSite })
      this.#submission.records?.result(item.index, kind, content)
      if (outcome.ok) {
        const value = this.#valueOf(item, outcome.value)
        this.#submission.settle(item, completed, () => item.settled.resolve(value))
      } else if (!this.#failWithParent(item, outcome.thrown)) this.#fail(item, outcome.thrown)
    } catch (cause) {
      const error = new ResultError('RESULT_CORRUPT', `job ${jobId}: the result cannot be read`, {
        cause,
        hint: 'its files are kept; attach(id) reads them again',
      })
      this.#settleUnread(item, { state: 'FAILED', reason: 'lost' }, error)
    }
  }

  #valueOf(item: Item, value: unknown): unknown {
    return this.#submission.submitted?.spec.command ? withFiles(value, item.outputs) : value
  }

  #fail(item: Item, thrown: unknown): void {
    const jobId = this.#submission.itemId(item)
    const { status, error } = commandFailure(this.#submission.submitted?.spec, jobId, thrown) ?? {
      status: { state: 'FAILED', reason: 'exception' },
      error: thrown,
    }
    this.#submission.fail(item, status, error)
  }

  /** What the runtime says in place of a call that could not be made, since a job has failed whose value it needs. */
  #failWithParent(item: Item, thrown: unknown): boolean {
    const failed = failedParentOf(thrown)
    if (!failed) return false
    const own = this.#submission
    // Where that job is followed here, what it has come to is on its way, with the error as it is here.
    if (own.awaitsParent(failed.key)) item.parentFails = true
    else {
      const names = { id: own.itemId(item), name: own.submitted!.spec.name }
      const parent = { id: failed.parent, name: failed.name }
      const { error, status } = parentFailure(names, parent, failed.status, (thrown as Error).cause)
      own.settle(item, status, () => item.settled.reject(error))
    }
    return true
  }

  #settleUnread(item: Item, status: JobStatus, error: ResultError): void {
    item.unread = true
    this.#submission.settle(item, status, () => item.settled.reject(error))
  }

  #settleInFile(item: Item, file: ResultFile, path: string): void {
    this.#submission.settle(item, { state: 'COMPLETED' }, () => {
      file.done.resolve(path)
      item.settled.reject(resultIsInFile(this.#submission.itemId(item), path))
    })
  }

  /** Items of a member that ended whose records are copied to files, and read from there or left there. */
  async #readThroughFiles({ member, end }: MemberEndEvent): Promise<void> {
    const { executor } = this.#submission.submitted!
    const decoder = this.#submission.decoder!
    if (!executor.save) return
    const asked = this.#submission.askedItems(member)
    // Where others of the member are of no interest here, only what is wanted is read.
    const some = asked.length < this.#submission.openItems(member).length
    const limit = some ? limits.partialResult : limits.largeResult
    for (const item of asked) {
      const file = this.#submission.views.fileOf(item)
      if (!file && (end?.bytes ?? 0) < limit) continue
      const settle = (path: string, kind: RecordKind) =>
        this.#settleWith(item, kind, { path }, (full) =>
          outcomeOf(kind, readResult(path, decodeOptions(decoder)), full),
        )
      if (!file)
        await throughFile((path) => executor.save!(this.#submission.id, member, item.index, path), settle)
      else {
        const path = localPathOf(file, this.#submission.itemId(item))
        const kind = await executor.save(this.#submission.id, member, item.index, path)
        if (kind === 'value') {
          this.#submission.records?.result(item.index, kind, { path })
          this.#settleInFile(item, file, path)
        } else if (kind) {
          settle(path, kind)
          rmSync(path)
        }
      }
    }
  }

  /** Ends come in crowds: what they did not carry is fetched for many of them at once. */
  async #readEnds(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    await Promise.resolve()
    while (this.#unread.length > 0) {
      const ends = this.#unread.splice(0)
      for (const end of ends) this.#leaveThere(end)
      const wanted = ends.filter((end) => !end.complete && this.#submission.askedItems(end.member).length > 0)
      let trouble: unknown
      await this.#fetchOutputs(ends)
      try {
        for (const end of wanted) await this.#readThroughFiles(end)
        const rest = wanted
          .map((end) => end.member)
          .filter((member) => this.#submission.askedItems(member).length > 0)
        if (rest.length > 0)
          for await (const record of this.#submission.submitted!.executor.fetch(this.#submission.id, rest))
            this.read(record)
      } catch (error) {
        trouble = error
      }
      for (const end of ends) {
        this.#conclude(end, trouble)
        this.#outputs.forget(end.member)
      }
    }
    this.#reading = false
  }

  /** Values that nobody here has asked for, and other jobs read where they are, stay there. */
  #leaveThere({ member, end, complete, status }: MemberEndEvent): void {
    if (complete || status.state !== 'COMPLETED' || end?.thrown !== 0) return
    for (const item of this.#submission.openItems(member)) {
      if (!item.passedOn || item.wanted || this.#submission.views.fileOf(item)) continue
      item.fetch = () => void this.#fetchLate(item, member)
      this.#submission.settle(item, completed, () => {})
    }
  }

  /** The value of an item that has ended before; its files stay until this program ends. */
  async #fetchLate(item: Item, member: number): Promise<void> {
    const { executor, spec } = this.#submission.submitted!
    const decoder = {
      ...this.#submission.decoder!,
      from: `job ${this.#submission.itemId(item)}`,
      callSite: '',
    }
    const deliver = (outcome: Outcome) =>
      outcome.ok
        ? item.settled.resolve(this.#valueOf(item, outcome.value))
        : item.settled.reject(outcome.thrown)
    try {
      if (executor.save)
        await throughFile(
          (path) => executor.save!(spec.id, member, item.index, path),
          (path, kind) => deliver(outcomeOf(kind, readResult(path, decodeOptions(decoder)), decoder)),
        )
      else
        for await (const { index, kind, bytes } of executor.fetch(spec.id, [member]))
          if (index === item.index) deliver(readOutcome(kind, bytes, decoder))
      item.settled.reject(this.#missing(item, undefined))
    } catch (error) {
      item.settled.reject(this.#missing(item, error))
    }
  }

  /** Of all members that have ended meanwhile together; when that fails, of each by itself. */
  async #fetchOutputs(ends: readonly MemberEndEvent[]): Promise<void> {
    const { submitted } = this.#submission
    if (!submitted?.spec.stage?.out.length) return
    try {
      await this.#outputs.fetch(this.#submission, ends)
    } catch (cause) {
      if (ends.length > 1) for (const end of ends) await this.#fetchOutputs([end])
      else for (const { member } of ends) this.#outputsMissing(member, cause)
    }
    for (const record of this.#held.splice(0)) this.read(record)
  }

  /** Its files are kept: this is no end of them. What the function threw is told all the same. */
  #outputsMissing(member: number, cause: unknown): void {
    const { chunk } = this.#submission.submitted!.spec
    for (const record of this.#held.splice(0)) {
      const item = this.#submission.items[record.index]
      if (Math.floor(record.index / chunk) !== member) this.#held.push(record)
      else if (item && record.kind === 'error') this.take(item, record.kind, record.bytes)
    }
    for (const item of this.#submission.openItems(member)) {
      const words = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
      const error = new ResultError(
        'RESULT_MISSING',
        `job ${this.#submission.itemId(item)} has ended, but its outputs could not be fetched: ${words}`,
        { cause, hint: 'its files are kept; attach(id) fetches them again' },
      )
      this.#settleUnread(item, { state: 'FAILED', reason: 'lost' }, error)
    }
  }

  #conclude(event: MemberEndEvent, trouble: unknown): void {
    const spec = this.#submission.specOf(event.member)
    for (const item of this.#submission.openItems(event.member)) {
      // Its result lies there, for whoever attaches to it.
      if (item.notAsked) {
        this.#submission.settle(item, event.status, () => {})
        continue
      }
      // Its own exception, which is tried again.
      if (item.failure || item.parentFails) continue
      const status: JobStatus =
        event.status.state === 'COMPLETED'
          ? { ...event.status, state: 'FAILED', reason: 'lost' }
          : event.status
      if (event.status.state === 'COMPLETED') this.#settleUnread(item, status, this.#missing(item, trouble))
      else {
        // A member that failed may have results of some items all the same.
        item.unread = trouble !== undefined
        this.#submission.fail(item, status, this.#failure(item, event, spec), event.end)
      }
    }
    this.#submission.memberEnded(event.member, event.end)
  }

  #missing(item: Item, cause: unknown): ResultError {
    return new ResultError(
      'RESULT_MISSING',
      `job ${this.#submission.itemId(item)} ended well, but its result could not be read`,
      {
        ...(cause === undefined ? {} : { cause }),
        hint: 'its files are kept; attach(id) reads them again',
      },
    )
  }

  #failure(item: Item, event: MemberEndEvent, spec: JobSpec) {
    const failure: MemberFailure = {
      spec,
      jobId: this.#submission.itemId(item),
      status: event.status,
      end: event.end,
      stderrTail: event.stderrTail,
      map: this.#submission.decoder?.map,
    }
    const error = failureOf(failure)
    const cause = item.canceling ?? this.#submission.canceling
    if (event.status.state === 'CANCELED' && cause !== undefined)
      Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
    return error
  }
}

/** A stack's frames, without the command line's own below the user's program. */
function framesOf({ stack = '' }: { readonly stack?: string }): string {
  const frames = stack.split('\n').slice(1)
  const own = frames.findIndex((frame) => frame.includes(ownCommands))
  return (own < 0 ? frames : frames.slice(0, own)).join('\n')
}

const ownCommands = fileURLToPath(new URL('../../cli/', import.meta.url))
