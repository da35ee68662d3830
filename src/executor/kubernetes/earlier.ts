import { ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { encodeRecord } from '../../core/pack.ts'
import { type JobSpec, membersOf } from '../../core/protocol.ts'
import type { ResultRecord } from '../executor.ts'

/** Of earlier attempts' results, what goes along with the next one. */
const earlierLimit = 500_000

/** What members have done before that need not be done again, as far as there is room for it. */
export async function earlierRecords(
  spec: JobSpec,
  fetch: (id: JobId, members: readonly number[]) => AsyncIterable<ResultRecord>,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const again = new Set(spec.again)
  const kept = new Map<number, Uint8Array>()
  let room = earlierLimit
  for (const member of membersOf(spec)) {
    const records: ResultRecord[] = []
    try {
      for await (const record of fetch(spec.id, [member])) records.push(record)
    } catch (error) {
      // Their pod is over: they run again.
      if (!(error instanceof ResultError && error.code === 'RESULT_MISSING')) throw error
    }
    const done = records.filter(({ kind, index }) => kind === 'value' || !again.has(index))
    const bytes = Buffer.concat(done.flatMap((record) => encodeRecord(record)))
    if (bytes.length === 0 || bytes.length > room) continue
    room -= bytes.length
    kept.set(member, bytes)
  }
  return kept
}
