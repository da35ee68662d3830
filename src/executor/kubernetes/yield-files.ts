/** What generators have yielded, where it lies in their pods. */
import { FarcallError, ResultError } from '../../core/errors.ts'
import { decodeRecords, readRecord, recordHeader } from '../../core/pack.ts'
import { ackFile, type JobSpec, memberItems, membersOf, paths, yieldsFile } from '../../core/protocol.ts'
import type { YieldPosition } from '../../core/yields.ts'
import type { StreamItem } from '../executor.ts'
import { type Api, ApiError } from './api.ts'
import { execIn } from './exec.ts'
import type { Following } from './following.ts'
import { containers, podPaths } from './names.ts'
import type { Pod } from './objects.ts'
import type { Persist } from './persistence.ts'
import { viewOf } from './pod-status.ts'
import { letGo, wholeFile } from './results.ts'
import type { TrackedJob } from './tracked-job.ts'

const readPart = '[ ! -f "$1" ] || tail -c "+$2" "$1" | head -c "$3"'
const acknowledge = 'umask 077; [ -d "$1" ] || exit 44; printf "%s %s\\n" "$3" "$4" >"$1/$2"'

/** What an item has yielded in an attempt before, which the next one is compared with. */
export interface EarlierYields {
  readonly member: number
  readonly item: number
  readonly content: Uint8Array
}

export class YieldFiles {
  readonly #api: Api
  readonly #following: Following
  readonly #persist: Persist

  constructor(api: Api, following: Following, persist: Persist) {
    this.#api = api
    this.#following = following
    this.#persist = persist
  }

  /** The values that lie there from byte `from` on: up to `limit` bytes, and one at least. None where the pod is gone. */
  async read(stream: StreamItem, from: number, limit: number): Promise<readonly Uint8Array[]> {
    const [job, pod] = this.#placeOf(stream)
    if (!pod) return []
    const file = `${runOf(job, stream.member)}/${yieldsFile(stream.item)}`
    const argv = ['sh', '-c', readPart, 'farcall', file, String(from + 1), String(limit)]
    const bytes = await this.#persist(() => execIn(this.#api, this.#keeperOf(pod), argv)).then(
      ({ stdout }) => stdout,
      (error) => {
        // It is over: who reads tells what is missing then.
        if (error instanceof ApiError) return Buffer.alloc(0)
        throw error
      },
    )
    const { records } = decodeRecords(bytes)
    if (records.length > 0) return records.map((record) => record.bytes)
    const record = await readRecord(async (at, length) => bytes.subarray(at, at + length), 0)
    const length = record ? recordHeader + record.length : 0
    // One value that is larger than all that.
    return length > bytes.length && length > limit ? this.read(stream, from, length) : []
  }

  /** @throws FarcallError COMMAND_FAILED while it has not begun */
  async acknowledge(stream: StreamItem, { count, bytes }: YieldPosition): Promise<void> {
    const [job, pod] = this.#placeOf(stream)
    if (job.ended.has(stream.member)) return
    const early = new FarcallError('COMMAND_FAILED', `job ${stream.id} has not begun to yield`, {
      transient: true,
    })
    if (!pod) throw early
    const words = [runOf(job, stream.member), ackFile(stream.item), String(count), String(bytes)]
    const argv = ['sh', '-c', acknowledge, 'farcall', ...words]
    try {
      const { exitCode } = await this.#persist(() => execIn(this.#api, this.#keeperOf(pod), argv))
      if (exitCode !== 0) throw early
    } catch (error) {
      // It is over, and waits for nobody.
      if (!(error instanceof ApiError)) throw error
    }
  }

  /**
   * Of attempts before this one. @throws ResultError RESULT_MISSING where values were told of and went with their pod: what
   * the next attempt yields could not be compared with them
   */
  async earlier(spec: JobSpec): Promise<EarlierYields[]> {
    const kept: EarlierYields[] = []
    for (const member of spec.stream ? membersOf(spec) : []) {
      const job = this.#following.last(spec.id, member)
      const pod = job.pods.get(job.laneOf(member))
      const { from, to } = memberItems(spec, member)
      for (let item = from; item < to; item++) {
        const isThere = pod !== undefined && viewOf(pod).kept
        const content = isThere ? await this.#whole(job, pod, member, item) : undefined
        if (content) kept.push({ member, item, content })
        else if ((job.yielded.get(`${member}.${item}`)?.bytes ?? 0) > 0)
          throw new ResultError(
            'RESULT_MISSING',
            `job ${spec.id} is not tried again: what it has yielded went with its pod, and nobody could tell whether it yields the same`,
            { hint: 'call the function again' },
          )
      }
    }
    return kept
  }

  /** Pods of attempts before this one need not wait any longer. */
  async letGoEarlier(spec: JobSpec): Promise<void> {
    const members = new Set(spec.stream ? membersOf(spec) : [])
    for (const job of this.#following.of(spec.id).filter((one) => one.spec.attempt < spec.attempt))
      for (const [lane, pod] of job.pods)
        if (viewOf(pod).kept && job.lanes[lane]!.every((member) => members.has(member)))
          await this.#persist(() => letGo(this.#api, pod))
  }

  async #whole(job: TrackedJob, pod: Pod, member: number, item: number): Promise<Uint8Array | undefined> {
    const file = `${runOf(job, member)}/${yieldsFile(item)}`
    try {
      return await this.#persist(() => wholeFile(this.#api, pod, file))
    } catch (error) {
      // It has yielded nothing, or its pod is over: seen by what was told.
      if (error instanceof ResultError) return undefined
      throw error
    }
  }

  #placeOf({ id, member, attempt }: StreamItem): [TrackedJob, Pod | undefined] {
    const job =
      this.#following.of(id).find(({ spec }) => spec.attempt === attempt) ?? this.#following.last(id, member)
    const pod = job.pods.get(job.laneOf(member))
    return [job, pod && viewOf(pod).kept ? pod : undefined]
  }

  #keeperOf(pod: Pod) {
    return { namespace: this.#api.access.namespace, pod: pod.metadata.name, container: containers.keeper }
  }
}

function runOf({ spec }: TrackedJob, member: number): string {
  return `${podPaths.workdir}/${paths.run(spec.id, spec.attempt, member)}`
}
