import { formatSeconds } from '../../core/units.ts'
import type { ItemTime } from '../outcome/item-time.ts'
import type { Planned, PlanReason } from './plan.ts'
import { trial } from './probe.ts'

/** How console.log shows it; util.inspect.custom, whose declaration would need the types of Node. */
const inspectCustom: unique symbol = Symbol.for('nodejs.util.inspect.custom')

interface PlanFacts {
  readonly items: number
  readonly planned: Planned
  readonly itemTime: ItemTime | undefined
  readonly profile: string
  /** The executor's name. */
  readonly place: string
  readonly kept: string | undefined
  readonly notKept: string | undefined
  /** First items are tried on this machine. */
  readonly probed: boolean
  readonly timeSeconds: number | undefined
  /** Items of a member that run at once. */
  readonly parallel: number
  /** Items that one submission takes. */
  readonly most: number
}

/** Why a chunk is as large as it is, for people. */
const words: Record<PlanReason, string> = {
  chunk: 'as `chunk` says',
  'target-time': 'so that a member runs for targetTime',
  spread: 'so that there are some members to run at once',
  'time-limit': "so that a member fits into the job's time",
  'array-size': 'since the scheduler takes no more members of an array',
  'submit-limit': 'since you may have no more jobs submitted',
  cores: 'some for each core, to even out items of unequal length',
  start: 'so that a member does more work than its start costs',
  unknown: 'since nobody knows yet how long an item takes',
}

/**
 * What a map would be, from `remote.map.plan(items)`. As text it is a few lines for people; `console.log` shows those.
 * @example
 * import { cluster, type MapPlan } from 'farcall'
 *
 * const simulate = cluster((seed: number) => Math.sin(seed))
 * await simulate.map([1, 2, 3]) // now it is known how long an item takes
 * const plan: MapPlan = await simulate.map.plan([4, 5, 6, 7])
 * console.log(plan.members, plan.chunk, plan.itemTime?.from)
 * console.log(plan)
 */
export class MapPlan {
  readonly items: number
  /** Items of each array member. */
  readonly chunk: number
  readonly members: number
  /** A `chunk` of yours is kept: what does not fit into one submission goes into several. */
  readonly submissions: number
  /** Items of a member that run at once, by `coresPerItem` or `gpusPerItem`. */
  readonly parallel: number
  /** Members that run at once; undefined: as many as the queue lets. */
  readonly atOnce?: number
  /** How often so many begin together; undefined where the queue decides. */
  readonly waves?: number
  /** What decided on `chunk`. */
  readonly decidedBy: readonly PlanReason[]
  /** Seconds that an item takes: mean and standard deviation, and where they are known from. Absent: nobody knows. */
  readonly itemTime?: {
    readonly from: 'history'
    readonly seconds: number
    readonly deviation: number
    /** Items that this was measured of, and the profile that they ran with. */
    readonly measured: number
    readonly profile: string
  }
  /** Seconds that a member is expected to take. */
  readonly memberTime?: number
  /** Seconds that all of it is expected to take, without the wait in the queue; undefined where the queue decides. */
  readonly totalTime?: number
  /** The profile that it runs with. */
  readonly profile: string
  /** Its scheduler and machine: 'slurm on login.hpc.edu'. */
  readonly place: string
  /** Whether it stays on this machine since it has no more than `localThreshold` items. */
  readonly kept: boolean
  /** What there is to know beside. */
  readonly notes: readonly string[]

  /** @internal */
  constructor(facts: PlanFacts) {
    const { items, planned, itemTime, profile, place, kept, notKept, probed, timeSeconds, parallel, most } =
      facts
    const { chunk, members, atOnce, memberSeconds, decidedBy } = planned
    this.items = items
    this.chunk = chunk
    this.members = items === 0 ? 0 : members
    this.submissions = items === 0 ? 0 : Math.ceil(items / most)
    this.parallel = parallel
    this.decidedBy = decidedBy
    if (atOnce !== undefined) {
      this.atOnce = Math.min(atOnce, this.members)
      this.waves = Math.ceil(this.members / atOnce)
    }
    if (itemTime) this.itemTime = { from: 'history', ...itemTime }
    if (memberSeconds !== undefined) {
      this.memberTime = memberSeconds
      if (this.waves !== undefined) this.totalTime = this.waves * memberSeconds
    }
    this.profile = profile
    this.place = place
    this.kept = kept !== undefined
    const long = timeSeconds !== undefined && memberSeconds !== undefined && memberSeconds > timeSeconds
    this.notes = [
      ...(kept === undefined ? [] : [kept]),
      ...(notKept === undefined ? [] : [`localThreshold does not keep it here: ${notKept}`]),
      ...(probed
        ? [
            `not known yet: the first ${trial.items} items run on this machine before, for ${trial.seconds} s at most, and then it is planned`,
          ]
        : []),
      ...(long && chunk > parallel
        ? [
            `a member takes longer than its time of ${formatSeconds(timeSeconds)}: it is cut off, and goes on where it stopped`,
          ]
        : []),
      ...(long && chunk <= parallel
        ? [`an item takes longer than its time of ${formatSeconds(timeSeconds)}: ask for more`]
        : []),
    ]
  }

  toString(): string {
    const { items, members, chunk, itemTime, memberTime, atOnce, waves, parallel } = this
    const time =
      itemTime &&
      `${shown(itemTime.seconds)} ± ${shown(itemTime.deviation)}, measured of ${many(itemTime.measured, 'item')} with profile ${itemTime.profile}`
    const total = this.totalTime === undefined ? '' : `, ${shown(this.totalTime)} in all`
    const rows: [string, string][] = [
      ['where', `profile ${this.profile} (${this.place})`],
      ['chunk', `${many(chunk, 'item')}, ${this.decidedBy.map((reason) => words[reason]).join('; ')}`],
      ['an item', time ?? 'nobody knows: it has not run yet'],
      [
        'a member',
        `${memberTime === undefined ? '?' : shown(memberTime)}, ${many(parallel, 'item')} at once`,
      ],
      [
        'at once',
        atOnce === undefined
          ? 'as the queue lets'
          : `${many(atOnce, 'member')}, ${many(waves!, 'wave')}${total}`,
      ],
      ...this.notes.map((note): [string, string] => ['note', note]),
    ]
    const lines = rows.map(([name, text]) => `  ${name.padEnd(9)} ${text}`)
    const several = this.submissions > 1 ? `, ${many(this.submissions, 'submission')}` : ''
    return [
      `${many(items, 'item')} in ${many(members, 'member')}${several}`,
      ...(items === 0 ? [] : lines),
    ].join('\n')
  }

  [inspectCustom](): string {
    return this.toString()
  }
}

const many = (count: number, what: string) => `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`

function shown(seconds: number): string {
  if (seconds >= 1) return formatSeconds(seconds)
  return `${Number((seconds * 1000).toPrecision(2))} ms`
}
