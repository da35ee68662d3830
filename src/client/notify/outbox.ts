import { setTimeout as wait } from 'node:timers/promises'
import type { Notification } from '../../core/notification.ts'
import type { Target } from './endpoints.ts'
import { Lane, type LaneTools } from './lane.ts'
import { post } from './post.ts'
import { eventKey, isOfJob, isWanted } from './text.ts'

/** Where it is noted who was told what of a job, so that nobody is told twice. */
export interface Ledger {
  /** Whether it is ours to tell. */
  claim(notice: string): boolean
  told(notice: string): void
  release(notice: string): void
}

/** A program that ends waits so long for what is on its way. */
const endsMs = 5_000

const tools: LaneTools = {
  send: (parcel, signal) => post(parcel, signal, Date.now),
  sleep: async (ms, signal) => {
    // A wait that was cut short is over all the same.
    await wait(ms, undefined, { signal, ref: false }).catch(() => undefined)
  },
  random: Math.random,
  warn: warnOfNotify,
}

export function warnOfNotify(message: string): void {
  process.emitWarning(`farcall: ${message}`)
}

const lanes = new Map<string, Lane>()

/** What keeps notifications from being written, for a little while. */
const due = new Set<Promise<void>>()

/** Sends a notification to those who want it; returns at once. */
export function deliver(notification: Notification, targets: readonly Target[], ledger?: Ledger): void {
  for (const target of targets) {
    const { name, on } = target
    if (!isWanted(on, notification)) continue
    const notice = isOfJob(notification) ? `${eventKey(notification)} ${name}` : ''
    if (notice !== '' && ledger && !ledger.claim(notice)) continue
    const of = isOfJob(notification) ? `job ${notification.id}` : `a report of ${notification.profile}`
    const dropped = () => ledger?.release(notice)
    try {
      laneOf(name).add({ parcel: target.parcel(notification), of, told: () => ledger?.told(notice), dropped })
    } catch (error) {
      // The template gives for this one what cannot be sent.
      dropped()
      warnOfNotify(`${name} was not told of ${of}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

function laneOf(name: string): Lane {
  const lane = lanes.get(name) ?? new Lane(name, tools)
  lanes.set(name, lane)
  return lane
}

/** Something that will be told of once it is done; it takes no longer than a moment. */
export function willTell(work: Promise<void>): void {
  const done = work.finally(() => due.delete(done))
  due.add(done)
}

/** Resolves when all that has happened is on its way. */
export async function whenTold(): Promise<void> {
  while (due.size > 0) await Promise.all(due)
}

/** Waits until all has arrived, a few seconds at most; what has not by then is dropped, with a warning. */
export async function endNotices(): Promise<void> {
  await whenTold()
  const all = [...lanes.values()]
  const enough = new AbortController()
  const arrived = Promise.all(all.map((lane) => lane.idle)).then(() => enough.abort())
  // It keeps the program alive for so long; that it is cut short is no failure.
  await Promise.race([arrived, wait(endsMs, undefined, { signal: enough.signal }).catch(() => undefined)])
  await Promise.all(all.map((lane) => lane.end()))
}
