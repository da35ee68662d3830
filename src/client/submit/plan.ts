/** How the items of a map are dealt to array members. Pure. */
import type { ExecutorTraits } from '../../executor/executor.ts'
import type { ItemTime } from '../outcome/item-time.ts'

/**
 * What decided on a chunk. `chunk`: you did; `target-time`: a member is to run for that long; `spread`:
 * there are some members to run at once, where that still gives each enough to do; `time-limit`: it must fit
 * into the job's `time`; `array-size`: the scheduler takes no more members; `submit-limit`: you may
 * have no more submitted; `cores`: some chunks for each core of this
 * machine, to even out items of unequal length; `start`: a member does at least as much work as its start costs;
 * `unknown`: nobody knows yet how long an item takes, so that a member has no more than it runs at once.
 */
export type PlanReason =
  | 'chunk'
  | 'target-time'
  | 'spread'
  | 'time-limit'
  | 'array-size'
  | 'submit-limit'
  | 'cores'
  | 'start'
  | 'unknown'

/** How items are dealt to array members. */
export interface Plan {
  readonly chunk: number
  readonly members: number
}

export interface Planned extends Plan {
  readonly decidedBy: readonly PlanReason[]
  /** Members that run at once; undefined: as the queue has it. */
  readonly atOnce?: number
  /** Seconds that a whole chunk is expected to take. */
  readonly memberSeconds?: number
}

export interface Facts {
  readonly items: number
  readonly chunk: number | 'auto'
  readonly traits: Pick<ExecutorTraits, 'maxMembers' | 'maxSubmitted' | 'slots'>
  /** Of each member. */
  readonly cores?: number
  /** Items of a member that run at once. */
  readonly slots?: number
  readonly concurrency?: number | undefined
  readonly itemTime?: ItemTime | undefined
  /** For so long a member is to run. */
  readonly targetSeconds?: number | undefined
  /** The members' time limit. */
  readonly timeSeconds?: number | undefined
}

/** Where there is a queue, a member should be worth its wait; where there is none, short ones even out. */
const targets = { queued: 120, immediate: 10 }
/** Chunks for each free core where there is no queue: enough to even out items of unequal length. */
const chunksPerSlot = 4
/** Where jobs queue, so many members at least, of so many seconds: a map that is not large comes back sooner. */
const spread = { members: 8, seconds: 10 }
/** A Node and a bundle are begun for each member, seconds: below that the start costs more than the work. */
const startSeconds = 0.5
/** Of a time limit: the rest is for the start, and for items that take longer than others. */
const usablePart = 0.8
const startMargin = 10
/** Nothing is measured to be shorter, seconds. */
const shortest = 1e-6
/** 48 times 1 s is 48 s, whatever the last bits say. */
const rounding = 1 + 1e-9

export function planMembers(facts: Facts): Planned {
  const { items, chunk, traits, slots = 1, itemTime, concurrency, cores = 1 } = facts
  const room = traits.slots === undefined ? undefined : Math.max(1, Math.floor(traits.slots / cores))
  const atOnce = concurrency ?? room
  const reasons: PlanReason[] = []
  let size = 0
  const choose = (wanted: number, reason: PlanReason) => {
    size = Math.max(1, wanted)
    reasons.splice(0, reasons.length, reason)
  }
  const seconds = itemTime && Math.max(shortest, itemTime.seconds)
  if (chunk !== 'auto') choose(chunk, 'chunk')
  else if (seconds === undefined) {
    if (atOnce === undefined || room === undefined) choose(slots, 'unknown')
    else choose(evenly(items, atOnce, slots), 'cores')
  } else {
    const target = facts.targetSeconds ?? (room === undefined ? targets.queued : targets.immediate)
    choose(slots * Math.max(1, Math.floor((target / seconds) * rounding)), 'target-time')
    if (room === undefined && facts.targetSeconds === undefined) {
      const some = rounds(items / Math.min(spread.members, atOnce ?? spread.members), slots)
      const wanted = Math.max(some, rounds((slots * spread.seconds) / seconds, slots))
      if (wanted < Math.min(size, items)) choose(wanted, 'spread')
    }
    if (room !== undefined && atOnce !== undefined) {
      const even = evenly(items, atOnce, slots)
      if (even < size) choose(even, 'cores')
      const least = rounds((slots * startSeconds) / seconds, slots)
      if (size < Math.min(least, items)) choose(least, 'start')
    }
    const fit = facts.timeSeconds && slots * roundsWithin(facts.timeSeconds, seconds, itemTime!.deviation)
    if (fit && fit < Math.min(size, items)) choose(fit, 'time-limit')
  }
  size = Math.min(size, Math.max(1, items))
  const least = (most = Number.POSITIVE_INFINITY) => Math.ceil(items / most)
  if (least(traits.maxMembers) > size) choose(least(traits.maxMembers), 'array-size')
  if (chunk === 'auto' && least(traits.maxSubmitted) > size)
    choose(least(traits.maxSubmitted), 'submit-limit')
  if (chunk === 'auto') {
    const even = Math.ceil(items / Math.ceil(items / size) / slots) * slots
    if (even > 0) size = Math.min(size, even)
  }
  return {
    chunk: size,
    members: Math.max(1, Math.ceil(items / size)),
    decidedBy: reasons,
    ...(atOnce === undefined ? {} : { atOnce }),
    ...(seconds === undefined
      ? {}
      : { memberSeconds: Math.ceil(Math.min(size, items) / slots) * itemTime!.seconds }),
  }
}

/** Whole rounds of what a member runs at once. */
const rounds = (items: number, slots: number) => slots * Math.max(1, Math.ceil(items / slots))

const evenly = (items: number, atOnce: number, slots: number) =>
  rounds(items / (atOnce * chunksPerSlot), slots)

/** Items, one after the other, that a member gets done within a time limit, even if they take longer than most. */
function roundsWithin(limit: number, seconds: number, deviation: number): number {
  const usable = Math.min(limit * usablePart, limit - startMargin)
  if (usable <= seconds) return 1
  // n items take n * seconds + 3 * deviation * sqrt(n), or less.
  const spread = 3 * deviation
  const root = (Math.sqrt(spread ** 2 + 4 * seconds * usable) - spread) / (2 * seconds)
  return Math.max(1, Math.floor(root ** 2 * rounding))
}
