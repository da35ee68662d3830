import { closeSync, existsSync, fstatSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { decodeRecords, encodeRecord, type PackRecord } from '../src/core/pack.ts'
import { checkpointFile, type JobSpec } from '../src/core/protocol.ts'
import { parseWarning } from '../src/core/warning-signal.ts'
import type { Place } from './arguments.ts'
import { readExactly } from './bundle.ts'
import { earlierRuns } from './earlier.ts'
import type { ReadElsewhere } from './elsewhere.ts'
import { writeWhole } from './output.ts'
import { decodeWith, encodeCheckpoint } from './values.ts'
import type { Yields } from './yields.ts'

type Save = () => unknown

const key = Symbol.for('farcall.checkpoints')

// Taken before user code can replace it with a fake.
const { setInterval } = globalThis
/** Between two looks at whether a rank was warned, milliseconds: no launcher passes every signal on to every node. */
const warnedMs = 1_000

/**
 * What `checkpoint`, `lastCheckpoint`, `onWarning` and `warned` of a bundle's 'farcall' are. `leave` ends this attempt in
 * favour of the next one; it returns where there will be none.
 */
export class Checkpoints {
  readonly #place: Place
  readonly #bundle: BundleModule
  readonly #elsewhere: ReadElsewhere
  readonly #leave: (why: string) => void
  /** Of one of several processes that run the item; undefined: there is one. */
  readonly #rank: number | undefined
  #item = 0
  #yields: Yields | undefined
  #saves: Save[] = []
  #warned = false
  /** Files that nobody needs once the item has its record. */
  #files = new Set<string>()

  constructor(
    place: Place,
    spec: JobSpec,
    bundle: BundleModule,
    elsewhere: ReadElsewhere,
    leave: (why: string) => void,
    rank?: number,
  ) {
    this.#rank = rank
    this.#place = place
    this.#bundle = bundle
    this.#elsewhere = elsewhere
    this.#leave = leave
    Reflect.set(globalThis, key, {
      checkpoint: (state: unknown) => this.#checkpoint(state),
      lastCheckpoint: () => this.#last(),
      onWarning: (save: Save) => this.#onWarning(save),
      warned: () => this.#isWarned(),
    })
    const warning = spec.resources.signal === undefined ? undefined : parseWarning(spec.resources.signal)
    if (rank !== undefined) {
      if (warning) setInterval(() => this.#warned || !this.#isWarned() || this.#warn(), warnedMs).unref()
    } else if (warning && /^(USR1|USR2|HUP|INT)$/.test(warning.name)) {
      process.on(`SIG${warning.name}`, () => this.#warn())
      // job.sh sends no signal before that.
      writeFileSync(`${place.run}/listening`, '', { mode: 0o600 })
    }
  }

  begin(item: number, yields?: Yields): void {
    this.#item = item
    this.#yields = yields
    this.#saves = []
    this.#files = new Set()
  }

  /** The item has its record. What ranks have saved goes when all of them are done. */
  done(): void {
    this.#saves = []
    if (this.#rank === undefined) for (const file of this.#files) rmSync(file, { force: true })
  }

  #checkpoint(state: unknown): void {
    this.#save(this.#item, state)
    if (this.#isWarned()) this.#leave('it saved its state after the warning')
  }

  #save(item: number, state: unknown): void {
    const name = checkpointFile(item, this.#rank)
    const { run } = this.#place
    const record = { kind: 'value', index: item, bytes: encodeCheckpoint(this.#bundle, state) } as const
    const parts = encodeRecord(record)
    // Of a generator: the values that it has yielded when it was in this state.
    const yielded = this.#yields?.sync()
    if (yielded !== undefined) parts.push(...encodeRecord({ kind: 'yield', index: yielded, bytes: [] }))
    try {
      writeWhole(`${run}/.${name}`, `${run}/${name}`, parts)
    } catch (error) {
      // A disk that is full then has room for the result.
      rmSync(`${run}/.${name}`, { force: true })
      throw error
    }
    this.#files.add(`${run}/${name}`)
  }

  #last(): unknown {
    const runs = [this.#place.run, ...earlierRuns(this.#place).map(({ folder }) => folder)]
    for (const run of runs) {
      const file = `${run}/${checkpointFile(this.#item, this.#rank)}`
      const [state, yielded] = readCheckpoint(file)
      if (!state) continue
      this.#files.add(file)
      if (yielded) this.#yields?.resume(yielded.index)
      return decodeWith(this.#bundle, state.bytes, this.#elsewhere)
    }
    return undefined
  }

  #onWarning(save: Save): void {
    if (typeof save !== 'function') throw new TypeError('onWarning: expected a function')
    if (this.#saves.length === 0) process.on('SIGTERM', this.#onTerm)
    this.#saves.push(save)
    if (this.#isWarned()) void this.#saveAll().then(() => this.#leave('the warning had come'))
  }

  /** job.sh leaves a file as well: a loop that never lets the event loop turn hears of no signal. */
  #isWarned(): boolean {
    const { run } = this.#place
    // To another node a listing shows a file that is new.
    this.#warned ||=
      this.#rank === undefined ? existsSync(`${run}/warned`) : readdirSync(run).includes('warned')
    return this.#warned
  }

  #warn(): void {
    this.#warned = true
    // A function that is not waiting for it goes on; its next checkpoint() is the moment to leave.
    if (this.#saves.length > 0)
      void this.#saveAll().then(() => this.#leave('it saved its state at the warning'))
  }

  /** Preemption, or a cancel: whoever sent it decides whether there is a next attempt. */
  readonly #onTerm = (): void => {
    void this.#saveAll().then(() => {
      process.removeListener('SIGTERM', this.#onTerm)
      process.kill(process.pid, 'SIGTERM')
    })
  }

  /** What a `save` throws is thrown where nobody catches it: it becomes the item's error. */
  async #saveAll(): Promise<void> {
    const item = this.#item
    for (const save of this.#saves.splice(0)) {
      const state = await save()
      if (state !== undefined) this.#save(item, state)
    }
  }
}

/** The state, and of a generator how much it had yielded; nothing where there is none that is whole. */
function readCheckpoint(path: string): readonly PackRecord[] {
  if (!existsSync(path)) return []
  const file = openSync(path, 'r')
  try {
    return decodeRecords(readExactly(file, 0, fstatSync(file).size)).records
  } finally {
    closeSync(file)
  }
}
