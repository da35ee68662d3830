import { availableParallelism, totalmem } from 'node:os'
import type { Environment, Profile } from '../../core/profile.ts'
import type { ResolvedResources, Resources } from '../../core/resources.ts'
import { formatMemory } from '../../core/units.ts'
import { withMail, withoutMail } from '../notify/mail.ts'
import { mergeEnvironments } from '../options/merge-options.ts'
import type { ClusterOptions } from '../options/options.ts'
import { localSettings, type Settings, settingsFor } from '../options/settings.ts'
import { splitOptions } from '../options/split-options.ts'
import { placeOf } from './spec.ts'

/** The profile that a call runs with, and what is asked of it. */
export interface Where {
  readonly settings: Settings
  readonly options: ClusterOptions
  /** Why it is this machine and not the profile that was asked for. */
  readonly kept?: string
  /** Why a small map is not kept here. */
  readonly notKept?: string
}

/** What only a queue understands; on this machine there is none. */
const ofTheQueue = [
  'partition',
  'queue',
  'account',
  'qos',
  'reservation',
  'nodelist',
  'exclude',
  'exclusive',
  'priority',
  'mailType',
  'mailUser',
  'requeue',
] as const satisfies readonly (keyof Resources)[]

/** Decides, before anything is sent, whether a map of so many items is small enough to stay here. @throws ConfigError */
export async function whereToRun(asked: ClusterOptions, items: number, map: boolean): Promise<Where> {
  const settings = await settingsFor(asked.profile)
  const options = withMail(asked, settings.notify, settings.profile.resources)
  const { localThreshold = settings.profile.localThreshold ?? 0 } = splitOptions(options)
  if (!map || items > localThreshold || isHere(settings.profile)) return { settings, options }
  const at = placeOf(settings.profile, options)
  const missing = missingHere(at.resources, at.environment)
  if (missing !== undefined) return { settings, options, notKept: `it asks for ${missing}` }
  const local = await localSettings(options.profile)
  if (!isHere(local.profile)) return { settings, options, notKept: "profile 'local' is another machine" }
  const kept = `on this machine and not with profile ${settings.name}: ${items} items, localThreshold is ${localThreshold}`
  const { notify = [], ...callbacks } = settings.notify
  return {
    settings: { ...local, notify: { ...callbacks, notify: withoutMail(notify) } },
    options: optionsHere(settings.profile, local.profile, options),
    kept,
  }
}

export const isHere = ({ scheduler, host }: Profile) => scheduler === 'direct' && host === undefined

/** What a job needs that this machine cannot be counted on to have. */
export function missingHere(resources: ResolvedResources, environment: Environment): string | undefined {
  const { gpus, nodes = 1, tasksPerNode = 1, memoryBytes = 0, licenses, dependency, constraint } = resources
  const needs: [boolean, string][] = [
    [(gpus?.count ?? 0) > 0, 'GPUs'],
    [nodes > 1 || tasksPerNode > 1, 'several nodes or tasks'],
    [
      memoryBytes > totalmem(),
      `${formatMemory(memoryBytes)}, and this machine has ${formatMemory(totalmem())}`,
    ],
    [isSaid(licenses), 'licenses'],
    [isSaid(dependency), 'a dependency'],
    [isSaid(constraint), 'a constraint'],
    [isSaid(resources.native), 'native directives'],
  ]
  for (const name of ['modules', 'conda', 'venv', 'setup', 'path', 'cwd', 'loginShell', 'purge'] as const)
    needs.push([isSaid(environment[name]), `environment.${name}`])
  needs.push([(environment.node ?? 'auto') !== 'auto', 'environment.node'])
  return needs.find(([needed]) => needed)?.[1]
}

const isSaid = (value: unknown) =>
  value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)

/** The same function's options for this machine: what the profile asks for its jobs comes along, as far as it means something here. */
function optionsHere(from: Profile, to: Profile, options: ClusterOptions): ClusterOptions {
  const { resources } = splitOptions(options)
  const { profile: _, ...own } = options
  const asked: ClusterOptions & Record<string, unknown> = { ...from.resources, ...own, ...resources }
  for (const name of [...ofTheQueue, 'gpus', 'nodes', 'tasksPerNode']) delete asked[name]
  const cores = asked.cores === undefined ? {} : { cores: Math.min(asked.cores, availableParallelism()) }
  const { coresPerItem, targetTime = from.targetTime, retry = from.retry } = options
  return {
    ...asked,
    ...cores,
    ...(coresPerItem === undefined
      ? {}
      : { coresPerItem: Math.min(coresPerItem, cores.cores ?? coresPerItem) }),
    ...(targetTime === undefined || to.targetTime !== undefined ? {} : { targetTime }),
    ...(retry === undefined ? {} : { retry }),
    environment: mergeEnvironments(variablesOf(from.environment), options.environment ?? {}),
  }
}

/** The rest of a profile's environment is of its machines. */
function variablesOf({ variables, secrets, packages, umask }: Environment = {}): Environment {
  return {
    ...(variables ? { variables } : {}),
    ...(secrets ? { secrets } : {}),
    ...(packages ? { packages } : {}),
    ...(umask === undefined ? {} : { umask }),
  }
}
