import { dirname } from 'node:path'
import type { Bundle, Snapshot } from '../../capture/types.ts'
import { blobOf } from '../../core/blob.ts'
import { systemClock } from '../../core/clock.ts'
import { CaptureError, SubmitError } from '../../core/errors.ts'
import type { PackFile } from '../../core/pack.ts'
import type { BlobRef, JobSpec, StageSpec } from '../../core/protocol.ts'
import type { StreamWindow } from '../../core/yields.ts'
import type { JobPayload } from '../../executor/executor.ts'
import { thisProcess } from '../../store/owner.ts'
import type { StoredPayload } from '../../store/types.ts'
import type { ClusterOptions } from '../options/options.ts'
import type { Settings } from '../options/settings.ts'
import { splitOptions } from '../options/split-options.ts'
import { canceledBefore } from '../outcome/failures.ts'
import { functionKey, itemTimeOf } from '../outcome/item-time.ts'
import { here, interpreterAt } from '../payload/node-seen.ts'
import { forgetMade, packagesFor } from '../payload/packages.ts'
import { filesOf } from '../payload/payload-files.ts'
import { provenanceOf } from '../payload/provenance.ts'
import { readSecrets } from '../payload/secrets.ts'
import { dealtAnew } from '../retries/deal-anew.ts'
import { outlastSilence } from '../retries/outlast-silence.ts'
import { type RetryTools, submitPatiently } from '../retries/retries.ts'
import { submitWithinLimit } from '../retries/submit-limit.ts'
import type { Session } from '../session/session.ts'
import { JobRecords, type Recorder } from '../submission/recorder.ts'
import type { Submission } from '../submission/submission.ts'
import { type FromParents, followParents, jobsOf } from './chain.ts'
import type { PackedInputs } from './packed-inputs.ts'
import { functionOf, makeSpec, placeOf } from './spec.ts'

/** What is to be submitted: one function with one set of captured values, and its inputs. */
export interface Request {
  readonly snapshot: Snapshot
  readonly options: ClusterOptions
  readonly inputs: Pick<PackedInputs, 'entries' | 'files' | 'shared' | 'parents' | 'repeated'>
  readonly map: boolean
  /** The function is a generator. */
  readonly stream: StreamWindow | undefined
  /** Items of the whole map, where this is a part of it; without an end, where nobody knows. */
  readonly total?: number
  /** The working directory at the time of the call. */
  readonly cwd: string
}

/** A request at its place, with its code. */
export interface Prepared extends Request {
  readonly fromParents: FromParents
  readonly settings: Settings
  readonly session: Session
  readonly recorder: Recorder
  readonly bundle: Bundle
  readonly stage: StageSpec | undefined
  /** Major version of the Node that the bundle is compiled for. */
  readonly node: number
}

/** Each is a file, and a word of the command that submits. */
const mostShared = 500

/**
 * Submits what was recorded. It holds what is sent, and nothing else of the call. `concurrency`: what is left of it, when
 * other parts of the map have some. Without `waits` it is for the caller to wait until the limit on submitted jobs lets it in.
 */
export type Send = (concurrency?: number, waits?: boolean) => Promise<void>

/**
 * Records the job; what it gives submits it. Killed in between, it is found and submitted by whoever looks for it. Two
 * steps, so that of ten thousand calls that wait for their turn the snapshots can go.
 */
