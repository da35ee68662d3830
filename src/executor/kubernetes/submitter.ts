/** From what is asked to a Job whose pods know what they do. */
import type { Clock } from '../../core/clock.ts'
import { ConfigError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import type { BlobRef, JobSpec } from '../../core/protocol.ts'
import { parseDuration } from '../../core/units.ts'
import type { RetryPayload } from '../executor.ts'
import type { Api } from './api.ts'
import { jobObject } from './job-object.ts'
import { type OpenFile, payloadOf, type StreamedFile } from './payload.ts'
import type { Persist } from './persistence.ts'
import { type Plan, planOf } from './plan.ts'
import { scriptsOf } from './script.ts'
import { hasOwnIndexes, type Version } from './server.ts'
import { awaitPods, createClaims, createJob, createSecret, deleteJob } from './submission.ts'
import { TrackedJob } from './tracked-job.ts'
import type { EarlierYields } from './yield-files.ts'

export interface Runtime {
  readonly ref: BlobRef
  readonly bytes: Uint8Array
}

export type Sent = RetryPayload & {
  readonly args: readonly Uint8Array[] | OpenFile
  readonly earlier?: ReadonlyMap<number, Uint8Array>
  readonly earlierYields?: readonly EarlierYields[]
}

/** @throws ConfigError, SubmitError, TransportError */
export async function submitJob(
  api: Api,
  given: Profile,
  runtime: Runtime,
  asked: JobSpec,
  payload: Sent,
  persist: Persist,
  clock: Clock,
  server: () => Promise<Version>,
): Promise<{ job: TrackedJob; streamed: readonly StreamedFile[] }> {
  const profile = withImage(given, asked)
  const settings = profile.kubernetes ?? {}
  const spec: JobSpec = { ...asked, runtime: runtime.ref }
  requireSendable(spec, profile)
  const files = await payloadOf({ ...payload, spec, runtime: runtime.bytes })
  const plan = planFor(spec, profile, files.streamed.length > 0)
  // Rendered first: what it refuses makes nothing there.
  scriptsOf(spec, settings, plan, profile.template)
  const ownIndexes = spec.members > 1 && hasOwnIndexes(await persist(() => server()))
  const object = jobObject(spec, settings, plan, ownIndexes)
  const made = await persist(() => createJob(api, object, spec))
  const name = made.job.metadata.name
  try {
    await persist(() => createSecret(api, made.job, files.secret))
    const pods = await persist(() => awaitPods(api, made, clock))
    const inForce = { ...plan, mark: made.mark, lanes: made.lanes }
    const scripts = scriptsOf(made.spec, settings, inForce, profile.template)
    const claims = await persist(() => createClaims(api, made.job, pods, scripts))
    return {
      job: new TrackedJob(made.spec, name, made.mark, made.lanes, claims),
      streamed: files.streamed,
    }
  } catch (error) {
    // None of its pods can run, and what went wrong says more than that it is still there.
    if (!made.before) await deleteJob(api, name).catch(() => {})
    throw error
  }
}

/** Between the object and the script of what is shown of a job. */
export const beforeScript = '---\n# main.sh\n'

/** What would be sent, for people to read. */
export async function describeJob(asked: JobSpec, given: Profile, runtime: BlobRef): Promise<string> {
  const profile = withImage(given, asked)
  const settings = profile.kubernetes ?? {}
  const spec = { ...asked, runtime }
  const plan = planFor(spec, profile, false)
  const { stringify } = await import('yaml')
  const object = stringify(jobObject(spec, settings, { ...plan, mark: 'farcall-…' }, false))
  const { 'main.sh': main } = scriptsOf(spec, settings, { ...plan, mark: 'farcall-mark' }, profile.template)
  return `${object}${beforeScript}${main}`
}

/** What a pod has of a container's settings is its image. @throws ConfigError OPTION_INVALID for the others */
function withImage(profile: Profile, { environment: { container } }: JobSpec): Profile {
  if (!container) return profile
  const { image, engine, user, mounts, network, pull, ...others } = container
  const more = [
    ...Object.keys(others),
    ...(engine === 'auto' ? [] : ['engine']),
    ...(user === 'caller' ? [] : ['user']),
    ...(mounts.length === 0 ? [] : ['mounts']),
    ...(network === undefined ? [] : ['network']),
  ]
  if (more.length > 0)
    throw new ConfigError('OPTION_INVALID', `container.${more[0]}: a pod is set up by the profile`, {
      hint: 'what a pod has beside its image is said under `kubernetes`, and `kubernetes.pod` takes anything that the API does',
    })
  const pulled = pull === undefined ? {} : ({ imagePullPolicy: pull ? 'IfNotPresent' : 'Never' } as const)
  return {
    ...profile,
    kubernetes: { ...profile.kubernetes, ...pulled, image: image.replace(/^docker:\/\//, '') },
  }
}

function planFor(spec: JobSpec, { kubernetes = {}, keepFor = '7d' }: Profile, streamed: boolean): Plan {
  return planOf(spec, kubernetes, streamed, parseDuration(keepFor, 'keepFor'))
}

/** @throws ConfigError */
function requireSendable({ id, stage }: JobSpec, { kubernetes = {} }: Profile): void {
  if (!kubernetes.image)
    throw new ConfigError(
      'CONFIG_INVALID',
      'kubernetes.image: expected an image that jobs run in, got nothing',
      {
        hint: "set it in the profile, for example `kubernetes: { image: 'node:22' }`; it must have a POSIX sh and Node 16 or newer",
      },
    )
  if (stage && stage.in.length + stage.out.length > 0)
    throw new ConfigError(
      'OPTION_INVALID',
      `job ${id}: files cannot be staged into pods yet (stage, and arguments that are files)`,
      {
        hint: 'put them on a PersistentVolumeClaim, kubernetes: { claim: … }, or send their bytes as an argument',
      },
    )
}
