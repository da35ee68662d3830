import { closeSync, existsSync, fstatSync, openSync, readdirSync } from 'node:fs'
import { type RecordKind, readRecord } from '../src/core/pack.ts'
import { type JobSpec, memberItems } from '../src/core/protocol.ts'
import type { Place } from './arguments.ts'
import { readExactly } from './bundle.ts'
import type { Output } from './output.ts'

const pieceSize = 2 ** 30

/** Folders of earlier attempts of this member, the newest first. */
export function earlierRuns(place: Place): { attempt: number; folder: string }[] {
  if (place.attempt === 1) return []
  const runs: { attempt: number; folder: string }[] = []
  for (const name of readdirSync(place.job)) {
    const [, attempt, member] = /^run\.(\d+)\.(\d+)$/.exec(name) ?? []
    if (Number(member) === place.member && Number(attempt) < place.attempt)
      runs.push({ attempt: Number(attempt), folder: `${place.job}/${name}` })
  }
  return runs.sort((a, b) => b.attempt - a.attempt)
}

/**
 * Takes over what earlier attempts of this member have done: their records become this one's, so that the last
 * out.pack has all there is. Gives the items that need not run again.
 */
export async function keepEarlier(
  place: Place,
  spec: JobSpec,
  output: Output,
): Promise<Map<number, RecordKind>> {
  const kept = new Map<number, RecordKind>()
  const again = new Set(spec.again)
  const { from, to } = memberItems(spec, place.member)
  for (const { attempt, folder } of earlierRuns(place)) {
    const path = `${folder}/out.pack`
    if (!existsSync(path)) continue
    const file = openSync(path, 'r')
    try {
      const { size } = fstatSync(file)
      const read = async (at: number, length: number) =>
        readExactly(file, at, Math.max(0, Math.min(length, size - at)))
      for (let at = 0; ; ) {
        const found = await readRecord(read, at)
        if (!found || found.start + found.length > size) break
        at = found.start + found.length
        const { index, kind } = found
        const counts = kind === 'value' || !again.has(index) || attempt >= spec.attempt
        if (kept.has(index) || index < from || index >= to || !counts) continue
        const check = found.check()
        const bytes: Uint8Array[] = []
        for (let done = 0; done < found.length; done += pieceSize) {
          const piece = readExactly(file, found.start + done, Math.min(pieceSize, found.length - done))
          check.add(piece)
          bytes.push(piece)
        }
        if (!check.matches()) break
        output.append({ kind, index, bytes })
        kept.set(index, kind)
      }
    } finally {
      closeSync(file)
    }
  }
  return kept
}
