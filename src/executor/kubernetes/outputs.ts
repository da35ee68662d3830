import type { JobId } from '../../core/ids.ts'
import type { RecordKind } from '../../core/pack.ts'
import { memberItems } from '../../core/protocol.ts'
import type { ResultRecord } from '../executor.ts'
import type { Api } from './api.ts'
import type { Following } from './following.ts'
import type { Persist } from './persistence.ts'
import { viewOf } from './pod-status.ts'
import { keeperSays, logOf, recordsOf, saveRecord } from './results.ts'
import type { TrackedJob } from './tracked-job.ts'

/** Results and logs of jobs that are followed, from wherever they lie by now. */
export class Outputs {
  readonly #api: Api
  readonly #following: Following
  readonly #persist: Persist

  constructor(api: Api, following: Following, persist: Persist) {
    this.#api = api
    this.#following = following
    this.#persist = persist
  }

  async *fetch(id: JobId, members: readonly number[]): AsyncIterable<ResultRecord> {
    for (const member of members) {
      const job = this.#following.last(id, member)
      const { from, to } = memberItems(job.spec, member)
      const lane = job.laneOf(member)
      const pod = job.pods.get(lane)
      if (!pod) continue
      const small = await this.#persist(() => keeperSays(this.#api, job, lane, pod))
      const came = small.notices.get(member)?.came ?? []
      const read = () => recordsOf(this.#api, job, member, pod)
      const records = came.length > 0 || !viewOf(pod).kept ? came : await this.#persist(read)
      for (const record of records) if (record.index >= from && record.index < to) yield record
      this.#delivered(job, member)
    }
  }

  async save(id: JobId, member: number, item: number, localPath: string): Promise<RecordKind | undefined> {
    const job = this.#following.last(id, member)
    const pod = job.pods.get(job.laneOf(member))
    if (!pod) return undefined
    const kind = await this.#persist(() => saveRecord(this.#api, job, member, pod, item, localPath))
    const { from, to } = memberItems(job.spec, member)
    if (to - from === 1) this.#delivered(job, member)
    return kind
  }

  #delivered(job: TrackedJob, member: number): void {
    if (!job.ended.has(member)) return
    job.delivered.add(member)
    this.#following.makeRoom()
  }

  async logs(
    id: JobId,
    member: number,
    stream: 'stdout' | 'stderr',
    from: number,
  ): Promise<{ bytes: Uint8Array; ended: boolean }> {
    const job = this.#following.last(id, member)
    // Asked before the log is read: what is written until the end is then in it.
    const ended = job.ended.has(member)
    const pod = job.pods.get(job.laneOf(member))
    const bytes = pod
      ? await this.#persist(() => logOf(this.#api, job, member, pod, stream, from))
      : new Uint8Array()
    return { bytes, ended }
  }
}
