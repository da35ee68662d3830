/** What a container printed: logs of members, and lines by which the pod speaks to us. */
import { decodeRecords, type PackRecord } from '../../core/pack.ts'
import type { TaskReport } from '../../core/protocol.ts'
import { type Notice, parseNotices } from '../batch/notices.ts'

export interface PodNotice extends Notice {
  /** Records that came along, although others may be missing: of items that were left out. */
  readonly came: readonly PackRecord[]
}

export interface KeeperLog {
  /** Of members that said how they ended. */
  readonly notices: ReadonlyMap<number, PodNotice>
  /** How far those that run say they are, by member, the last that was said. */
  readonly reports: ReadonlyMap<number, TaskReport>
  /** Nothing more comes: 'done', or 'waiting' for somebody to fetch what is large. */
  readonly state: 'open' | 'done' | 'waiting'
}

/** Reads what the keeper said. Lines may be cut off at both ends, by rotation and by being read too early. */
export function readKeeperLog(text: string, mark: string): KeeperLog {
  const notices = new Map<number, PodNotice>()
  const reports = new Map<number, TaskReport>()
  let state: KeeperLog['state'] = 'open'
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${mark} `)) continue
    const [, word, member, base64] = line.split(' ')
    if (word === 'done' || word === 'waiting') state = word
    if (base64 === undefined) continue
    if (word === 'progress') {
      const [report] = parseNotices(Buffer.from(base64, 'base64')).reports
      if (report) reports.set(Number(member), report)
    }
    if (word !== 'notice') continue
    const notice = readNotice(base64)
    if (notice) notices.set(Number(member), notice)
  }
  return { notices, reports, state }
}

/** Undefined: it is not whole. */
export function readNotice(base64: string): PodNotice | undefined {
  const bytes = Buffer.from(base64, 'base64')
  const notice = parseNotices(bytes).ends[0]
  if (!notice) return undefined
  const [, end] = bytes.toString('latin1', 0, bytes.indexOf(10)).split(' ')
  const { records } = decodeRecords(bytes.subarray(bytes.indexOf(10) + 1 + Number(end)))
  return { ...notice, came: records }
}

/** The log of one member, out of that of its container. */
export function memberLog(bytes: Buffer, mark: string, member: number): Buffer {
  const starts = Buffer.from(`${mark} `)
  const parts: Buffer[] = []
  // A log that was rotated begins in the middle of somebody's; of the only one, where nobody else's follows.
  let own: boolean | undefined
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(10, at)
    const end = newline < 0 ? bytes.length : newline + 1
    const line = bytes.subarray(at, end)
    at = end
    if (!line.subarray(0, starts.length).equals(starts)) {
      if (own ?? true) parts.push(line)
      continue
    }
    const [, word, number] = line.toString('latin1').trim().split(' ')
    // What stood before this goes on after it: the end of its line was not its own.
    if (word === 'glue' && (own ?? true) && parts.length > 0) parts.push(parts.pop()!.subarray(0, -1))
    if (word !== 'log') continue
    if (own === undefined) parts.length = 0
    own = Number(number) === member
  }
  return Buffer.concat(parts)
}
