import type { Snapshot } from '../capture/types.ts'
import type { ResolvedProfile } from '../config/types.ts'
import { ConfigError } from '../core/errors.ts'
import { type JobSpec, protocolVersion, type Slots } from '../core/protocol.ts'
import { resolveResources } from '../core/resolve-resources.ts'
import { resolveRetry } from '../core/resolve-retry.ts'
import { requirePlainText } from '../core/shell.ts'
import { parseDuration } from '../core/units.ts'
import type { ExecutorTraits } from '../executor/executor.ts'
import type { ItemTime } from './item-time.ts'
import type { NodePlace } from './node-seen.ts'
import { type ClusterOptions, mergeEnvironments, splitOptions } from './options.ts'
import { type Planned, planMembers } from './plan.ts'
import { resolveRanks } from './ranks.ts'
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
    | 'bundle'
    | 'compiledFor'
    | 'client'
    | 'items'
    | 'map'
    | 'part'
    | 'packages'
    | 'interpreter'
    | 'stage'
    | 'shared'
    | 'stream'
    | 'parents'
  > {
  /** What is known of this function's items. */
  readonly itemTime?: ItemTime | undefined
}

/** How so many items are dealt to members at a place. @throws ConfigError OPTION_INVALID, UNIT_INVALID */
export function planFor(
  items: number,
  { profile, resources }: Pick<NodePlace, 'profile' | 'resources'>,
  options: ClusterOptions,
  traits: ExecutorTraits,
  itemTime: ItemTime | undefined,
): { readonly planned: Planned; readonly slots: Slots | undefined } {
  const { chunk, coresPerItem, gpusPerItem, concurrency, targetTime } = splitOptions(options)
  const slots = resolveSlots(resources, coresPerItem, gpusPerItem)
  const planned = planMembers({
    items,
    chunk,
    traits,
    cores: resources.cores ?? 1,
    slots: slots?.count ?? 1,
    concurrency: concurrency ?? profile.concurrency,
    itemTime,
    targetSeconds:
      targetTime ??
      (profile.targetTime === undefined ? undefined : parseDuration(profile.targetTime, 'targetTime')),
    timeSeconds: resources.timeSeconds,
  })
  return { planned, slots }
}

export function functionOf({ name, file, line }: Snapshot): JobSpec['function'] {
  return {
    name,
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
  }
}

/** What is asked of the place. */
export function makeSpec(
  id: string,
  snapshot: Snapshot,
  { profile, resources, environment }: NodePlace,
  options: ClusterOptions,
  traits: ExecutorTraits,
  { itemTime, ...facts }: SpecFacts,
): JobSpec {
  const { concurrency = profile.concurrency, tags } = splitOptions(options)
  // One that waits for its reader must not have another wait behind it.
  const dealt: ClusterOptions = facts.stream ? { ...options, chunk: 1 } : options
  const { planned, slots } = planFor(facts.items, { profile, resources }, dealt, traits, itemTime)
  const { chunk, members } = planned
  if (facts.stage && environment.cwd !== undefined)
    throw new ConfigError('OPTION_INVALID', 'environment.cwd and files that are staged do not go together', {
      hint: 'with `stage` or localFile() each call has a working directory of its own; use paths in full, or remove one of the two',
    })
  const ranks = resolveRanks({ profile, resources }, options, {
    ...(slots ? { slots } : {}),
    ...(facts.stream ? { stream: facts.stream } : {}),
  })
  const retry =
    splitOptions(options).retry ?? (profile.retry === undefined ? undefined : resolveRetry(profile.retry))
  if (retry) requireBase(retry, resources)
  return {
    protocol: protocolVersion,
    id,
    attempt: 1,
    name: requirePlainText(resources.name ?? (snapshot.name || 'farcall'), 'name'),
    function: functionOf(snapshot),
    ...(snapshot.command ? { command: true } : {}),
    // The executor fills in its own: a client does not know what runs there.
    runtime: { sha256: '', size: 0, ext: 'cjs' },
    ...facts,
    chunk,
    members,
    ...(slots ? { slots: { ...slots, count: Math.min(slots.count, chunk) } } : {}),
    ...(ranks ? { ranks } : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
    resources,
    environment,
    ...(retry && retry.retries > 0 ? { retry } : {}),
    ...(tags && tags.length > 0 ? { tags } : {}),
    createdAt: new Date().toISOString(),
    farcall: version,
  }
}
