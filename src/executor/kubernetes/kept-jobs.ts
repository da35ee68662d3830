/** Jobs as they lie in the cluster, whoever made them. */
import pLimit from 'p-limit'
import type { Clock } from '../../core/clock.ts'
import type { JobId } from '../../core/ids.ts'
import { type MemberEnd, membersOf } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import { countsOf, withThrown } from '../batch/standing.ts'
import { verdict } from '../batch/verdict.ts'
import type { CleanRequest, FoundJob, ListedJobs, Standing } from '../executor.ts'
import { type Api, explained } from './api.ts'
import { annotations, canceledMembers, jobsPath, jobsSelector, labels, managed, podsPath } from './names.ts'
import type { JobObject, Pod } from './objects.ts'
import { endOf, viewOf } from './pod-status.ts'
import { listAll } from './pod-watch.ts'
import { keeperSays } from './results.ts'
import { deleteJob, madeOf, readClaims } from './submission.ts'
import { TrackedJob } from './tracked-job.ts'

/** A submission that has no claims after so long was cut off: its pods wait for ever. */
const cutOffMs = 120_000

export interface KeptJob extends FoundJob {
  readonly jobs: readonly TrackedJob[]
  /** Of its items. */
  readonly counts: { readonly done: number; readonly failed: number }
}

/** Of these ids those that are there, each with all its submissions. */
export async function findJobs(api: Api, ids: readonly JobId[], clock: Clock): Promise<KeptJob[]> {
  const found: KeptJob[] = []
  for (let at = 0; at < ids.length; at += 50) {
    const selector = jobsSelector(ids.slice(at, at + 50))
    const { kept, unreadable } = await keptJobs(api, selector, clock)
    if (unreadable[0]) throw unreadable[0].error
    found.push(...kept)
  }
  return found
}

export async function listJobs(api: Api, clock: Clock): Promise<ListedJobs> {
  const { kept, unreadable } = await keptJobs(api, managed, clock)
  return { jobs: kept, unreadable }
}

async function keptJobs(
  api: Api,
  selector: string,
  clock: Clock,
): Promise<{ kept: KeptJob[]; unreadable: { id: JobId; error: unknown }[] }> {
  const { namespace } = api.access
  const what = (error: unknown) => {
    throw explained(error, 'looking for jobs')
  }
  const [jobs, pods] = await Promise.all([
    listAll<JobObject>(api, jobsPath(namespace), selector).catch(what),
    listAll<Pod>(api, podsPath(namespace), selector).catch(what),
  ])
  const limit = pLimit(8)
  const unreadable: { id: JobId; error: unknown }[] = []
  const submissions = await Promise.all(
    jobs.items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((job) =>
        limit(async () => {
          try {
            return await submissionOf(api, job, pods.items, clock)
          } catch (error) {
            unreadable.push({ id: job.metadata.labels?.[labels.job] ?? job.metadata.name, error })
            return undefined
          }
        }),
      ),
  )
  const byId = new Map<JobId, Submission[]>()
  for (const one of submissions)
    if (one) byId.set(one.job.spec.id, [...(byId.get(one.job.spec.id) ?? []), one])
  return { kept: [...byId.values()].map(keptJob), unreadable }
}

interface Submission {
  readonly job: TrackedJob
  readonly ends: readonly MemberEnd[]
  /** Of members that are over, by number. */
  readonly statuses: ReadonlyMap<number, JobStatus>
  readonly active: boolean
  readonly collected: boolean
}

