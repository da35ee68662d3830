import { homedir } from 'node:os'
import { readMap } from '../../capture/cache.ts'
import { cacheFolder } from '../../config/cache-folder.ts'
import { systemClock } from '../../core/clock.ts'
import { FarcallError, JobCanceledError } from '../../core/errors.ts'
import type { JobSpec } from '../../core/protocol.ts'
import type { FoundJob } from '../../executor/executor.ts'
import { isDead, isSame, thisProcess } from '../../store/owner.ts'
import type { JobRecord, StatusEntry } from '../../store/types.ts'
import { filesOf } from '../payload/payload-files.ts'
import { readSecrets } from '../payload/secrets.ts'
import { submitOnceTaken } from '../retries/submit-limit.ts'
import { recallAttempts } from '../submission/attempts.ts'
import { JobRecords, type Recorder } from '../submission/recorder.ts'
import type { Submission } from '../submission/submission.ts'
import type { Session } from './session.ts'

export interface TakingUp {
  readonly session: Session
  readonly recorder: Recorder
  /** What the store knows of the job; undefined: it was submitted elsewhere. */
  readonly record: JobRecord | undefined
  /** Under which it is put on record, when it is not. */
  readonly profileName: string
  /** How results become values; default: without classes of this program. */
  readonly decoder?: Submission['decoder']
  readonly site: { readonly stack?: string }
  /** The only item that is asked for: results of the others stay where they are. 'none': all of them. */
  readonly only?: number | 'none'
}

/**
 * Follows a job that was submitted by another process, or was to be: what never reached the place is submitted now,
 * under the same id.
 * @throws FarcallError JOB_UNKNOWN
 */
export async function takeUp(submission: Submission, taking: TakingUp): Promise<Session> {
  const { session, recorder, record } = taking
  const { id } = submission
  await session.executor.open()
  if (record) {
    // Asked again at the end: it may have died meanwhile, or just now.
    submission.isGuest = () => mayBeFollowed(recorder, id)
    if (!isFollowed(record)) {
      recorder.later((store) => store.own(id, thisProcess()))
      recorder.flush()
    }
    submission.records = new JobRecords(recorder, id, record.cacheKeys)
    submission.canceledBefore = canceledMembers(recorder.store.statuses(id), record.attempt)
  }
  session.follow(submission)
  try {
    const found = (await session.executor.find([id])).get(id)
    const spec = found?.nativeId === undefined ? record?.spec : found.spec
    if (!spec) throw found ? cutOff(found, session) : unknownJob(id, session, record)
    const payload = found?.nativeId === undefined ? recorder.store.payload(id) : undefined
    if (found?.nativeId === undefined && !payload)
      throw found ? cutOff(found, session) : unknownJob(id, session, record)
    if (found && !record) recordFound(submission, found, taking)
    begin(submission, spec, found?.nativeId === undefined ? [] : found.attempts, taking)
    if (found?.nativeId === undefined) {
      const secrets = readSecrets(spec.environment, process.env)
      const files = { ...payload!, secrets, ...filesOf(spec) }
      const { executor } = session
      const { items } = submission
      const asked = { submission, executor, items, spec: () => spec, clock: systemClock, random: Math.random }
      const sent = await submitOnceTaken(asked, () => executor.submit({ spec, ...files }))
      submission.nativeId = sent.nativeId
      submission.records?.submitted(spec.attempt, submission.nativeId)
    } else {
      submission.nativeId = found.nativeId
      recordAttempts(submission, found.attempts, record?.attempt)
    }
    session.recordIn(recorder, record ? record.profile : taking.profileName)
    return session
  } catch (error) {
    session.forget(submission)
    throw error
  }
}

/** Of the attempt; -1 stands for all. */
function canceledMembers(statuses: readonly StatusEntry[], attempt: number): ReadonlySet<number> {
  const canceled = statuses.filter(
    ({ attempt: of, status: { state, reason } }) =>
      of === attempt && state === 'CANCELED' && reason === 'by-user',
  )
  return new Set(canceled.map(({ member = -1 }) => member))
}

/** It was called on another machine, or this one's record was lost. */
function recordFound(
  submission: Submission,
  found: FoundJob,
  { recorder, session, profileName }: TakingUp,
): void {
  const { id } = submission
  const profile = { name: profileName, settings: session.profile }
  recorder.later((store) => {
    store.restore(profile, [found])
    store.own(id, thisProcess())
  })
  submission.records = new JobRecords(recorder, id, [])
}

/** Attempts that the record does not have are from a client elsewhere, or one whose disk was full. */
function recordAttempts({ records }: Submission, attempts: FoundJob['attempts'], known = 0): void {
  for (const { spec, nativeId } of attempts) {
    if (spec.attempt > known) records?.retry(spec)
    records?.submitted(spec.attempt, nativeId)
  }
}

/** Another process that lives follows it: it is theirs to clean up. */
function isFollowed(record: JobRecord | undefined): boolean {
  if (!record) return false
  const { owner } = record
  return owner.pid !== 0 && !isSame(owner, thisProcess()) && !isDead(owner)
}

function mayBeFollowed({ store }: Recorder, id: string): boolean {
  try {
    return isFollowed(store.get(id))
  } catch {
    return true // its files stay, for whoever may; what is written to the record tells what is wrong with it
  }
}

function begin(
  submission: Submission,
  spec: JobSpec,
  attempts: FoundJob['attempts'],
  { session, recorder, decoder, site, only }: TakingUp,
): void {
  submission.part = spec.part
  for (let index = 0; index < spec.items; index++) {
    const item = submission.add(site)
    if (only !== undefined && index !== only) item.notAsked = true
  }
  for (const one of attempts) {
    submission.tries.add(one.spec)
    submission.made(one.spec, one.nativeId)
  }
  recallAttempts(submission.items, attempts)
  const { sha256 } = spec.bundle
  const map = () => recorder.store.bundle(sha256)?.map ?? readMap(sha256, cacheFolder(process.env, homedir()))
  submission.decoder = decoder ?? { classes: new Map(), map: map() }
  const tools = { clock: systemClock, random: Math.random, client: session.client }
  submission.begin({ spec, executor: session.executor, tools })
}

function cutOff({ spec }: FoundJob, session: Session): FarcallError {
  return new FarcallError('JOB_UNKNOWN', `job ${spec.id} was not submitted on ${session.executor.name}`, {
    hint: `its client ended before; attach('${spec.id}') on the machine that it was called from submits it`,
  })
}

function unknownJob(id: string, session: Session, record: JobRecord | undefined): FarcallError {
  if (record?.endedAt !== undefined) {
    const { status, endedAt } = record
    const time = new Date(endedAt).toISOString()
    const gone = `and its files are no longer on ${session.executor.name}`
    if (status.state === 'CANCELED')
      return new JobCanceledError(`job ${id} was canceled on ${time}, ${gone}`, { jobId: id, status })
    const how = status.state === 'FAILED' ? `failed (${status.message ?? status.reason})` : 'ended'
    return new FarcallError('JOB_UNKNOWN', `job ${id} ${how} on ${time}, ${gone}`, {
      hint: "what came of it was delivered; keep: 'all' in the profile keeps such files, `cache: true` the result",
    })
  }
  return new FarcallError('JOB_UNKNOWN', `there is no job ${id} on ${session.executor.name}`, {
    hint: "name the profile it was submitted with; folders of jobs that are done are removed unless the profile says keep: 'all'",
  })
}
