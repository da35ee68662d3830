import type { Clock } from '../../core/clock.ts'
import { FarcallError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { logFile, memberItems, paths } from '../../core/protocol.ts'
import type { YieldPosition } from '../../core/yields.ts'
import type { Transport } from '../../transport/transport.ts'
import type { MemberOutputs, ResultRecord, StreamItem } from '../executor.ts'
import { inBatches, parsePacks } from './fetched.ts'
import { recordsScript } from './member-scripts.ts'
import type { Persist } from './persist.ts'
import { runOf } from './runs.ts'
import { saveRecord } from './save-record.ts'
import { fetchOutputs, type RunOutputs } from './staging.ts'
import type { TrackedJob } from './tracked-job.ts'
import { YieldFiles } from './yields.ts'

/** Between two looks at a file that is not seen whole yet. */
const lookAgainMs = 250

export interface MemberFilesOptions {
  readonly transport: Transport
  readonly workdir: string
  readonly clock: Clock
  readonly persist: Persist
  /** How long a file may take to be seen here. */
  readonly graceMs: number
  /** Aborts when nobody waits any more. */
  readonly stop: AbortSignal
  /** The last submission of a job, or of one of its members; throws where it is not followed. */
  readonly tracked: (id: JobId, member?: number) => TrackedJob
}

/** What members leave in the folders of their runs: results, logs, yields, outputs. */
export class MemberFiles {
  readonly #options: MemberFilesOptions
  readonly #yields: YieldFiles

  constructor(options: MemberFilesOptions) {
    this.#options = options
    this.#yields = new YieldFiles(options, options.persist)
  }

  async *fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord> {
    const { transport, tracked, persist } = this.#options
    const { spec } = tracked(id)
    const sizeOf = (member: number) => tracked(id, member).packSizes.get(member) ?? 0
    for (const some of inBatches(members, sizeOf, { members: 500, bytes: 32 * 2 ** 20 })) {
      const runs: string[] = []
      for (const member of some) runs.push(`${await this.#runOf(id, member)}.${member}`)
      const argv = ['sh', '-c', recordsScript, 'farcall', this.#folder(id), ...runs]
      const size = some.reduce((sum, member) => sum + sizeOf(member), 0)
      const read = async () => {
        const { stdout } = await persist(() => transport.exec({ argv }, { timeoutMs: 3_600_000 }))
        return parsePacks(stdout)
      }
      const { records } = await this.#whenSeen(read, (seen) => seen.size >= size)
      const wanted = new Set<number>()
      for (const member of some) {
        const { from, to } = memberItems(spec, member)
        for (let item = from; item < to; item++) wanted.add(item)
      }
      for (const record of records) if (wanted.has(record.index)) yield record
    }
  }

  /** One result, into a file here. */
  async save(id: JobId, member: number, item: number, localPath: string) {
    const { transport, tracked, persist } = this.#options
    const pack = `${await this.#runFolder(id, member)}/out.pack`
    const size = tracked(id, member).packSizes.get(member) ?? 0
    const seen = () => persist(() => transport.stat(pack))
    await this.#whenSeen(seen, (stat) => (stat?.size ?? 0) >= size)
    return persist(() => saveRecord(transport, pack, item, localPath))
  }

  async saveOutputs(
    id: JobId,
    members: readonly MemberOutputs[],
    place: (item: number, failed: boolean, path: string) => string | undefined,
  ): Promise<ReadonlyMap<number, readonly string[]>> {
    const { transport, clock, tracked, persist, graceMs, stop } = this.#options
    const { spec } = tracked(id)
    const named: RunOutputs[] = []
    for (const { member, bytes } of members)
      named.push({ member, run: `run.${await this.#runOf(id, member)}.${member}`, bytes })
    const until = clock.now() + graceMs
    for (;;) {
      try {
        return await persist(() => fetchOutputs(transport, this.#folder(id), spec, named, place))
      } catch (error) {
        // A shared folder may show files late.
        const late = error instanceof FarcallError && error.code === 'FILE_MISSING'
        if (!late || clock.now() >= until || stop.aborted) throw error
        await clock.sleep(lookAgainMs, stop)
      }
    }
  }

  async logs(id: JobId, member: number, stream: 'stdout' | 'stderr', from: number, rank: number) {
    const { transport, tracked, persist } = this.#options
    // Asked before the file is read: what is written until the end is then in the file.
    const ended = tracked(id, member).ended.has(member)
    const file = `${await this.#runFolder(id, member)}/${logFile(stream, rank)}`
    const bytes = (await persist(() => transport.get(file, { from }))) ?? new Uint8Array()
    return { bytes, ended }
  }

  yields(stream: StreamItem, from: number, limit: number, known: number) {
    const read = () => this.#yields.read(this.#inRun(stream), from, limit)
    return this.#whenSeen(read, (values) => values.length > 0 || known <= from)
  }

  acknowledge(stream: StreamItem, read: YieldPosition): Promise<void> {
    return this.#yields.acknowledge(this.#inRun(stream), read)
  }

  /** In the run that it is known to be in. */
  #inRun(stream: StreamItem): StreamItem {
    const job = this.#options.tracked(stream.id, stream.member)
    const attempt = stream.attempt ?? job.runs.get(stream.member)
    return attempt === undefined ? stream : { ...stream, attempt }
  }

  #folder(id: JobId): string {
    return `${this.#options.workdir}/${paths.job(id)}`
  }

  async #runFolder(id: JobId, member: number): Promise<string> {
    return `${this.#options.workdir}/${paths.run(id, await this.#runOf(id, member), member)}`
  }

  #runOf(id: JobId, member: number): Promise<number> {
    const { transport, tracked } = this.#options
    return runOf(transport, this.#folder(id), tracked(id, member), member)
  }

  /** A shared folder may show a file late, or empty at first: it is looked at again until it is whole, or the grace over. */
  async #whenSeen<T>(look: () => Promise<T>, isWhole: (seen: T) => boolean): Promise<T> {
    const { clock, graceMs, stop } = this.#options
    const until = clock.now() + graceMs
    for (;;) {
      const seen = await look()
      if (isWhole(seen) || clock.now() >= until || stop.aborted) return seen
      await clock.sleep(lookAgainMs, stop)
    }
  }
}
