import type { Snapshot } from '../../capture/types.ts'
import type { ResolvedProfile } from '../../config/types.ts'
import type { ContainerSettings } from '../../core/container-settings.ts'
import { ConfigError } from '../../core/errors.ts'
import { parseNodeSetting } from '../../core/node-setting.ts'
import type { ContainedEnvironment, Environment } from '../../core/profile.ts'
import { type JobSpec, protocolVersion, type Slots } from '../../core/protocol.ts'
import { resolveContainer } from '../../core/resolve-container.ts'
import { resolveResources } from '../../core/resolve-resources.ts'
import { resolveRetry } from '../../core/resolve-retry.ts'
import { requirePlainText } from '../../core/shell.ts'
import { parseDuration } from '../../core/units.ts'
import { version } from '../../core/version.ts'
import type { ExecutorTraits } from '../../executor/executor.ts'
import { mergeEnvironments } from '../options/merge-options.ts'
import type { ClusterOptions } from '../options/options.ts'
import { splitOptions } from '../options/split-options.ts'
import type { ItemTime } from '../outcome/item-time.ts'
import type { NodePlace } from '../payload/node-seen.ts'
import { requireBase } from '../retries/retry.ts'
import { type Planned, planMembers } from './plan.ts'
import { resolveRanks } from './ranks.ts'
import { resolveSlots } from './slots.ts'

/** What decides which Node will run it. @internal */
export function placeOf(profile: ResolvedProfile, options: ClusterOptions): NodePlace {
  const { resources, environment, container = profile.container ?? false } = splitOptions(options)
  return {
    profile,
    resources: resolveResources({ ...profile.resources, ...resources }),
    environment: contained(mergeEnvironments(profile.environment, environment), container),
  }
}

/** @throws ConfigError OPTION_INVALID for what is the node's, and is not seen inside */
function contained(
  environment: Environment,
  container: false | string | ContainerSettings,
): ContainedEnvironment {
  if (container === false) return environment
  for (const key of ['conda', 'venv', 'path', 'cwd'] as const)
    if (environment[key])
      throw new ConfigError('OPTION_INVALID', `environment.${key} and container do not go together`, {
        hint:
          key === 'cwd'
            ? 'say where it starts inside: container.workdir'
            : 'what is set up on the node is not seen inside: put it into the image, or leave it out for this call',
      })
  const node = parseNodeSetting(environment.node ?? 'auto')
  if (node?.kind === 'module')
    throw new ConfigError('OPTION_INVALID', 'environment.node: there are no modules inside of a container', {
      hint: "leave it out, or name a version ('20'), or the program's path in the image",
    })
  return { ...environment, container: resolveContainer(container) }
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
  const ranks = resolveRanks({ profile, resources, environment }, options, {
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
