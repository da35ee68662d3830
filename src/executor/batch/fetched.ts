import { decodeRecords, type PackRecord } from '../../core/pack.ts'

/** What recordsScript printed: the records of each run that are whole, and all bytes of packs that came. */
export function parsePacks(stdout: Uint8Array): { records: PackRecord[]; size: number } {
  const all = Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength)
  const end = all.indexOf('\n\n')
  if (end < 0) return { records: [], size: 0 }
  const records: PackRecord[] = []
  let at = end + 2
  for (const line of all.toString('latin1', 0, end).split('\n')) {
    const [, size] = /^ *(\d+) run\.\d+\.\d+\/out\.pack$/.exec(line) ?? []
    if (size === undefined) continue
    // A member that was killed leaves a torn last record; those of the others do not suffer from it.
    for (const record of decodeRecords(all.subarray(at, at + Number(size))).records) records.push(record)
    at += Number(size)
  }
  return { records, size: Math.max(0, all.length - end - 2) }
}

/** Members that are asked for together: so many, and so much at once as fits into memory beside all else. */
export function inBatches(
  members: readonly number[],
  sizeOf: (member: number) => number,
  most: { readonly members: number; readonly bytes: number },
): number[][] {
  const batches: number[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const member of members) {
    const size = sizeOf(member)
    const last = batches.at(-1)
    if (!last || last.length === most.members || bytes + size > most.bytes) {
      batches.push([member])
      bytes = size
    } else {
      last.push(member)
      bytes += size
    }
  }
  return batches
}
