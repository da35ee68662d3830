import { containerScope } from '../../container/scope.ts'
import { ConfigError } from '../../core/errors.ts'
import type { Environment, Profile } from '../../core/profile.ts'
import { type JobSpec, paths, scriptFile } from '../../core/protocol.ts'
import { parseWarning } from '../../core/warning-signal.ts'
import { renderDirectives } from '../../scheduler/directives.ts'
import { renderScript } from '../../scheduler/render.ts'
import type { AfterJob, Directives, Scheduler } from '../../scheduler/scheduler.ts'

/** What the scheduler is asked for a job. */
export function directivesOf(spec: JobSpec, workdir: string, after: readonly AfterJob[] = []): Directives {
  const concurrency = spec.concurrency === undefined ? {} : { concurrency: spec.concurrency }
  const only = spec.only === undefined ? {} : { only: spec.only }
  return {
    ...spec.resources,
    name: spec.name,
    log: `${workdir}/${paths.job(spec.id)}/scheduler.log`,
    ...(after.length > 0 ? { after } : {}),
    ...(spec.members > 1 ? { array: { size: spec.members, ...concurrency, ...only } } : {}),
  }
}

/** MAX_ARG_STRLEN of Linux (execve(2)): no program starts with a longer one. */
const longestVariable = 128 * 1024 - 1

function requireShortVariables({ variables = {} }: Environment): void {
  for (const [name, value] of Object.entries(variables)) {
    const bytes = Buffer.byteLength(`${name}=${value}`)
    if (bytes > longestVariable)
      throw new ConfigError(
        'OPTION_INVALID',
        `environment.variables.${name} has ${bytes} bytes, and Linux starts no program with a variable of more than ${longestVariable}`,
        { hint: 'give it as an argument, or put it into a file there and its path into the variable' },
      )
  }
}

/** job.sh: directives, then what starts the runtime. @throws ConfigError */
export function renderJobScript(
  spec: JobSpec,
  scheduler: Scheduler,
  profile: Profile & { readonly deniedMounts?: readonly string[] },
  place: { workdir: string; runtime: string },
  after: readonly AfterJob[] = [],
): string {
  const { resources, concurrency } = spec
  requireShortVariables(spec.environment)
  return renderScript(profile.template === undefined ? scheduler.template : { path: profile.template }, {
    ...place,
    directives: renderDirectives(scheduler, directivesOf(spec, place.workdir, after)),
    script: `${place.workdir}/${paths.job(spec.id)}/${scriptFile(spec.attempt)}`,
    after: after.map(({ nativeId }) => nativeId),
    id: spec.id,
    attempt: spec.attempt,
    members: spec.members,
    only: spec.only,
    warning: resources.signal === undefined ? undefined : parseWarning(resources.signal),
    items: spec.items,
    chunk: spec.chunk,
    client: spec.client,
    memberVariable: spec.members > 1 ? (scheduler.array?.indexVariable ?? '') : '',
    memberBase: scheduler.array?.base ?? 0,
    restartCount: scheduler.restartCount,
    restarts: scheduler.restartCount !== '0' && resources.requeue !== false,
    environment: spec.environment,
    container:
      spec.environment.container &&
      containerScope(spec.environment.container, spec.environment, {
        gpus: resources.gpus?.count ?? 0,
        denied: profile.deniedMounts ?? [],
      }),
    interpreter: spec.interpreter,
    cores: resources.cores,
    tasksPerNode: spec.ranks?.perNode ?? 1,
    memoryBytes: resources.memoryBytes,
    timeSeconds: resources.timeSeconds,
    gpus: resources.gpus?.count,
    concurrency,
  })
}
