import type { JobId } from '../../core/ids.ts'
import { type JobSpec, type MemberEnd, memberItems, membersOf } from '../../core/protocol.ts'
import { isFinal, type JobStatus, wholeStatus } from '../../core/status.ts'
import type { QueueSnapshot, Scheduler } from '../../scheduler/scheduler.ts'
import type { Standing } from '../executor.ts'
import type { FoundFiles } from './found.ts'
import { askAccounting, askQueue, type WatchedPlace } from './queue.ts'
import { entryOf } from './tasks.ts'
import { inWords, memberStatus } from './tracked-job.ts'
import { verdict } from './verdict.ts'

/** A submission, with the members whose last try it is. */
interface Try {
  readonly spec: JobSpec
  readonly nativeId: string
  readonly members: readonly number[]
  readonly ends: ReadonlyMap<number, MemberEnd>
}

/**
 * Where jobs stand, from their files, one question to the queue, and one to accounting about those that it does not show.
 * Where a scheduler is only processes, one that is not there is over: what it has left by then is looked at again.
 */
export async function standingOf(
  place: WatchedPlace,
  look: () => Promise<readonly FoundFiles[]>,
  goodForSeconds: number,
): Promise<ReadonlyMap<JobId, Standing>> {
  const { scheduler } = place
  let jobs = triesIn(await look())
  const open = jobs.flat().filter(({ members, ends }) => members.some((member) => !ends.has(member)))
  const queue =
    open.length > 0 ? (await askQueue(place, nativeIds(open), goodForSeconds)).snapshot : undefined
  if (scheduler.immediate && open.some((one) => isGone(one, queue, scheduler))) jobs = triesIn(await look())
  const unexplained = jobs
    .flat()
    .filter((one) => one.members.some((member) => isUnexplained(one, member, queue, scheduler)))
  const accounting = unexplained.length > 0 ? await askAccounting(place, nativeIds(unexplained)) : undefined
  return new Map(jobs.map((tries) => [tries[0]!.spec.id, sumOf(tries, { queue, accounting, scheduler })]))
}

const triesIn = (found: readonly FoundFiles[]) => found.map(triesOf).filter((tries) => tries.length > 0)

/** Some of its members have no end, and no process will leave one. */
function isGone(one: Try, queue: QueueSnapshot | undefined, scheduler: Scheduler): boolean {
  return one.members.some((member) => !one.ends.has(member) && !statusIn(queue, one, member, scheduler))
}

const nativeIds = (tries: readonly Try[]) => [...new Set(tries.map(({ nativeId }) => nativeId))]

function triesOf({ attempts }: FoundFiles): Try[] {
  const later = new Set<number>()
  const tries = attempts.toReversed().flatMap(({ spec, nativeId, ends }) => {
    if (nativeId === undefined) return []
    const members = [...membersOf(spec)].filter((member) => !later.has(member))
    for (const member of members) later.add(member)
    return [{ spec, nativeId, members, ends: new Map(ends.map((end) => [end.member, end])) }]
  })
  return tries.reverse()
}

/** A signal may have been a cancellation, and what left the queue without an end has a reason: accounting tells. */
function isUnexplained(one: Try, member: number, queue: QueueSnapshot | undefined, scheduler: Scheduler) {
  const end = one.ends.get(member)
  if (end) return end.reason === 'signal' || end.reason === 'out-of-memory'
  const shown = statusIn(queue, one, member, scheduler)
  return !shown || isFinal(shown.state)
}

function statusIn(
  snapshot: QueueSnapshot | undefined,
  one: Try,
  member: number,
  scheduler: Scheduler,
): JobStatus | undefined {
  const entry = entryOf(snapshot, one, scheduler)
  return entry && memberStatus(entry, member)
}

interface Answers {
  readonly queue: QueueSnapshot | undefined
  readonly accounting: QueueSnapshot | undefined
  readonly scheduler: Scheduler
}

/** Undefined: nobody tells. */
function statusOf(
  one: Try,
  member: number,
  { queue, accounting, scheduler }: Answers,
): JobStatus | undefined {
  const said = statusIn(accounting, one, member, scheduler)
  const end = one.ends.get(member)
  if (end) return endedAs(end, said, one.spec)
  const shown = statusIn(queue, one, member, scheduler)
  if (shown && !isFinal(shown.state)) return inWords(shown, one.spec, scheduler.explainWaiting).status
  // Its end may only be late: of what is said to be completed no more is known yet.
  if (said && said.state !== 'COMPLETED') return said
  return scheduler.immediate && queue && !shown ? killed : undefined
}

const killed: JobStatus = {
  state: 'FAILED',
  reason: 'lost',
  message: 'its process is gone and has left no end: it was killed, or the machine was started anew',
}

/** Nothing more is waited for. */
const atLast = {
  canceledByUs: false,
  waitedMs: Number.POSITIVE_INFINITY,
  graceMs: 0,
  hasAccounting: false,
}

function endedAs(end: MemberEnd, accounting: JobStatus | undefined, spec: JobSpec): JobStatus {
  return withThrown(verdict({ ...atLast, end, accounting }) ?? { state: 'ACTIVE' }, end, spec)
}

/** What threw has failed, however well its member ended. How a command ended, its end tells; of those that run side by side only their records, which are not read for this. */
export function withThrown(
  status: JobStatus,
  end: MemberEnd,
  { command }: Pick<JobSpec, 'command'>,
): JobStatus {
  if (status.state !== 'COMPLETED' || !end.thrown) return status
  return { ...status, state: 'FAILED', ...(command ? end.command : { reason: 'exception' }) }
}

/** Items of a member that is over: those that completed, and those that did not. */
export function countsOf(
  spec: JobSpec,
  member: number,
  { state }: JobStatus,
  end: MemberEnd | undefined,
): { done: number; failed: number } {
  const { from, to } = memberItems(spec, member)
  const thrown = end?.reason === undefined ? end?.thrown : undefined
  const failed = state === 'COMPLETED' ? 0 : thrown || to - from
  return { done: to - from - failed, failed }
}

function sumOf(tries: readonly Try[], answers: Answers): Standing {
  const statuses: (JobStatus | undefined)[] = []
  let [done, failed] = [0, 0]
  for (const one of tries)
    for (const member of one.members) {
      const status = statusOf(one, member, answers)
      statuses.push(status)
      if (!status || !isFinal(status.state)) continue
      const counts = countsOf(one.spec, member, status, one.ends.get(member))
      done += counts.done
      failed += counts.failed
    }
  const facts = { nativeId: tries.at(-1)!.nativeId, done, failed }
  const known = statuses.filter((status) => status !== undefined)
  if (known.length === 0) return facts
  // Where nobody tells of some, it is not over.
  const status = wholeStatus(known.length === statuses.length ? known : [...known, { state: 'ACTIVE' }])
  const times = known.flatMap(({ time }) => (time === undefined ? [] : [time]))
  const time = times.length > 0 && isFinal(status.state) ? { time: Math.max(...times) } : {}
  return { ...facts, status: { ...status, ...time } }
}