async function submissionOf(
  api: Api,
  object: JobObject,
  pods: readonly Pod[],
  clock: Clock,
): Promise<Submission | undefined> {
  const { spec, mark, lanes } = madeOf(object)
  const { name, creationTimestamp } = object.metadata
  const claims = await readClaims(api, name)
  if (!claims) {
    if (clock.now() - Date.parse(creationTimestamp ?? '') > cutOffMs) await deleteJob(api, name)
    return undefined
  }
  const job = new TrackedJob(spec, name, mark, lanes, claims)
  const noted = object.metadata.annotations
  job.canceled = noted?.[annotations.canceled] !== undefined
  for (const member of canceledMembers(noted)) job.canceledMembers.add(member)
  const ends: MemberEnd[] = []
  const statuses = new Map<number, JobStatus>()
  let active = false
  for (const pod of pods) {
    const lane = claims.get(pod.metadata.uid)
    if (lane === undefined) continue
    job.pods.set(lane, pod)
    const view = viewOf(pod)
    active ||= view.status.state === 'ACTIVE'
    if (!view.over) continue
    const { notices } = await keeperSays(api, job, lane, pod)
    for (const member of job.lanes[lane]!) {
      const end = notices.get(member)?.end
      if (end) ends.push(end)
      const facts = { canceledByUs: job.isCanceled(member), waitedMs: 0, graceMs: 0, hasAccounting: false }
      const status = verdict({ end, accounting: endOf(pod), ...facts })!
      statuses.set(member, end ? withThrown(status, end, spec) : status)
    }
  }
  // Of what was canceled the pod goes, and nobody else tells.
  const gone = (lane: number) => !job.pods.has(lane)
  for (const member of membersOf(spec))
    if (!statuses.has(member) && job.isCanceled(member) && gone(job.laneOf(member)))
      statuses.set(member, { state: 'CANCELED', reason: 'by-user' })
  const collected = object.metadata.labels?.[labels.collected] !== undefined
  return { job, ends, statuses, active, collected }
}

/** Where jobs stand, with how many items of each are done. */
export async function standings(
  api: Api,
  ids: readonly JobId[],
  clock: Clock,
): Promise<Map<JobId, Standing>> {
  const jobs = await findJobs(api, ids, clock)
  return new Map(
    jobs.map(({ spec, status, nativeId, counts }) => [spec.id, { status, nativeId: nativeId!, ...counts }]),
  )
}

function keptJob(submissions: Submission[]): KeptJob {
  const all = submissions.toSorted((a, b) => a.job.spec.attempt - b.job.spec.attempt)
  const last = new Map<number, JobStatus | undefined>()
  for (const { job, statuses } of all)
    for (const member of membersOf(job.spec)) last.set(member, statuses.get(member))
  const over = [...last.values()].filter((status) => status !== undefined)
  const bad = over.find(({ state }) => state === 'FAILED') ?? over.find(({ state }) => state !== 'COMPLETED')
  const counts = { done: 0, failed: 0 }
  for (const [member, status] of last) {
    const one = all.findLast(({ statuses }) => statuses.has(member))
    if (!status || !one) continue
    const { done, failed } = countsOf(
      one.job.spec,
      member,
      status,
      one.ends.find((end) => end.member === member),
    )
    counts.done += done
    counts.failed += failed
  }
  const status: JobStatus =
    over.length === last.size && over.length > 0
      ? (bad ?? { state: 'COMPLETED' })
      : { state: over.length > 0 || all.some(({ active }) => active) ? 'ACTIVE' : 'QUEUED' }
  return {
    spec: all[0]!.job.spec,
    status,
    nativeId: all.at(-1)!.job.name,
    attempts: all.map(({ job, ends }) => ({ spec: job.spec, nativeId: job.name, ends })),
    jobs: all.map(({ job }) => job),
    counts,
    ...(all.every(({ collected }) => collected) ? { collected: true } : {}),
  }
}

/** Removes what was collected, and what nobody has, as asked. Gives the jobs that go. */
export async function tidyJobs(
  api: Api,
  { dryRun = false, uncollected = false }: CleanRequest,
  olderThanSeconds: number,
  clock: Clock,
): Promise<JobId[]> {
  const { items } = await listAll<JobObject>(api, jobsPath(api.access.namespace), managed).catch((error) => {
    throw explained(error, 'looking for jobs')
  })
  const removed = new Set<JobId>()
  for (const { metadata, status } of items) {
    const isCollected = metadata.labels?.[labels.collected] !== undefined
    const ended = status?.conditions?.some(
      ({ type, status }) => /^(Complete|Failed)$/.test(type) && status === 'True',
    )
    const since = Date.parse(status?.completionTime ?? metadata.creationTimestamp ?? '')
    if (!(isCollected || (uncollected && ended)) || clock.now() - since < 1000 * olderThanSeconds) continue
    if (!dryRun) await deleteJob(api, metadata.name)
    removed.add(metadata.labels?.[labels.job] ?? metadata.name)
  }
  return [...removed]
}
