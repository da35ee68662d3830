import { ResultError } from '../../core/errors.ts'
import type { NodeNeed } from '../../core/interpreter.ts'
import { decodeRecords, type PackRecord } from '../../core/pack.ts'
import {
  type MemberEnd,
  needMagic,
  noticeMagic,
  progressMagic,
  protocolVersion,
  submissionOf,
  type TaskReport,
  type YieldNews,
  yieldMagic,
} from '../../core/protocol.ts'

export interface Notice {
  readonly end: MemberEnd
  /** All of the member's records when they were small enough to come along. */
  readonly records: readonly PackRecord[] | undefined
}

/** What an inbox held. */
export interface InboxContent {
  readonly ends: readonly Notice[]
  readonly reports: readonly TaskReport[]
  /** Of items of streams, with values that came along. */
  readonly yields: readonly { readonly news: YieldNews; readonly records: readonly Uint8Array[] }[]
  /** Of members that wait for a Node. */
  readonly needs: readonly NodeNeed[]
}

/** Reads what one `cat` of an inbox printed. A notice that is cut off ends the reading: it is read again. */
export function parseNotices(bytes: Uint8Array): InboxContent {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ends: Notice[] = []
  const reports: TaskReport[] = []
  const yields: InboxContent['yields'][number][] = []
  const needs: NodeNeed[] = []
  let at = 0
  while (at < all.length) {
    const newline = all.indexOf(10, at)
    if (newline < 0) break
    const header = all.toString('latin1', at, newline)
    const progress = new RegExp(`^${progressMagic} (\\d{1,6})$`).exec(header)
    if (progress) {
      at = newline + 1 + Number(progress[1])
      if (at > all.length) break
      reports.push(parseReport(all.toString('utf8', newline + 1, at)))
      continue
    }
    const match = new RegExp(`^(${noticeMagic}|${needMagic}|${yieldMagic}) (\\d{1,9}) (\\d{1,9})$`).exec(
      header,
    )
    if (!match)
      throw new ResultError('RESULT_CORRUPT', `no notice, but ${JSON.stringify(header.slice(0, 80))}`)
    const endStart = newline + 1
    const recordsStart = endStart + Number(match[2])
    const stop = recordsStart + Number(match[3])
    if (stop > all.length) break
    at = stop
    const text = all.toString('utf8', endStart, recordsStart)
    if (match[1] === needMagic) {
      needs.push(parseEnd<NodeNeed>(text))
      continue
    }
    if (match[1] === yieldMagic) {
      yields.push(parseYields(text, all.subarray(recordsStart, stop)))
      continue
    }
    const end = parseEnd(text)
    const { records, torn } = decodeRecords(all.subarray(recordsStart, stop))
    ends.push({ end, records: torn === undefined && records.length === end.items ? records : undefined })
  }
  return { ends, reports, yields, needs }
}

/** @throws ResultError RESULT_CORRUPT */
function parseReport(line: string): TaskReport {
  let report: TaskReport | undefined
  try {
    report = JSON.parse(line) as TaskReport
  } catch {
    // Said below, as of any other line that is none.
  }
  const isWhole =
    typeof report?.id === 'string' &&
    [report.attempt, report.member, report.sequence].every(Number.isInteger) &&
    Array.isArray(report.items) &&
    report.items.every((one) => Number.isInteger(one?.item) && typeof one.fraction === 'number')
  if (!isWhole)
    throw new ResultError('RESULT_CORRUPT', `a progress notice holds ${JSON.stringify(line.slice(0, 80))}`)
  return report!
}

/** Values that did not come whole are read from where they lie. @throws ResultError RESULT_CORRUPT */
function parseYields(line: string, bytes: Uint8Array): InboxContent['yields'][number] {
  let news: YieldNews | undefined
  try {
    news = JSON.parse(line) as YieldNews
  } catch {
    // Said below, as of any other line that is none.
  }
  const numbers = [news?.attempt, news?.member, news?.item, news?.sequence, news?.count, news?.bytes]
  const isWhole =
    typeof news?.id === 'string' &&
    [...numbers, news.from?.count, news.from?.bytes, news.differs ?? 0].every(isCount)
  if (!isWhole)
    throw new ResultError('RESULT_CORRUPT', `a notice of values holds ${JSON.stringify(line.slice(0, 80))}`)
  const { records, torn } = decodeRecords(bytes)
  const { from, count } = news!
  const areAll =
    torn === undefined &&
    records.length === count - from.count &&
    records.every(({ kind, index }, n) => kind === 'yield' && index === from.count + n)
  return { news: news!, records: areAll ? records.map((record) => record.bytes) : [] }
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0

/** Ends as `cat` prints them, a line each. */
export function parseEnds(text: string): MemberEnd[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => parseEnd(line))
}

/** Of lines of ends: for each member the last one of this submission. */
export function latestOf(ends: readonly MemberEnd[], attempt: number): MemberEnd[] {
  const latest = new Map<number, MemberEnd>()
  for (const end of ends) {
    const known = latest.get(end.member)
    if (submissionOf(end.attempt) === attempt && !(known && known.attempt > end.attempt))
      latest.set(end.member, end)
  }
  return [...latest.values()]
}

/** @throws ResultError RESULT_CORRUPT, PROTOCOL_NEWER */
export function parseEnd<T extends MemberEnd | NodeNeed = MemberEnd>(line: string): T {
  let end: T
  try {
    end = JSON.parse(line) as T
  } catch (cause) {
    throw new ResultError('RESULT_CORRUPT', `an end file holds ${JSON.stringify(line.slice(0, 80))}`, {
      cause,
    })
  }
  if (end === null || typeof end !== 'object' || typeof end.id !== 'string' || !Number.isInteger(end.member))
    throw new ResultError('RESULT_CORRUPT', `an end file holds ${JSON.stringify(line.slice(0, 80))}`)
  if (end.protocol > protocolVersion)
    throw new ResultError(
      'PROTOCOL_NEWER',
      `the job ${end.id} was written by a newer farcall (protocol ${end.protocol})`,
      {
        hint: `this one reads up to protocol ${protocolVersion}: update farcall`,
      },
    )
  return end
}
