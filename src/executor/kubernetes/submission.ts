/** A Job, its Secret, and who of its pods does what. */
import type { Clock } from '../../core/clock.ts'
import { SubmitError } from '../../core/errors.ts'
import type { JobSpec } from '../../core/protocol.ts'
import { parseSpec } from '../batch/found.ts'
import { type Api, ApiError, explained } from './api.ts'
import {
  annotations,
  configMapsPath,
  eventsPath,
  jobsPath,
  labels,
  managed,
  objectName,
  podsPath,
  secretsPath,
} from './names.ts'
import type { ApiEvent, ConfigMap, JobObject, List, Pod } from './objects.ts'

export interface Made {
  readonly job: JobObject
  readonly spec: JobSpec
  readonly mark: string
  readonly lanes: number
  /** Another client had made it before. */
  readonly before: boolean
}

/** Of two who submit the same at once the server takes one, and the other goes on with that. */
export async function createJob(api: Api, job: object, spec: JobSpec): Promise<Made> {
  const path = jobsPath(api.access.namespace)
  const what = `submitting job ${spec.id}`
  try {
    return madeOf(await api.ask<JobObject>('POST', path, { body: job }), false)
  } catch (error) {
    if (!(error instanceof ApiError && error.status.reason === 'AlreadyExists')) throw explained(error, what)
  }
  const there = await api.ask<JobObject>('GET', `${path}/${objectName(spec)}`).catch((error) => {
    throw explained(error, what)
  })
  return madeOf(there, true)
}

/** @throws ResultError of a Job that a newer farcall has made, or somebody has changed */
export function madeOf(job: JobObject, before = true): Made {
  const noted = job.metadata.annotations ?? {}
  return {
    job,
    spec: parseSpec(noted[annotations.spec] ?? ''),
    mark: noted[annotations.mark] ?? '',
    lanes: job.spec.completions ?? 1,
    before,
  }
}

/** Owned by the Job: the server removes it with that. */
function owned({ metadata }: JobObject): object {
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: metadata.name, uid: metadata.uid }
  return { name: metadata.name, labels: metadata.labels, ownerReferences: [owner] }
}

export async function createSecret(
  api: Api,
  job: JobObject,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<void> {
  const data = Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]),
  )
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: owned(job),
    immutable: true,
    type: 'Opaque',
    data,
  }
  await create(api, secretsPath(api.access.namespace), body, job)
}

/** Says which pods run what; they wait for it. Gives what is in force: another client may have been quicker. */
export async function createClaims(
  api: Api,
  job: JobObject,
  pods: readonly Pod[],
  scripts: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, number>> {
  const claims = pods.map(({ metadata }, lane) => `${metadata.uid} ${lane}\n`).join('')
  const data = { ...scripts, claims }
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: owned(job), immutable: true, data }
  const made = await create(api, configMapsPath(api.access.namespace), body, job)
  return made ? parseClaims(claims) : ((await readClaims(api, job.metadata.name)) ?? new Map())
}

/** Undefined: there are none yet. */
export async function readClaims(api: Api, name: string): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const { data } = await api.ask<ConfigMap>('GET', `${configMapsPath(api.access.namespace)}/${name}`)
    return parseClaims(data?.['claims'] ?? '')
  } catch (error) {
    if (error instanceof ApiError && error.status.code === 404) return undefined
    throw explained(error, `reading the claims of ${name}`)
  }
}

function parseClaims(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter(Boolean)
  return new Map(lines.map((line) => [line.split(' ')[0]!, Number(line.split(' ')[1])]))
}

/** Whether it was we who made it. */
async function create(api: Api, path: string, body: object, job: JobObject): Promise<boolean> {
  try {
    await api.ask('POST', path, { body })
    return true
  } catch (error) {
    if (error instanceof ApiError && error.status.reason === 'AlreadyExists') return false
    throw explained(error, `submitting job ${job.metadata.name}`)
  }
}

/** What the controller may take to make the pods, beside a hundredth of a second for each. */
const podsMs = 60_000
const [firstLookMs, longestLookMs] = [30, 1_000]

/** The first pods of the Job, one for each lane. @throws SubmitError when the namespace allows them not */
export async function awaitPods(api: Api, { job, lanes, spec }: Made, clock: Clock): Promise<readonly Pod[]> {
  const { name, uid } = job.metadata
  const { namespace } = api.access
  const labelSelector = `${managed},${labels.submission}=${name}`
  const until = clock.now() + podsMs + 200 * lanes
  for (let wait = firstLookMs; ; wait = Math.min(longestLookMs, wait * 2)) {
    await clock.sleep(wait)
    const found = await api
      .ask<List<Pod>>('GET', podsPath(namespace), { query: { labelSelector } })
      .catch((error) => {
        throw explained(error, `submitting job ${spec.id}`)
      })
    const pods = found.items.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    if (pods.length >= lanes) return pods.slice(0, lanes)
    if (wait < longestLookMs) continue
    const refused = await refusedPods(api, namespace, uid)
    const why =
      refused ??
      (clock.now() > until ? `the cluster made ${pods.length} of its ${lanes} pods in time` : undefined)
    if (why === undefined) continue
    throw new SubmitError('SUBMIT_REFUSED', `job ${spec.id}: ${why}`, {
      hint: /quota/.test(why)
        ? 'ask for less, or for fewer at once (concurrency), or wait until others have ended'
        : 'see `kubectl describe job`, and ask who runs the cluster',
    })
  }
}

async function refusedPods(api: Api, namespace: string, uid: string): Promise<string | undefined> {
  const fieldSelector = `involvedObject.uid=${uid},reason=FailedCreate`
  const events = await api
    .ask<List<ApiEvent>>('GET', eventsPath(namespace), { query: { fieldSelector } })
    .catch((error) => {
      throw explained(error, 'asking why a job has no pods')
    })
  const message = events.items.at(-1)?.message
  return message === undefined ? undefined : `its pods are refused: ${message}`
}

export async function deleteJob(api: Api, name: string): Promise<void> {
  // Without a policy its pods would stay.
  const body = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' }
  try {
    await api.ask('DELETE', `${jobsPath(api.access.namespace)}/${name}`, { body })
  } catch (error) {
    if (error instanceof ApiError && error.status.code === 404) return
    throw explained(error, `removing job ${name}`)
  }
}

/** As it is then; undefined: it is not there. */
export async function patchJob(api: Api, name: string, body: object): Promise<JobObject | undefined> {
  try {
    const type = 'application/merge-patch+json'
    return await api.ask<JobObject>('PATCH', `${jobsPath(api.access.namespace)}/${name}`, { body, type })
  } catch (error) {
    if (error instanceof ApiError && error.status.code === 404) return undefined
    throw explained(error, `changing job ${name}`)
  }
}
