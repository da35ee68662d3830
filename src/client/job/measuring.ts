import { systemClock } from '../../core/clock.ts'
import type { JobEnvironment } from '../../core/job-environment.ts'
import { LazyMap } from '../../core/lazy.ts'
import type { JobSpec } from '../../core/protocol.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import { type JobArrayUsage, type JobUsage, type Measured, mergeMeasured } from '../../core/usage.ts'
import { storeDirFor } from '../options/settings.ts'
import { dressed } from '../outcome/dress.ts'
import { type Measures, noMeasures } from '../outcome/measures.ts'
import { arrayUsageOf, usageOf } from '../outcome/usage.ts'
import type { Session } from '../session/session.ts'
import type { Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import { recorderOf } from '../submission/recorder.ts'
import type { Submission } from '../submission/submission.ts'

/** For how long a member's end is waited for: it is written right after the last result, and may be seen late. */
const endMs = 30_000
/** Of a member of a chunk whose other items still run, no end comes soon; of a job that is not followed, perhaps none. */
const unlikelyEndMs = 1_000

interface Known {
  readonly spec: JobSpec
  readonly measures: Measures
}

/** @internal */
export async function jobUsage(handle: Handle, item: Item): Promise<JobUsage> {
  const { submission } = handle
  const { spec, measures } = await known(handle, item)
  const asked = submission.submitted ? submission.specOf(memberOf(spec, item)) : spec
  // What `attach` gave may stand for all of them.
  const items = submission.views.itemsBehind(item)
  if (items.length > 1 || (items.length === 0 && spec.items > 1 && item.index === 0))
    return dressed(arrayUsage(spec, asked, measures))
  const measured = measures.members.get(memberOf(spec, items[0] ?? item)) ?? {}
  return dressed(usageOf(asked, { ...soFar(item.status), ...measured }))
}

/** Of all submissions of a map together. @internal */
export async function jobArrayUsage(handles: readonly Handle[]): Promise<JobArrayUsage> {
  const all = await Promise.all(handles.map((handle) => known(handle, handle.submission.items[0])))
  const measured = new Map<number, Measured>()
  const memberOfItem: number[] = []
  let before = 0
  for (const { spec, measures } of all) {
    for (const member of membersOfItems(spec)) memberOfItem.push(before + member)
    for (const [member, one] of measures.members) measured.set(before + member, one)
    before += Math.ceil(spec.items / spec.chunk)
  }
  return dressed(arrayUsageOf(all[0]?.spec ?? nothingAsked, measured, memberOfItem))
}

function arrayUsage(spec: JobSpec, asked: JobSpec, { members }: Measures): JobArrayUsage {
  return arrayUsageOf(asked, new Map(members), membersOfItems(spec))
}

const membersOfItems = ({ items, chunk }: JobSpec) =>
  Array.from({ length: items }, (_, index) => Math.floor(index / chunk))

/** @internal */
export async function jobEnvironment(handle: Handle, item: Item): Promise<JobEnvironment | undefined> {
  const { spec, measures } = await known(handle, item, false)
  const member = memberOf(spec, handle.submission.views.itemsBehind(item)[0] ?? item)
  const whole = [...measures.environments.values()].find(({ variables }) => variables)
  const own = measures.environments.get(member)
  return own && whole ? ({ ...whole, ...own } as JobEnvironment) : undefined
}

const memberOf = ({ chunk }: JobSpec, { index }: Item) => Math.floor(index / chunk)

/** Of one that runs, as this process sees it. */
function soFar({ state, time }: JobStatus): Measured {
  return state === 'ACTIVE' && time !== undefined ? { elapsed: Math.max(0, Date.now() - time) / 1000 } : {}
}

/**
 * What the job's end said, and what its place can tell beside; or, when it is no longer there, what was recorded.
 * @throws whatever keeps the job from being found, when there is no record either
 */
async function known(handle: Handle, item: Item | undefined, ask = true): Promise<Known> {
  handle.seal()
  const { submission } = handle
  let session: Session
  try {
    session = await handle.session
  } catch (error) {
    const record = await recorded(submission.id)
    if (record) return record
    throw error
  }
  // A cached call: nothing was submitted for it.
  const ranAs = submission.front ? item?.ranAs : undefined
  const record = ranAs === undefined ? undefined : await recorded(ranAs.replace(/\[.*/, ''))
  if (record) return record
  const spec = submission.submitted?.spec
  if (!spec) return { spec: nothingAsked, measures: noMeasures() }
  await endsOf(submission, item ? submission.views.itemsBehind(item) : submission.items, session)
  if (ask) await askPlace(submission)
  return { spec, measures: submission.measures }
}

/** A call whose result was known: it asked for nothing. */
const nothingAsked = { items: 1, chunk: 1, resources: {} } as unknown as JobSpec

async function recorded(id: string): Promise<Known | undefined> {
  const recorder = recorderOf(await storeDirFor())
  recorder.flush()
  const record = recorder.store.get(id)
  if (!record?.usage) return undefined
  const { members, environments } = record.usage
  return {
    spec: record.spec,
    measures: { ...noMeasures(), members: new LazyMap(members), environments: new LazyMap(environments) },
  }
}

/** Results may be here a moment before the ends of the members that left them. */
async function endsOf(submission: Submission, items: readonly Item[], session: Session): Promise<void> {
  const members = membersThatEnd(submission, items)
  if (members.length === 0) return
  const { spec } = submission.submitted!
  const running = new Set<number>()
  for (const item of submission.items) if (!isFinal(item.status.state)) running.add(memberOf(spec, item))
  const isFollowed = session.expectsEndsOf(submission)
  const isLikely = (member: number) => isFollowed && !running.has(member)
  const [likely, unlikely] = [members.filter(isLikely), members.filter((member) => !isLikely(member))]
  await Promise.all([endsWithin(endMs, submission, likely), endsWithin(unlikelyEndMs, submission, unlikely)])
}

async function endsWithin(ms: number, submission: Submission, members: readonly number[]): Promise<void> {
  if (members.length === 0) return
  const stop = new AbortController()
  const ends = Promise.all(members.map((member) => submission.whenMeasured(member)))
  await Promise.race([ends, systemClock.sleep(ms, stop.signal)])
  stop.abort()
}

/** Of these items' members, those whose end is still to come, since they have left results. */
function membersThatEnd({ measures, nativeId, submitted }: Submission, items: readonly Item[]): number[] {
  if (nativeId === undefined) return []
  const left = items.filter(({ status }) => status.state === 'COMPLETED' || status.reason === 'exception')
  const members = new Set(left.map((item) => memberOf(submitted!.spec, item)))
  return [...members].filter((member) => !measures.ended.has(member))
}

/** Accounting knows of child processes and of members that were killed; of what runs, the place knows alone. */
async function askPlace(submission: Submission): Promise<void> {
  const { measures, id } = submission
  const { executor } = submission.submitted!
  if (!executor.measure || measures.complete || submission.nativeId === undefined) return
  const over = submission.items.every(({ status }) => isFinal(status.state))
  try {
    for (const [member, measured] of await executor.measure(id))
      measures.members.set(member, mergeMeasured(measures.members.get(member) ?? {}, measured))
  } catch (error) {
    // What the job itself has told stands without.
    if (!over || measures.members.size === 0) throw error
    return
  }
  if (!over || membersThatEnd(submission, submission.items).length > 0) return
  measures.complete = true
  submission.records?.over(submission.status, measures)
}
