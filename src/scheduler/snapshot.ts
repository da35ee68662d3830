import { isFinal, type JobStatus } from '../core/status.ts'
import type { QueueEntry, QueueSnapshot } from './scheduler.ts'

/** Gathers what a scheduler says line by line, for whole jobs and for members of arrays. */
export class SnapshotBuilder {
  readonly #jobs = new Map<string, JobStatus>()
  readonly #arrays = new Map<string, { members: Map<number, JobStatus>; rest?: JobStatus }>()

  job(nativeId: string, status: JobStatus): void {
    this.#jobs.set(nativeId, status)
  }

  member(nativeId: string, member: number, status: JobStatus): void {
    this.#array(nativeId).members.set(member, status)
  }

  rest(nativeId: string, status: JobStatus): void {
    this.#array(nativeId).rest = status
  }

  build(): QueueSnapshot {
    const snapshot = new Map<string, QueueEntry>()
    for (const [id, status] of this.#jobs) snapshot.set(id, { status })
    for (const [id, { members, rest = this.#jobs.get(id) }] of this.#arrays) {
      const all = [...members.values(), ...(rest ? [rest] : [])]
      if (all.length > 0) snapshot.set(id, { status: summarize(all), members, ...(rest && { rest }) })
    }
    return snapshot
  }

  #array(nativeId: string) {
    const known = this.#arrays.get(nativeId)
    if (known) return known
    const array = { members: new Map<number, JobStatus>() }
    this.#arrays.set(nativeId, array)
    return array as { members: Map<number, JobStatus>; rest?: JobStatus }
  }
}

const progress = { NEW: 0, QUEUED: 1, ACTIVE: 2 } as const

/** An array as a whole: the most advanced state while any member is not over; then how the worst one ended. */
function summarize(statuses: readonly JobStatus[]): JobStatus {
  const going = statuses.filter((status) => !isFinal(status.state))
  if (going.length > 0) {
    return going.reduce((best, status) =>
      progress[status.state as keyof typeof progress] > progress[best.state as keyof typeof progress]
        ? status
        : best,
    )
  }
  return (
    statuses.find((status) => status.state === 'FAILED') ??
    statuses.find((status) => status.state === 'CANCELED') ??
    statuses[0]!
  )
}

/** 3,7-9 */
export function writeIndexes(members: readonly number[]): string {
  const parts: [number, number][] = []
  for (const member of [...members].sort((a, b) => a - b)) {
    const last = parts.at(-1)
    if (last && member <= last[1] + 1) last[1] = member
    else parts.push([member, member])
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

/** The numbers of `0-2,7,10-20:5`; undefined when it is something else or names more than `most`. */
export function readIndexes(expression: string, most = 1_000_000): number[] | undefined {
  const numbers: number[] = []
  for (const part of expression.split(',')) {
    const match = /^(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?$/.exec(part)
    if (!match) return undefined
    const from = Number(match[1])
    const to = Number(match[2] ?? match[1])
    const step = Number(match[3] ?? 1)
    if (step < 1 || numbers.length + (to - from) / step >= most) return undefined
    for (let index = from; index <= to; index += step) numbers.push(index)
  }
  return numbers
}
