import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { encodeRecord, readRecord, recordHeader } from '../src/core/pack.ts'
import { ackFile, type JobSpec, yieldsFile } from '../src/core/protocol.ts'
import { noYields, type StreamWindow, type YieldPosition, type YieldReport } from '../src/core/yields.ts'
import type { Place } from './arguments.ts'
import { readExactly } from './bundle.ts'
import { earlierRuns } from './earlier.ts'
import { OutputError, writeAll } from './output.ts'
import { YieldNotices } from './yield-notices.ts'

// Taken before user code can replace them with fakes.
const { setTimeout } = globalThis

/** Between two looks at how far the client has read, milliseconds: while it reads, and when it has not for long. */
const [soonMs, latestMs] = [10, 500]
/** A notice that lies unread for so long tells that no client is there: nobody would be helped by waiting. */
const absentMs = 60_000
/** One that was taken is written again after so long: whoever took it may have gone. */
const askMs = 20_000
const piece = 2 ** 26

/** What one item yields: records in a file of its own, notices of them, and the waits for who reads them. */
export class Yields {
  readonly #place: Place
  readonly #item: number
  readonly #window: StreamWindow
  readonly #file: number
  readonly #notices: YieldNotices
  #at: YieldPosition = noYields
  /** What an earlier attempt has left, and this one copied; values that are the same again are not written again. */
  #earlier: YieldPosition = noYields
  #differs: number | undefined
  #read: YieldPosition = noYields
  /** Nobody is there to read. */
  #free = false
  #closed = false

  /** @throws OutputError */
  constructor(place: Place, spec: JobSpec, item: number) {
    this.#place = place
    this.#item = item
    this.#window = spec.stream!
    this.#notices = new YieldNotices(place, spec)
    this.#file = writing(() => openSync(`${place.run}/${yieldsFile(item)}`, 'ax+', 0o600))
  }

  get report(): YieldReport {
    return {
      item: this.#item,
      ...this.#at,
      ...(this.#differs === undefined ? {} : { differs: this.#differs }),
    }
  }

  /** Values that were yielded so far, and are on the disk. */
  sync(): number {
    this.#flush()
    return this.#at.count
  }

  /** Takes over what the attempt before has left that is whole. */
  async copyEarlier(): Promise<void> {
    const name = yieldsFile(this.#item)
    const folder = earlierRuns(this.#place).find((run) => existsSync(`${run.folder}/${name}`))?.folder
    if (folder === undefined) return
    const file = openSync(`${folder}/${name}`, 'r')
    try {
      const { size } = fstatSync(file)
      const read = async (at: number, length: number) =>
        readExactly(file, at, Math.max(0, Math.min(length, size - at)))
      for (;;) {
        const { count, bytes } = this.#earlier
        const found = await readRecord(read, bytes)
        const end = found ? found.start + found.length : 0
        if (!found || end > size || found.index !== count) break
        const check = found.check()
        const copy = [readExactly(file, bytes, recordHeader)]
        for (let at = found.start; at < end; at += piece) {
          const part = readExactly(file, at, Math.min(piece, end - at))
          check.add(part)
          copy.push(part)
        }
        if (!check.matches()) break
        this.#write(copy, bytes)
        this.#earlier = { count: count + 1, bytes: end }
      }
    } finally {
      closeSync(file)
    }
  }

  /** The item has its record of an earlier attempt: its values are those, too. */
  keepEarlier(): void {
    this.#at = this.#earlier
  }

  /** The function goes on from a state that it saved when it had yielded so many values. */
  resume(count: number): void {
    // What it yields before it asks for its state is an attempt like any other.
    if (this.#at.count > 0 || count === 0) return
    if (count > this.#earlier.count)
      throw new Error(
        `of ${count} values that were yielded before the state was saved, ${this.#earlier.count} are left`,
      )
    for (let n = 0; n < count; n++) {
      const length = Buffer.from(readExactly(this.#file, this.#at.bytes + 12, 6)).readUIntLE(0, 6)
      this.#at = { count: n + 1, bytes: this.#at.bytes + recordHeader + length }
    }
  }

  /** Resolves when the generator may go on. @throws OutputError */
  async take(value: readonly Uint8Array[]): Promise<void> {
    // Its item has ended: by an error that nobody caught, while the generator goes on unheard.
    if (this.#closed) return new Promise(() => {})
    const parts = encodeRecord({ kind: 'yield', index: this.#at.count, bytes: value })
    const isSame = this.#at.count < this.#earlier.count && this.#isAgain(parts[0]!)
    if (!isSame) {
      this.#dropRest()
      this.#write(parts, this.#at.bytes)
    }
    const bytes = parts.reduce((sum, part) => sum + part.length, this.#at.bytes)
    this.#at = { count: this.#at.count + 1, bytes }
    this.#notices.add(this.report, isSame ? undefined : parts, this.#flush)
    if (this.#isFull()) await this.#room()
  }

  /** The generator has ended: an attempt before that yielded more was another one. */
  end(): void {
    this.#dropRest()
    this.close()
  }

  /** Nothing more is yielded in this attempt. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#flush()
    this.#notices.close(this.report, this.#flush)
    closeSync(this.#file)
  }

  /** Some file systems tell only now that they were full. */
  readonly #flush = () => writing(() => fsyncSync(this.#file))

  #isAgain(header: Uint8Array): boolean {
    return Buffer.from(readExactly(this.#file, this.#at.bytes, recordHeader)).equals(header)
  }

  /** From here on it is another row of values than before. */
  #dropRest(): void {
    if (this.#at.count >= this.#earlier.count) return
    this.#differs = this.#at.count
    this.#earlier = this.#at
    ftruncateSync(this.#file, this.#at.bytes)
  }

  #write(parts: readonly Uint8Array[], at: number): void {
    writing(() => {
      try {
        for (const part of parts) writeAll(this.#file, part)
      } catch (error) {
        // A disk that is full then has room for saying so.
        ftruncateSync(this.#file, at)
        throw error
      }
    })
  }

  #isFull(): boolean {
    if (!this.#isAhead()) return false
    this.#lookAtReader()
    return this.#isAhead() && !this.#free
  }

  #isAhead(): boolean {
    const { items, bytes } = this.#window
    return this.#at.count - this.#read.count > items || this.#at.bytes - this.#read.bytes > bytes
  }

  #lookAtReader(): void {
    let text = ''
    try {
      text = readFileSync(`${this.#place.run}/${ackFile(this.#item)}`, 'latin1')
    } catch {
      return // nobody has read any yet
    }
    const [, count, bytes] = /^(\d+) (\d+)\n$/.exec(text) ?? []
    // Half a line is whole the next time.
    if (count === undefined || Number(count) <= this.#read.count) return
    this.#read = { count: Number(count), bytes: Number(bytes) }
    this.#free = false
  }

  async #room(): Promise<void> {
    this.#notices.tell(this.report, this.#flush)
    let [unseenMs, seenMs] = [0, 0]
    for (let wait = soonMs; this.#isFull(); wait = Math.min(latestMs, wait * 1.5)) {
      await new Promise((resolve) => setTimeout(resolve, wait))
      const { isUnseen } = this.#notices
      unseenMs = isUnseen ? unseenMs + wait : 0
      seenMs = isUnseen ? 0 : seenMs + wait
      if (seenMs >= askMs) this.#notices.ask(this.report, this.#flush)
      this.#free ||= unseenMs >= absentMs
    }
  }
}

function writing<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new OutputError(`what the function yielded could not be written: ${(error as Error).message}`)
  }
}
