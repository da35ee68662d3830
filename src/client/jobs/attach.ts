import { resolve } from 'node:path'
import { ConfigError, FarcallError } from '../../core/errors.ts'
import { isJobId } from '../../core/ids.ts'
import type { NotifyOptions } from '../../core/notification.ts'
import { ignoreRejection } from '../../core/rejections.ts'
import { furtherParts } from '../job/further-parts.ts'
import { Job } from '../job/job.ts'
import { JobStream } from '../job/job-stream.ts'
import { Parts } from '../job/parts.ts'
import { allResults } from '../job/results.ts'
import { tellOfAttached } from '../notify/tell-of.ts'
import { prepareTelling } from '../notify/telling.ts'
import { checkNotify } from '../options/check-options.ts'
import { notifyFor, settingsFor, storeDirFor } from '../options/settings.ts'
import { Settlement } from '../outcome/settlement.ts'
import type { Session } from '../session/session.ts'
import { sessionFor } from '../session/sessions.ts'
import { takeUp } from '../session/take-up.ts'
import { alreadySealed, type Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import { recorderOf } from '../submission/recorder.ts'
import { Submission } from '../submission/submission.ts'

/** Options of `attach`. */
export interface AttachOptions extends NotifyOptions {
  /** Where the job was submitted; default: what this machine's record of it says, else the configuration's profile. */
  profile?: string
  /**
   * The folder that paths of outputs (`stage.out`) are relative to. Default: where the call was made, when this machine
   * has a record of it, else the working directory.
   */
  to?: string
  /** Of a generator function: its values from the first one on, as a JobStream. */
  stream?: boolean
  /** Its files stay when its result is here, for the profile's `keepFor`: it can be attached to again. Default false. */
  keep?: boolean
}

/**
 * A job again, in another process or on another day: its result, its log, its end. For a map, the value is the
 * array of all results; `id[k]` is one call or item of several.
 * Instances of your own classes in the result are refused: this process has not captured them; `openResult` takes
 * the classes, when the result is asked for as a file.
 * Of a generator function it is what that returns; with `stream: true` it is a JobStream of all that it yields.
 *
 * @throws (by rejecting) ConfigError OPTION_INVALID for what is no id, FarcallError JOB_UNKNOWN
 * @example
 * import { attach } from 'farcall'
 *
 * const job = attach<number>('fabcdefghijklm') // what job.id said
 * console.log(await job)
 */
export function attach<Y, R = unknown>(
  id: string,
  options: AttachOptions & { readonly stream: true },
): JobStream<Y, R>
export function attach<R = unknown>(id: string, options?: AttachOptions & { readonly stream?: false }): Job<R>
export function attach(id: string, options: AttachOptions = {}): Job<unknown> | JobStream<unknown, unknown> {
  const match = /^(f[a-z2-7]{13})(?:\[(\d+)\])?$/.exec(id)
  const submission = new Submission(match?.[1] ?? id)
  submission.keeps = options.keep ?? false
  const site: { stack?: string } = {}
  Error.captureStackTrace(site, attach)
  const value = new Settlement()
  const item: Item = {
    index: Number(match?.[2] ?? 0),
    settled: value,
    callSite: site,
    status: { state: 'NEW' },
    earlier: [],
  }
  submission.views.add(item, match?.[2] === undefined ? undefined : item.index)
  const session = followAttached(submission, match?.[2] === undefined ? undefined : item, site, options)
  const handle: Handle = { submission, session, seal: alreadySealed }
  // Of one item nobody here learns what becomes of the others.
  if (match?.[2] === undefined) tellOfAttached(handle, () => isWhole(submission))
  session
    .then(() => resultOf(handle, match?.[2] === undefined ? undefined : item.index))
    .then(
      (found) => value.resolve(found),
      (error) => value.reject(error),
    )
  if (options.stream) return new JobStream(handle, item)
  // Nobody here reads what it yields: it is not to wait for that.
  session.then(() => {
    for (const { yields } of submission.views.itemsBehind(item)) void yields?.letRun()
  }, ignoreRejection)
  return new Job(handle, item)
}

/** `leave`: no result is asked for, all of them stay where they are. @internal */
export async function followAttached(
  submission: Submission,
  wanted: Item | undefined,
  site: { stack?: string },
  options: AttachOptions & { readonly leave?: true },
): Promise<Session> {
  if (!isJobId(submission.id))
    throw new ConfigError(
      'OPTION_INVALID',
      `attach: ${JSON.stringify(submission.id)} is not the id of a job`,
      {
        hint: "ids are f and 13 of a-z2-7, with [k] for one of several calls: 'fabcdefghijklm[3]'",
      },
    )
  checkNotify(options)
  const storeDir = await storeDirFor()
  const recorder = recorderOf(storeDir)
  // What this process has just heard is not in the store yet.
  recorder.flush()
  let record = recorder.store.get(submission.id)
  // As it was then: the configuration may have changed, or be another one here.
  const { name, profile } =
    options.profile === undefined && record
      ? { name: record.profile, profile: record.profileSettings }
      : await settingsFor(options.profile)
  const session = await sessionFor(profile)
  if (!wanted) await prepareTelling(submission, { name, storeDir, notify: await notifyFor(name) }, options)
  submission.outputBase =
    options.to === undefined ? (record ? undefined : process.cwd()) : resolve(options.to)
  if (wanted) {
    await session.executor.open()
    const first = record ?? (await session.executor.find([submission.id])).get(submission.id)
    if (first?.spec.part && wanted.index >= first.spec.items) {
      const parts = await furtherParts(submission.id, session, recorder)
      const own = parts.findLast(({ part }) => part.first <= wanted.index)
      if (own) submission.views.moveTo(own, wanted, wanted.index - own.part.first)
      record = recorder.store.get(submission.id)
    }
  }
  const taking = {
    session,
    recorder,
    profileName: name,
    site,
    ...(options.leave ? { only: 'none' as const } : {}),
  }
  await takeUp(submission, { ...(wanted ? { only: wanted.index } : {}), ...taking, record })
  if (!wanted && submission.part?.number === 0)
    for (const { id } of await furtherParts(submission.id, session, recorder)) {
      const part = new Submission(id)
      part.outputBase = submission.outputBase
      part.keeps = submission.keeps
      await takeUp(part, { ...taking, record: recorder.store.get(id) })
      submission.follows({ submission: part, session: Promise.resolve(session), seal: alreadySealed })
    }
  submission.views.knowsRest()
  return session
}

async function resultOf(handle: Handle, index: number | undefined): Promise<unknown> {
  const { submission } = handle
  const { spec } = submission.submitted!
  if (index === undefined) requireAll(submission)
  if (index === undefined && (spec.map || spec.items > 1)) return allResults(wholeOf(handle))
  const item = submission.items[index ?? 0]
  if (!item) throw new RangeError(`job ${submission.id} has ${spec.items} items, there is no item ${index}`)
  return item.settled.promise
}

/** How many of its items were submitted, where that is not all. */
function countOfPart({ part, items, rest }: Submission): { count: number; total: number } | undefined {
  if (part?.number !== 0) return undefined
  const last = rest.at(-1)?.submission
  const total = last?.part?.total ?? part.total
  const count = last ? last.first + last.items.length : items.length
  return total === undefined || count >= total ? undefined : { count, total }
}

const isWhole = (submission: Submission) => countOfPart(submission) === undefined

/** @throws FarcallError JOB_UNKNOWN when the program ended before it had submitted all of the map */
function requireAll(submission: Submission): void {
  const short = countOfPart(submission)
  if (!short) return
  const { count, total } = short
  const { id } = submission
  throw new FarcallError('JOB_UNKNOWN', `job ${id}: ${count} of its ${total} items were submitted`, {
    hint: `its program ended before; attach('${id}[0]') and so on have those that were`,
  })
}

/** All that is known of the map. @internal */
export function wholeOf(handle: Handle): Parts {
  const parts = new Parts(handle.submission.id, Promise.resolve())
  for (const one of [handle, ...handle.submission.rest]) parts.add(one)
  return parts
}
