/** Jobs whose values are arguments of a submission: how each comes to where it runs, and what happens when one fails. */
import type { JobId } from '../../core/ids.ts'
import type { ParentJob, ParentsSpec } from '../../core/protocol.ts'
import { isFinal } from '../../core/status.ts'
import { splitOptions } from '../options/split-options.ts'
import { canceledBefore } from '../outcome/failures.ts'
import type { Session } from '../session/session.ts'
import { ended } from '../submission/ended.ts'
import { isFailed, want } from '../submission/item.ts'
import { parentFailure, statusOf } from '../submission/parent-failure.ts'
import { keyOf, type Parent, type ParentItem, releaseParent } from '../submission/parents.ts'
import type { Submission } from '../submission/submission.ts'
import type { Request } from './submit.ts'

/** What a submission gets of the jobs among its arguments. */
export interface FromParents {
  /** Those whose values are read from files where it runs. */
  readonly there: readonly Parent[]
  /** Values that go along, in the order of `spec.sent`. */
  readonly sent: readonly Uint8Array[]
  readonly spec?: Omit<ParentsSpec, 'from' | 'jobs'>
}

const nothing: FromParents = { there: [], sent: [] }
/** Each is a folder that is marked when the job is submitted. */
const mostJobs = 500

type Come = { readonly parent: Parent } & (
  | { readonly value: unknown }
  | { readonly error: unknown }
  | { readonly there: true }
)

/**
 * Finds out how the values come. Those that lie at the same place, or soon will, are read there, and nobody waits for
 * them here; the others are waited for, fetched and sent. Items whose jobs have failed are settled.
 * @throws what the first of them has come to, when no item is left to run
 */
export async function takeParents(
  submission: Submission,
  asked: Request,
  session: Session,
): Promise<FromParents> {
  const parents = new Map(asked.inputs.parents.flat().map((parent) => [parent.key, parent]))
  if (parents.size === 0) return nothing
  tellWaiting(submission, asked)
  // A call that is to be found again has to be known by the values themselves.
  const mayStay = splitOptions(asked.options).cache !== true
  const held = new Set<JobId>()
  const coming = [...parents.values()].map((parent) => come(parent, mayStay, session, submission, held))
  const all = await unlessCanceled(submission, Promise.all(coming))
  const there: Parent[] = []
  const sent = new Map<string, Uint8Array>()
  const arrays: Record<string, readonly string[]> = {}
  for (const one of all) {
    const { parent } = one
    if ('error' in one) continue
    const isArray = parent.isArray()
    const keys = parent.items().map(keyOf)
    if (isArray) arrays[parent.key] = keys
    if ('there' in one) {
      there.push(parent)
      for (const { item, submission: from } of parent.items()) if (!from.views.any) item.passedOn = true
      for (const { submission: from } of parent.items())
        asked.snapshot.bring(from.decoder?.classes.values() ?? [])
      continue
    }
    // Each item was encoded by itself, and is one value however often it is named.
    for (const [at, key] of keys.entries()) {
      const own = isArray ? (one.value as readonly unknown[])[at] : one.value
      if (!sent.has(key)) sent.set(key, asked.snapshot.encode(own, `the value of job ${key}`))
    }
  }
  const failed = new Map(all.flatMap((one) => ('error' in one ? [[one.parent.key, one.error]] : [])))
  failItems(submission, asked.inputs.parents, asked.snapshot.name, failed)
  return { there, sent: [...sent.values()], spec: { sent: [...sent.keys()], arrays } }
}

async function come(
  parent: Parent,
  mayStay: boolean,
  session: Session,
  submission: Submission,
  held: Set<JobId>,
): Promise<Come> {
  try {
    if (mayStay && (await liesThere(parent, session, submission, held))) {
      const items = parent.items()
      // What failed may be tried again there: its last try is waited for, its value is not.
      if (items.some((one) => mayBeTriedAgain(one))) await ended(items)
      if (!items.some(({ item }) => isFailed(item))) return { parent, there: true }
    }
    await parent.ready
    for (const { item } of parent.items()) want(item)
    return { parent, value: await parent.value() }
  } catch (error) {
    return { parent, error }
  } finally {
    releaseParent(submission, parent)
  }
}

/** Whether its value is, or will be, in files that the submission can read where it runs; these then stay. */
async function liesThere(
  parent: Parent,
  session: Session,
  submission: Submission,
  held: Set<JobId>,
): Promise<boolean> {
  await parent.ready
  const sessions = await Promise.all(parent.handles.map((handle) => handle.session))
  // What the place can do is known once it was opened.
  const { sharedFiles, dependencies } = session.executor.traits
  if (!sharedFiles || !dependencies || sessions.some((one) => one !== session)) return false
  const submissions = new Set(parent.items().map((one) => one.submission))
  if (submissions.size === 0) return false
  for (const one of submissions) {
    if (one.front || !one.submitted || one.abandoned) return false
    if (!held.has(one.id) && held.size === mostJobs) return false
    if (!session.hold(one, submission)) return false
    held.add(one.id)
  }
  return true
}

