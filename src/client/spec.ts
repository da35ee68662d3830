import type { Snapshot } from '../capture/types.ts'
import type { ResolvedProfile } from '../config/types.ts'
import { ConfigError } from '../core/errors.ts'
import { type JobSpec, protocolVersion } from '../core/protocol.ts'
import { resolveResources } from '../core/resolve-resources.ts'
import { resolveRetry } from '../core/resolve-retry.ts'
import { requirePlainText } from '../core/shell.ts'
import type { ExecutorTraits } from '../executor/executor.ts'
import type { NodePlace } from './node-seen.ts'
import { type ClusterOptions, mergeEnvironments, splitOptions } from './options.ts'
import { planMembers } from './plan.ts'
import { requireBase } from './retry.ts'
import { resolveSlots } from './slots.ts'
import { version } from './version.ts'

/** What decides which Node will run it. @internal */
export function placeOf(profile: ResolvedProfile, options: ClusterOptions): NodePlace {
  const { resources, environment } = splitOptions(options)
  return {
    profile,
    resources: resolveResources({ ...profile.resources, ...resources }),
    environment: mergeEnvironments(profile.environment, environment),
  }
}

export interface SpecFacts
  extends Pick<
    JobSpec,
    'bundle' | 'compiledFor' | 'client' | 'items' | 'map' | 'packages' | 'interpreter' | 'stage' | 'shared'
  > {}

/** What is asked of the place. */
export function makeSpec(
  id: string,
  snapshot: Snapshot,
  { profile, resources, environment }: NodePlace,
  options: ClusterOptions,
  traits: ExecutorTraits,
  facts: SpecFacts,
): JobSpec {
  const { concurrency = profile.concurrency, chunk, coresPerItem, gpusPerItem, tags } = splitOptions(options)
  const slots = resolveSlots(resources, coresPerItem, gpusPerItem)
  if (facts.stage && environment.cwd !== undefined)
    throw new ConfigError('OPTION_INVALID', 'environment.cwd and files that are staged do not go together', {
      hint: 'with `stage` or localFile() each call has a working directory of its own; use paths in full, or remove one of the two',
    })
  const retry =
    splitOptions(options).retry ?? (profile.retry === undefined ? undefined : resolveRetry(profile.retry))
  if (retry) requireBase(retry, resources)
  const plan = planMembers(facts.items, chunk, resources.cores ?? 1, traits, slots?.count)
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
    ...(slots ? { slots: { ...slots, count: Math.min(slots.count, plan.chunk) } } : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
    resources,
    environment,
    ...(retry && retry.retries > 0 ? { retry } : {}),
    ...(tags && tags.length > 0 ? { tags } : {}),
    createdAt: new Date().toISOString(),
    farcall: version,
  }
}
