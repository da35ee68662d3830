import { systemClock } from '../../core/clock.ts'
import { ConfigError, FarcallError } from '../../core/errors.ts'
import { isJobId, type JobId } from '../../core/ids.ts'
import type { Profile } from '../../core/profile.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import { openExecutor } from '../../executor/open.ts'
import type { JobRow } from '../../store/types.ts'
import { settingsFor, storeDirFor } from '../options/settings.ts'
import { type Recorder, recorderOf } from '../submission/recorder.ts'

/** A submitted job, and where it was sent. */
export interface SentJob {
  readonly id: JobId
  readonly member?: number
  readonly nativeId: string
  /** As it was when the job was submitted. */
  readonly profile: Profile
  readonly name: string
  /** As it was last heard of. */
  readonly status: JobStatus
}

/**
 * A job by its id, the beginning of it (from four characters on), or the scheduler's id; `[k]` behind it names a task.
 * Looked for in this machine's record, and then on the place of a profile.
 * @throws ConfigError OPTION_INVALID, FarcallError JOB_UNKNOWN, JOB_NOT_RUNNING when it was not submitted
 */
export async function findSentJob(text: string, profileName: string | undefined): Promise<SentJob> {
  const [, name, index] = /^(.*?)(?:\[(\d+)\])?$/s.exec(text)!
  const member = index === undefined ? {} : { member: Number(index) }
  const recorder = recorderOf(await storeDirFor())
  const row = theOnly(recorder, name!, profileName)
  const record = row && recorder.store.get(row.id)
  if (record) {
    if (record.nativeId === undefined)
      throw new FarcallError('JOB_NOT_RUNNING', `job ${record.id} was recorded, and has not been submitted`, {
        hint: 'the program that made it may still be at it; `attach` submits it',
      })
    const { id, nativeId, profileSettings, status } = record
    return { id, nativeId, profile: profileSettings, name: record.name, status, ...member }
  }
  const settings = await settingsFor(profileName)
  if (!isJobId(name!)) throw unknown(name!, settings.name, "ids are f and 13 of a-z2-7: 'fabcdefghijklm'")
  await using executor = openExecutor(settings.profile, systemClock)
  const found = (await executor.find([name!])).get(name!)
  const last = found?.attempts.at(-1)
  if (!found || !last) throw unknown(name!, settings.name, 'name the profile that it was sent to: --profile')
  const { id, name: jobName } = last.spec
  return {
    id,
    nativeId: last.nativeId,
    profile: settings.profile,
    name: jobName,
    status: found.status,
    ...member,
  }
}

/**
 * The id of a job that is named so, also of one that was not submitted yet.
 * @throws ConfigError OPTION_INVALID, FarcallError JOB_UNKNOWN
 */
export async function findJobId(text: string, profileName: string | undefined): Promise<JobId> {
  const name = text.replace(/\[\d+\]$/, '')
  const row = theOnly(recorderOf(await storeDirFor()), name, profileName)
  return row?.id ?? (await findSentJob(name, profileName)).id
}

/** On record. @throws ConfigError OPTION_INVALID when it may be several */
function theOnly(recorder: Recorder, name: string, profileName: string | undefined): JobRow | undefined {
  recorder.flush()
  const rows = recorder.store
    .find(name)
    .filter((row) => profileName === undefined || row.profile === profileName)
  if (rows.length <= 1) return rows[0]
  throw new ConfigError(
    'OPTION_INVALID',
    `'${name}' may be ${rows.length} jobs: ${rows
      .slice(0, 5)
      .map((row) => row.id)
      .join(', ')}`,
    {
      hint: 'give more of the id',
    },
  )
}

function unknown(name: string, profile: string, hint: string): FarcallError {
  return new FarcallError(
    'JOB_UNKNOWN',
    `there is no job '${name}' on record here, nor on the place of profile '${profile}'`,
    { hint },
  )
}

/** What there is to say of a job that does not run. */
export function notRunning({ id, member, status }: SentJob, waits: string | undefined): FarcallError {
  const shown = member === undefined ? id : `${id}[${member}]`
  if (isFinal(status.state))
    return new FarcallError('JOB_NOT_RUNNING', `job ${shown} is over (${status.state.toLowerCase()})`, {
      hint: 'its log and results are still to be had with attach()',
    })
  if (waits !== undefined)
    return new FarcallError('JOB_NOT_RUNNING', `job ${shown} waits: ${waits}`, {
      hint: 'try again once it runs',
      transient: true,
    })
  return new FarcallError(
    'JOB_NOT_RUNNING',
    `job ${shown} does not run: it has ended, or that task of it has`,
    {
      hint: 'its log and results are still to be had with attach()',
    },
  )
}