function mayBeTriedAgain({ submission }: ParentItem): boolean {
  const { spec } = submission.submitted!
  return (spec.retry?.retries ?? 0) > 0 || submission.tries.lastAttempt > spec.attempt
}

/** The jobs whose files are read, and which members of them have what is needed. */
export function jobsOf(there: readonly Parent[]): ParentJob[] {
  const jobs = new Map<JobId, { name: string; members: number; needed: Set<number> }>()
  for (const { submission, item } of there.flatMap((parent) => parent.items())) {
    const { id, name, members, chunk } = submission.submitted!.spec
    const job = jobs.get(id) ?? { name, members, needed: new Set() }
    job.needed.add(Math.floor(item.index / chunk))
    jobs.set(id, job)
  }
  return [...jobs].map(([id, { name, members, needed }]) => ({
    id,
    name,
    ...(needed.size < members ? { only: [...needed].sort((a, b) => a - b) } : {}),
  }))
}

/** Fails items as soon as a job fails whose value they need, and ends what waits for it there. */
export function followParents(
  submission: Submission,
  parents: readonly (readonly Parent[])[],
  there: readonly Parent[],
): void {
  for (const one of there.flatMap((parent) => parent.items())) submission.parents.set(keyOf(one), one)
  for (const parent of there)
    void ended(parent.items())
      .then(() => {
        if (parent.items().some(({ item }) => isFailed(item))) return parent.value()
        return undefined
      })
      .catch((error) => endThere(submission, parents, parent, error))
      .catch((error) => process.emitWarning(`farcall: cancel failed: ${String(error)}`))
}

async function endThere(
  submission: Submission,
  parents: readonly (readonly Parent[])[],
  parent: Parent,
  error: unknown,
): Promise<void> {
  const { spec, executor } = submission.submitted!
  const doomed = submission.items.filter(
    (item) => !isFinal(item.status.state) && parents[item.index]!.some(({ key }) => key === parent.key),
  )
  // The last of all: what waits there then goes as a whole.
  if (doomed.length === submission.open && submission.nativeId !== undefined) submission.runsOn = true
  try {
    failItems(submission, parents, spec.name, new Map([[parent.key, error]]))
  } catch {
    return // none is left, and each has its error
  }
  const members = [...new Set(doomed.map(({ index }) => Math.floor(index / spec.chunk)))]
  const whole = members.filter((member) => submission.openItems(member).length === 0)
  if (whole.length > 0 && submission.nativeId !== undefined && executor.traits.cancelsMembers)
    await executor.cancel([{ id: submission.id, members: whole }])
}

/** Whoever cancels all of it does not wait for what it waits for. */
async function unlessCanceled<T>(submission: Submission, coming: Promise<T>): Promise<T> {
  const canceled = submission.waiting?.promise.then(() => undefined)
  const come = await (canceled ? Promise.race([coming, canceled]) : coming)
  submission.waiting = undefined
  if (come === undefined || submission.open === 0) throw canceledBefore(submission)
  return come
}

function tellWaiting(submission: Submission, { inputs }: Request): void {
  for (const [index, parents] of inputs.parents.entries()) {
    const open = parents.filter(({ status }) => !isFinal(status.state))
    if (open.length === 0) continue
    const message = waitsFor(open.map(({ id }) => id))
    submission.observe(submission.items[index]!, { state: 'QUEUED', reason: 'held', message })
  }
}

/** In words, for people. */
export function waitsFor([first, second, ...more]: readonly string[]): string {
  if (second === undefined) return `waits for job ${first}, whose value is an argument of it`
  const others = more.length === 0 ? second : `${more.length + 1} more`
  return `waits for jobs ${first} and ${others}, whose values are arguments of it`
}

/** @throws what the first of them has come to, when no item is left to run */
function failItems(
  submission: Submission,
  all: readonly (readonly Parent[])[],
  name: string,
  failed: ReadonlyMap<string, unknown>,
): void {
  let first: unknown
  for (const [index, parents] of all.entries()) {
    const parent = parents.find(({ key }) => failed.has(key))
    const item = submission.items[index]!
    if (!parent || isFinal(item.status.state)) continue
    const own = { id: submission.itemId(item), name }
    const named = { id: parent.id, name: parent.handles[0]?.submission.submitted?.spec.name }
    const { error, status } = parentFailure(own, named, statusOf(parent), failed.get(parent.key))
    submission.settle(item, status, () => item.settled.reject(error))
    first ??= error
  }
  if (first !== undefined && submission.open === 0) throw first
}
