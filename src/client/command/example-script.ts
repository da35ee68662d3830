import { systemClock } from '../../core/clock.ts'
import { ConfigError } from '../../core/errors.ts'
import { unnamedScheduler } from '../../core/profile.ts'
import { isKubernetes } from '../../executor/kubernetes/name.ts'
import { openExecutor } from '../../executor/open.ts'
import { knownScheduler } from '../options/found-schedulers.ts'
import type { ClusterOptions } from '../options/options.ts'
import { localSettings, type Settings, writtenSettings } from '../options/settings.ts'
import { makeSpec, placeOf } from '../submit/spec.ts'
import { commandSnapshot } from './command-snapshot.ts'

export interface ExampleRequest {
  /** Path of a template; absent: the profile's, or the scheduler's own. */
  readonly template?: string
  readonly profile?: string
  /** Instead of a profile: its scheduler as it usually is, with no settings. */
  readonly scheduler?: string
  readonly options: ClusterOptions
}

/** What a profile's template would make of an example. */
export interface Example {
  readonly scheduler: string
  /** The path of a user's own; undefined: the scheduler's. */
  readonly template: string | undefined
  /** @throws ConfigError TEMPLATE_INVALID, RESOURCE_UNSUPPORTED … */
  script(items: number): Promise<string>
}

/** Looks at the configuration alone: nothing is connected, and nobody asked. @throws ConfigError */
export async function exampleOf({
  template,
  profile: name,
  scheduler,
  options,
}: ExampleRequest): Promise<Example> {
  const settings = await (scheduler === undefined ? writtenSettings(name) : localSettings('local'))
  const known = scheduler ?? schedulerOf(settings)
  const written = settings.profile
  // A scheduler alone has nothing of the profile that calls go to here.
  const { template: _, ...base } =
    scheduler === undefined ? written : { ...written, resources: {}, environment: { node: 'auto' } }
  const path = template ?? (scheduler === undefined ? written.template : undefined)
  const profile = { ...base, scheduler: known, ...(path === undefined ? {} : { template: path }) }
  const at = placeOf(profile, options)
  return {
    scheduler: known,
    template: path,
    async script(items) {
      await using executor = openExecutor(profile, systemClock)
      const facts = {
        bundle: { sha256: '0'.repeat(64), size: 0, ext: 'mjs' },
        client: 'c0123456789ab',
        items,
        map: items > 1,
      }
      const spec = makeSpec(
        'fexampleexampl',
        commandSnapshot('example'),
        at,
        { ...options, chunk: 1 },
        executor.traits,
        facts,
      )
      return scriptOf(await executor.script(spec), known)
    },
  }
}

/** Of Kubernetes what is shown of a job has its object as well. */
async function scriptOf(shown: string, scheduler: string): Promise<string> {
  if (!isKubernetes(scheduler)) return shown
  const { beforeScript } = await import('../../executor/kubernetes/submitter.ts')
  return shown.slice(shown.indexOf(beforeScript) + beforeScript.length)
}

/** @throws ConfigError SCHEDULER_UNKNOWN where the place would have to be asked */
function schedulerOf({ name, profile, storeDir }: Settings): string {
  if (profile.scheduler !== unnamedScheduler) return profile.scheduler
  const known = knownScheduler(storeDir, profile)
  if (known) return known.scheduler
  throw new ConfigError(
    'SCHEDULER_UNKNOWN',
    `profile '${name}' names no scheduler, and none was found out yet`,
    {
      hint: 'say which: --scheduler slurm; a first call finds it out',
    },
  )
}