export async function recordJob(
  submission: Submission,
  prepared: Prepared,
  cacheKeys: readonly (string | undefined)[],
): Promise<Send> {
  const { snapshot, options, inputs, map, stream, settings, session, recorder, bundle, stage, node } =
    prepared
  const { fromParents } = prepared
  const { entries } = inputs
  const shared = sharedAmong(snapshot, inputs)
  await session.executor.open()
  const at = placeOf(settings.profile, options)
  const interpreter = interpreterAt(at, here())
  const { executor } = session
  const packages = await packagesFor({ bundle, at, executor, file: snapshot.file })
  const spec = makeSpec(submission.id, snapshot, at, options, session.executor.traits, {
    bundle: blobOf(bundle.code, 'mjs'),
    compiledFor: node,
    client: session.client,
    items: entries.length,
    map,
    // Calls that were made together keep a process and a log each.
    itemTime: map ? itemTimeOf(recorder.store, functionKey(functionOf(snapshot)), settings.name) : undefined,
    ...(submission.part ? { part: submission.part } : {}),
    ...(packages ? { packages } : {}),
    ...(interpreter && { interpreter }),
    ...(stage ? { stage } : {}),
    ...(stream ? { stream } : {}),
    ...(shared.length > 0 ? { shared } : {}),
    ...(fromParents.spec
      ? {
          parents: {
            ...fromParents.spec,
            jobs: jobsOf(fromParents.there),
            from: 1 + entries.length + inputs.repeated.length,
          },
        }
      : {}),
  })
  if (submission.canceling !== undefined) throw canceledBefore(submission)
  const secrets = readSecrets(spec.environment, process.env)
  const all = [snapshot.values(), ...entries, ...inputs.repeated, ...fromParents.sent]
  const payload = { args: all, bundle: bundle.code }
  // Large ones are read from there when they are sent, and need not be held any longer.
  const file = record(prepared, spec, payload, cacheKeys, submission.kept)
  const args = file ?? payload.args
  submission.records = new JobRecords(recorder, submission.id, cacheKeys)
  submission.decoder = { classes: snapshot.classes(), map: bundle.map }
  const tools = { clock: systemClock, random: Math.random, client: session.client, bundle: bundle.code }
  submission.begin({ spec, executor: session.executor, tools })
  followParents(submission, inputs.parents, fromParents.there)
  const sent = { spec, args, bundle: bundle.code, secrets, ...filesOf(spec) }
  return sending(submission, session, sent, tools, { recorder, name: settings.name })
}

/** Apart, since closures keep all that any of their neighbours names. */
function sending(
  submission: Submission,
  session: Session,
  payload: JobPayload,
  tools: RetryTools,
  record: { readonly recorder: Recorder; readonly name: string },
): Send {
  const { executor } = session
  const { clock, random } = tools
  let { spec } = payload
  const submit = async (concurrency: number | undefined): Promise<void> => {
    for (;;) {
      const asked = concurrency === undefined ? spec : { ...spec, concurrency }
      try {
        return await session.submit(submission, { ...payload, spec: asked })
      } catch (error) {
        const fewer = dealtAnew(spec, executor.traits, error)
        if (!fewer) throw error
        spec = fewer
        submission.dealtAnew(spec)
      }
    }
  }
  return async (concurrency, waits = true) => {
    // What it was to be given the value of has failed meanwhile, and that was told.
    if (submission.open === 0) return
    const asked = { submission, executor, items: submission.items, clock, random, spec: () => spec }
    const patiently = () =>
      submitPatiently(submission, spec.retry, tools, () => outlastSilence(asked, () => submit(concurrency)))
    const submitting = () => (waits ? submitWithinLimit(asked, patiently) : patiently())
    await session.submitting(submission, submitting).catch((error) => {
      // Perhaps for that which was made there.
      if (error instanceof SubmitError) forgetMade(session.executor)
      throw error
    })
    session.recordIn(record.recorder, record.name)
  }
}

function record(
  { settings, session, recorder, options, snapshot, bundle }: Prepared,
  spec: JobSpec,
  payload: StoredPayload,
  cacheKeys: readonly (string | undefined)[],
  kept: string | undefined,
): PackFile | undefined {
  const place = kept === undefined ? {} : { kept }
  const { tags } = splitOptions(options)
  const { now, later } = provenanceOf(snapshot.file === undefined ? process.cwd() : dirname(snapshot.file))
  const file = recorder.store.add({
    spec,
    // As it is written: a job script may have taken its place for this one.
    profile: { name: settings.name, settings: session.profile },
    payload,
    map: bundle.map,
    tags,
    provenance: { ...now, ...place },
    owner: thisProcess(),
    ...(cacheKeys.length > 0 ? { cacheKeys } : {}),
  })
  later?.then((provenance) => recorder.later((store) => store.describe(spec.id, { ...provenance, ...place })))
  return file
}

/** Of what the function captured, and of its inputs. @throws CaptureError */
function sharedAmong(snapshot: Snapshot, inputs: Request['inputs']): readonly BlobRef[] {
  const all = new Map([...snapshot.blobs(), ...inputs.shared].map((blob) => [blob.sha256, blob]))
  if (all.size > mostShared)
    throw new CaptureError(
      'VALUE_REFUSED',
      `the call names ${all.size} shared values, and at most ${mostShared} travel with one job`,
      { hint: 'share one value that holds many, or give small ones as arguments' },
    )
  return [...all.values()]
}
