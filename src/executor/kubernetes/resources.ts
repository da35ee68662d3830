/** What a job asks for, as requests and limits of its container. */
import { ConfigError } from '../../core/errors.ts'
import type { KubernetesSettings } from '../../core/kubernetes-settings.ts'
import type { ResolvedResources } from '../../core/resources.ts'

const hints: Partial<Record<keyof ResolvedResources, string>> = {
  partition: 'choose nodes with kubernetes: { nodeSelector: … } in the profile, a project with namespace',
  account: 'a project is a namespace here: kubernetes: { namespace: … } in the profile',
  constraint: 'choose nodes with kubernetes: { nodeSelector: … } in the profile',
  nodelist: 'choose nodes with kubernetes: { nodeSelector: … } in the profile',
  qos: 'kubernetes: { pod: { priorityClassName: … } } in the profile',
  priority: 'kubernetes: { pod: { priorityClassName: … } } in the profile',
  native: 'kubernetes: { pod: … } in the profile is merged into the spec of the pod',
  requeue: 'a function never runs twice by itself here; `retry` runs again what failed',
}

const expressed: readonly (keyof ResolvedResources)[] = [
  'cores',
  'memoryBytes',
  'timeSeconds',
  'gpus',
  'name',
  'signal',
]

/** @throws ConfigError RESOURCE_UNSUPPORTED */
export function containerResources(
  resources: ResolvedResources,
  { gpuResource = 'nvidia.com/gpu' }: KubernetesSettings,
): object {
  for (const [key, value] of Object.entries(resources) as [keyof ResolvedResources, unknown][]) {
    // One task on one node is what a pod is.
    const isOne = (key === 'nodes' || key === 'tasksPerNode') && value === 1
    if (value === undefined || isOne || expressed.includes(key)) continue
    throw unsupported(key, hints[key])
  }
  if (resources.gpus?.type !== undefined)
    throw unsupported(
      'a type of GPU',
      'choose nodes by their label: kubernetes: { nodeSelector: … } in the profile',
    )
  const asked: Record<string, string> = {
    ...(resources.cores === undefined ? {} : { cpu: String(resources.cores) }),
    ...(resources.memoryBytes === undefined ? {} : { memory: String(resources.memoryBytes) }),
    ...(resources.gpus === undefined ? {} : { [gpuResource]: String(resources.gpus.count) }),
  }
  // Both the same: what is promised is there, and what is used beyond it is nobody else's.
  return { requests: asked, limits: asked }
}

function unsupported(
  name: string,
  hint = `leave ${name} out, or use a profile with another scheduler`,
): ConfigError {
  return new ConfigError('RESOURCE_UNSUPPORTED', `kubernetes cannot express ${name}`, { hint })
}
