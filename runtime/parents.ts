import { closeSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { decodeFrom } from '../src/codec/codec.ts'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { type RecordPlace, readRecord } from '../src/core/pack.ts'
import {
  type FailedParent,
  failedParentKey,
  type JobSpec,
  type MemberEnd,
  parentValues,
  paths,
  protocolVersion,
} from '../src/core/protocol.ts'
import { LaunchError, type Place } from './arguments.ts'
import { readEntry, readExactly } from './bundle.ts'
import type { ReadElsewhere } from './elsewhere.ts'
import { decodeOptions, decodeWith } from './values.ts'

// Taken before user code can replace them with fakes.
const { setTimeout } = globalThis
const now = Date.now.bind(Date)
const pieceSize = 2 ** 26
/** How long a file that is there may take to be seen from here. */
const patienceMs = 120_000
const looks = { first: 50, most: 2_000 }

/** A value of another job, in a file of it. */
interface Lying extends RecordPlace {
  readonly file: string
}

/** What a member of another job has left. */
interface Left {
  /** Whole records of every run of it by item, the newest first. */
  readonly records: readonly Lying[]
  readonly end: MemberEnd
}

interface ParentFiles {
  readonly spec: JobSpec
  readonly folder: string
  readonly left: Map<number, Left>
  /** Attempts that have begun, by member. */
  runs: Map<number, number[]>
}

/** Thrown in place of the call: a job whose value is an argument has none. */
class ParentFailed extends Error {
  readonly [failedParentKey]: FailedParent

  constructor(failed: FailedParent, cause: unknown) {
    super(failed.status.message ?? failed.status.reason ?? 'it failed')
    Object.defineProperty(this, 'name', { value: 'ParentFailed' })
    this[failedParentKey] = failed
    if (cause !== undefined) Object.defineProperty(this, 'cause', { value: cause })
  }
}

/** The values of other jobs that are arguments of this one. */
export class Parents {
  readonly #place: Place
  readonly #spec: JobSpec
  readonly #known = new Map<string, ParentFiles>()
  /** Where each item's value lies. */
  readonly #lying = new Map<string, Lying>()

  constructor(place: Place, spec: JobSpec) {
    this.#place = place
    this.#spec = spec
  }

  /** The arguments of an item, with those values in place. @throws LaunchError */
  async decode(bundle: BundleModule, bytes: Uint8Array, elsewhere: ReadElsewhere): Promise<unknown> {
    const { parents } = this.#spec
    if (!parents) return decodeWith(bundle, bytes, elsewhere)
    for (;;) {
      const missing = new Set<string>()
      const give = parentValues(parents, (key) => {
        const sent = parents.sent.indexOf(key)
        if (sent >= 0) return decodeWith(bundle, readEntry(this.#place, parents.from + sent), elsewhere)
        const lying = this.#lying.get(key)
        if (!lying) missing.add(key)
        return lying && readLying(bundle, lying)
      })
      const value = decodeWith(bundle, bytes, (own, at) => {
        const { job } = at as { job?: unknown }
        return typeof job === 'string' ? give(job) : elsewhere(own, at)
      })
      if (missing.size === 0) return value
      for (const key of missing) await this.#find(bundle, key)
    }
  }

  /** Waits until an item's value is there. @throws ParentFailed, LaunchError */
  async #find(bundle: BundleModule, key: string): Promise<void> {
    const [, id = '', number] = /^(\w+)\[(\d+)\]$/.exec(key) ?? []
    // Its failure was seen before this was submitted, and told.
    if (!this.#spec.parents!.jobs.some((job) => job.id === id))
      throw failure(key, { id, name: 'unknown', map: false, items: 1 }, { reason: 'lost' })
    const files = await this.#filesOf(id)
    const { spec } = files
    const item = Number(number)
    const { records, end } = await this.#leftOf(files, Math.floor(item / spec.chunk))
    const own = records.filter(({ index }) => index === item)
    const value = own.find(({ kind }) => kind === 'value')
    if (value) {
      if (!isWhole(value)) throw new LaunchError(`the value of job ${key} in ${value.file} is damaged`)
      this.#lying.set(key, value)
      return
    }
    const error = own.find(({ kind }) => kind === 'error')
    throw failure(key, spec, end, error && readLying(bundle, error))
  }

  async #filesOf(id: string): Promise<ParentFiles> {
    const known = this.#known.get(id)
    if (known) return known
    const folder = `${this.#place.workdir}/${paths.job(id)}`
    const file = `${folder}/spec.json`
    let spec: JobSpec
    try {
      spec = JSON.parse(readFileSync(file, 'utf8'))
    } catch (error) {
      throw new LaunchError(
        `the files of job ${id}, whose value is an argument, are not there: ${(error as Error).message}`,
      )
    }
    if (spec.protocol > protocolVersion)
      throw new LaunchError(
        `${file} is written in protocol ${spec.protocol}; this runtime reads up to ${protocolVersion}`,
      )
    const files: ParentFiles = { spec, folder, left: new Map(), runs: runsIn(folder) }
    this.#known.set(id, files)
    return files
  }

  /** What the member has left, once it has ended. Whoever started this job has seen to it that it has, or soon will. */
  async #leftOf(files: ParentFiles, member: number): Promise<Left> {
    const known = files.left.get(member)
    if (known) return known
    const until = now() + patienceMs
    for (let pause = looks.first; ; pause = Math.min(2 * pause, looks.most)) {
      const left = await readLeft(files, member)
      if (left) {
        files.left.set(member, left)
        return left
      }
      if (now() > until)
        throw failure(`${files.spec.id}[${member * files.spec.chunk}]`, files.spec, {
          reason: 'lost',
          message: `it left no result, ${patienceMs / 1000} s after it was over`,
        })
      await new Promise((resolve) => setTimeout(resolve, pause))
      files.runs = runsIn(files.folder)
    }
  }
}

/** Attempts of each member that have begun, the newest first. */
function runsIn(folder: string): Map<number, number[]> {
  const runs = new Map<number, number[]>()
  for (const name of readdirSync(folder)) {
    const [, attempt, member] = /^run\.(\d+)\.(\d+)$/.exec(name) ?? []
    if (member === undefined) continue
    const all = runs.get(Number(member)) ?? []
    all.push(Number(attempt))
    runs.set(Number(member), all)
  }
  for (const all of runs.values()) all.sort((a, b) => b - a)
  return runs
}

/** Undefined: its last run has not ended. */
async function readLeft({ folder, runs }: ParentFiles, member: number): Promise<Left | undefined> {
  let end: MemberEnd | undefined
  const records: Lying[] = []
  for (const attempt of runs.get(member) ?? []) {
    const run = `${folder}/run.${attempt}.${member}`
    // A name is opened once a listing shows it: NFS remembers those that were not there.
    const names = readdirSync(run)
    if (!end) {
      if (!names.includes('end')) return undefined
      end = JSON.parse(readFileSync(`${run}/end`, 'utf8')) as MemberEnd
    }
    if (names.includes('out.pack')) records.push(...(await recordsIn(`${run}/out.pack`)))
  }
  return end && { end, records }
}

async function recordsIn(file: string): Promise<Lying[]> {
  const fd = openSync(file, 'r')
  try {
    const { size } = fstatSync(fd)
    const read = async (at: number, length: number) =>
      readExactly(fd, at, Math.max(0, Math.min(length, size - at)))
    const records: Lying[] = []
    for (let at = 0; ; ) {
      const found = await readRecord(read, at)
      // A torn last one is of a member that was ended.
      if (!found || found.start + found.length > size) return records
      records.push({ ...found, file })
      at = found.start + found.length
    }
  } finally {
    closeSync(fd)
  }
}

function isWhole({ file, start, length, check }: Lying): boolean {
  const fd = openSync(file, 'r')
  try {
    const sum = check()
    for (let at = 0; at < length; at += pieceSize)
      sum.add(readExactly(fd, start + at, Math.min(pieceSize, length - at)))
    return sum.matches()
  } finally {
    closeSync(fd)
  }
}

function readLying(bundle: BundleModule, { file, start, length }: Lying): unknown {
  const fd = openSync(file, 'r')
  try {
    const read = (at: number, count: number) => readExactly(fd, start + at, count)
    return decodeFrom(read, length, decodeOptions(bundle))
  } finally {
    closeSync(fd)
  }
}

function failure(
  key: string,
  spec: Pick<JobSpec, 'id' | 'name' | 'map' | 'items'>,
  end: Partial<MemberEnd>,
  cause?: unknown,
): ParentFailed {
  const { reason = 'exception', message, exitCode, signal } = end
  const status = {
    state: reason === 'by-user' || reason === 'by-admin' ? 'CANCELED' : 'FAILED',
    reason,
    ...(message === undefined ? {} : { message }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
  } as const
  // With calls made together each is known by its number, alone by the id.
  const parent = spec.map || spec.items > 1 ? key : spec.id
  return new ParentFailed({ key, parent, name: spec.name, status }, cause)
}
