import type { Snapshot } from '../capture/types.ts'
import type { ResolvedProfile } from '../config/types.ts'
import { blobOf } from '../core/blob.ts'
import { systemClock } from '../core/clock.ts'
import { JobCanceledError } from '../core/errors.ts'
import { type JobSpec, protocolVersion } from '../core/protocol.ts'
import { resolveResources } from '../core/resolve-resources.ts'
import { resolveRetry } from '../core/resolve-retry.ts'
import { requirePlainText } from '../core/shell.ts'
import type { ExecutorTraits } from '../executor/executor.ts'
import { canceledBefore } from './failures.ts'
import { here, type NodePlace, nodeAt } from './node-seen.ts'
import { type ClusterOptions, mergeEnvironments, splitOptions } from './options.ts'
import { planMembers } from './plan.ts'
import { submitPatiently } from './retries.ts'
import { requireBase } from './retry.ts'
import { type Session, sessionFor } from './session.ts'
import { profileFor } from './settings.ts'
import type { Submission } from './submission.ts'
import { version } from './version.ts'

/** What is to be submitted: one function with one set of captured values, and its inputs. */
export interface Request {
  readonly snapshot: Snapshot
  readonly options: ClusterOptions
  /** Encoded inputs, one for each item. */
  readonly entries: readonly Uint8Array[]
  readonly map: boolean
}

/** Submits. Rejects, and so do all items, when that is not possible. */
export async function dispatch(submission: Submission, request: Promise<Request>): Promise<Session> {
  try {
    const { snapshot, options, entries, map } = await request
    const { profile, session } = await open(options)
    // A map over nothing: its result is known.
    if (entries.length === 0) return session
    const at = placeOf(profile, options)
    const node = nodeAt(at, here())
    const [bundle] = await Promise.all([snapshot.bundle(node), session.executor.open()])
    const spec = makeSpec(submission.id, snapshot, at, options, session.executor.traits, {
      bundle: blobOf(bundle.code, 'mjs'),
      compiledFor: node,
      client: session.client,
      items: entries.length,
      map,
    })
    const decoder = { classes: snapshot.classes(), map: bundle.map }
    const tools = { clock: systemClock, random: Math.random, client: session.client, bundle: bundle.code }
    submission.begin({ spec, executor: session.executor, decoder, tools })
    if (submission.canceling !== undefined) throw canceledBefore(submission)
    const payload = { spec, args: [snapshot.values(), ...entries], bundle: bundle.code }
    await submitPatiently(submission, spec.retry, tools, () => session.submit(submission, payload))
    return session
  } catch (error) {
    const canceled = error instanceof JobCanceledError
    submission.abandon(error, canceled ? error.status : { state: 'FAILED', reason: 'submit-failed' })
    throw error
  }
}

/** The script that would be submitted for one input. */
export async function renderOnly(id: string, snapshot: Snapshot, options: ClusterOptions): Promise<string> {
  const { profile, session } = await open(options)
  const at = placeOf(profile, options)
  const compiledFor = nodeAt(at, here())
  const bundle = blobOf((await snapshot.bundle(compiledFor)).code, 'mjs')
  const rest = { bundle, compiledFor, client: session.client, items: 1, map: false }
  return session.executor.script(makeSpec(id, snapshot, at, options, session.executor.traits, rest))
}

async function open(options: ClusterOptions): Promise<{ profile: ResolvedProfile; session: Session }> {
  const profile = await profileFor(options.profile)
  return { profile, session: await sessionFor(profile) }
}

/** What decides which Node will run it. @internal */
export function placeOf(profile: ResolvedProfile, options: ClusterOptions): NodePlace {
  const { resources, environment } = splitOptions(options)
  return {
    profile,
    resources: resolveResources({ ...profile.resources, ...resources }),
    environment: mergeEnvironments(profile.environment, environment),
  }
}

interface SpecFacts extends Pick<JobSpec, 'bundle' | 'compiledFor' | 'client' | 'items' | 'map'> {}

function makeSpec(
  id: string,
  snapshot: Snapshot,
  { profile, resources, environment }: NodePlace,
  options: ClusterOptions,
  traits: ExecutorTraits,
  facts: SpecFacts,
): JobSpec {
  const { concurrency = profile.concurrency, chunk } = splitOptions(options)
  const retry =
    splitOptions(options).retry ?? (profile.retry === undefined ? undefined : resolveRetry(profile.retry))
  if (retry) requireBase(retry, resources)
  const plan = planMembers(facts.items, chunk, resources.cores ?? 1, traits)
  return {
    protocol: protocolVersion,
    id,
    attempt: 1,
    name: requirePlainText(resources.name ?? (snapshot.name || 'farcall'), 'name'),
    function: {
      name: snapshot.name,
      ...(snapshot.file === undefined ? {} : { file: snapshot.file }),
      ...(snapshot.line === undefined ? {} : { line: snapshot.line }),
    },
    // The executor fills in its own: a client does not know what runs there.
    runtime: { sha256: '', size: 0, ext: 'cjs' },
    ...facts,
    ...plan,
    ...(concurrency === undefined ? {} : { concurrency }),
    resources,
    environment,
    ...(retry && retry.retries > 0 ? { retry } : {}),
    createdAt: new Date().toISOString(),
    farcall: version,
  }
}
