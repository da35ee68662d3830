/** The scripts of a submission's containers. */
import type { KubernetesSettings } from '../../core/kubernetes-settings.ts'
import { attemptStep, blobName, type JobSpec, specFile } from '../../core/protocol.ts'
import { parseWarning } from '../../core/warning-signal.ts'
import { renderScript } from '../../scheduler/render.ts'
import { containers, podPaths } from './names.ts'
import type { Plan } from './plan.ts'

/** By file name, as the ConfigMap has them. @throws ConfigError */
export function scriptsOf(
  spec: JobSpec,
  settings: KubernetesSettings,
  plan: Plan,
  template?: string,
): Record<string, string> {
  const { resources, concurrency } = spec
  const { workdir } = podPaths
  const context = {
    directives: [],
    id: spec.id,
    attempt: spec.attempt,
    members: spec.members,
    only: spec.only,
    warning: resources.signal === undefined ? undefined : parseWarning(resources.signal),
    items: spec.items,
    chunk: spec.chunk,
    client: spec.client,
    workdir,
    runtime: `${workdir}/blobs/${blobName(spec.runtime)}`,
    memberVariable: '',
    memberBase: 0 as const,
    restartCount: '0',
    environment: spec.environment,
    interpreter: undefined,
    cores: resources.cores,
    memoryBytes: resources.memoryBytes,
    timeSeconds: resources.timeSeconds,
    gpus: resources.gpus?.count,
    concurrency,
    // This place's own.
    attemptStep,
    specFile: specFile(spec.attempt),
    lanes: plan.lanes,
    count: spec.only?.length ?? spec.members,
    mark: plan.mark,
    image: settings.image ?? '',
    lingerSeconds: plan.lingerSeconds,
    stageSeconds: plan.stageSeconds,
  }
  const own = template === undefined ? 'kubernetes.sh.liquid' : { path: template }
  return {
    [`${containers.main}.sh`]: renderScript(own, context),
    [`${containers.keeper}.sh`]: renderScript('kubernetes-keeper.sh.liquid', context),
    ...(plan.streamed
      ? { [`${containers.stage}.sh`]: renderScript('kubernetes-stage.sh.liquid', context) }
      : {}),
    'spec.json': JSON.stringify(spec),
  }
}
