/** What the cluster has: nodes without what pods ask of them; where nodes may not be read, what the namespace is allowed. */
import {
  type Amount,
  type NodeCapacity,
  type NodeState,
  type PartitionCapacity,
  type Share,
  sumNodes,
} from '../../core/capacity.ts'
import { FarcallError } from '../../core/errors.ts'
import type { KubernetesSettings, KubernetesToleration } from '../../core/kubernetes-settings.ts'
import type { PlaceResources } from '../executor.ts'
import { type Api, ApiError, explained } from './api.ts'
import type { Meta, Node, Pod, Quantities, Quota } from './objects.ts'
import { listAll } from './pod-watch.ts'
import { readQuantity } from './quantity.ts'

const alive = 'status.phase!=Succeeded,status.phase!=Failed'

/** @throws FarcallError REQUEST_FORBIDDEN when neither may be read, TransportError */
export async function readCapacity(api: Api, settings: KubernetesSettings): Promise<PlaceResources> {
  const { namespace } = api.access
  const [nodes, pods, quotas] = await Promise.all([
    unlessForbidden(listAll<Node>(api, '/api/v1/nodes'), 'reading nodes'),
    unlessForbidden(listAll<Pod>(api, '/api/v1/pods', { fieldSelector: alive }), 'reading pods'),
    unlessForbidden(listAll<Quota>(api, quotasPath(namespace)), 'reading quotas'),
  ])
  const missing = [
    ...(nodes ? [] : ['list nodes']),
    ...(pods ? [] : ['list pods in all namespaces']),
    ...(quotas ? [] : ['list resourcequotas in the namespace']),
  ]
  const seen = nodes && seenOf(nodes, pods, settings)
  const allowed = quotas && allowedOf(quotas, settings)
  if (!seen && !allowed)
    throw new FarcallError(
      'REQUEST_FORBIDDEN',
      `what the cluster has cannot be read: ${quotas ? 'the namespace has no quota, and ' : ''}this account may not ${missing.join(', ')}`,
      { hint: 'ask who runs the cluster for these rights; docs/clusters/kubernetes.md has the ClusterRole' },
    )
  const partition: PartitionCapacity = {
    name: namespace,
    isDefault: true,
    up: !seen || seen.nodes.idle + seen.nodes.allocated > 0,
    ...seen,
    ...(seen?.cores ? {} : allowed),
  }
  return { partitions: [partition], notes: notesOf(missing, seen, allowed, partition) }
}

export const quotasPath = (namespace: string) => `/api/v1/namespaces/${namespace}/resourcequotas`

type Seen = ReturnType<typeof sumNodes>
type Allowed = Pick<PartitionCapacity, 'cores' | 'memory' | 'gpus'>

function notesOf(
  missing: readonly string[],
  seen: Seen | undefined,
  allowed: Allowed | undefined,
  partition: PartitionCapacity,
): string[] {
  const byQuota = allowed && !seen?.cores
  const told = !seen
    ? 'nodes cannot be read'
    : seen.cores
      ? undefined
      : 'what pods have of the nodes cannot be read'
  if (!told) {
    // A quota may let us have less than there is.
    const least = allowed?.cores && partition.cores && allowed.cores.free < partition.cores.free
    return least ? [`the quota of the namespace leaves ${allowed.cores!.free} cores of these`] : []
  }
  const rights = missing.filter((right) => !right.includes('resourcequotas') || !allowed)
  return [
    `${told}${byQuota ? ': cores, memory and GPUs are what the quota of the namespace allows, whether or not nodes have it' : ''}; it takes the right to ${rights.join(' and to ')}`,
  ]
}

/** Undefined: we may not. */
async function unlessForbidden<T>(
  list: Promise<{ items: readonly T[] }>,
  what: string,
): Promise<readonly T[] | undefined> {
  try {
    return (await list).items
  } catch (error) {
    // The caller says what is missing.
    if (error instanceof ApiError && error.status.code === 403) return undefined
    throw explained(error, what)
  }
}

function seenOf(
  nodes: readonly Node[],
  pods: readonly Pod[] | undefined,
  settings: KubernetesSettings,
): Seen {
  const { gpuResource = 'nvidia.com/gpu' } = settings
  const asked = new Map<string, Map<string, number>>()
  for (const pod of pods ?? []) {
    const node = pod.spec?.nodeName
    if (node === undefined) continue
    const sums = asked.get(node) ?? new Map<string, number>()
    asked.set(node, sums)
    for (const [name, amount] of requestsOf(pod)) sums.set(name, (sums.get(name) ?? 0) + amount)
  }
  return sumNodes(
    nodes
      .filter((node) => isForUs(node, settings))
      .map((node): NodeCapacity => {
        const own = asked.get(node.metadata.name)
        const share = (name: string): Share | undefined => {
          const total = readQuantity(node.status?.allocatable?.[name])
          return total === undefined || !pods ? undefined : { total, used: own?.get(name) ?? 0 }
        }
        const [cores, memory, gpus] = [share('cpu'), share('memory'), share(gpuResource)]
        return {
          state: stateOf(node, settings, own !== undefined),
          ...(cores && { cores }),
          ...(memory && { memory }),
          ...(pods ? { gpus: new Map(gpus ? [[kindOf(node.metadata), gpus]] : []) } : {}),
        }
      }),
  )
}

/** NVIDIA's device plugin labels nodes with it: https://github.com/NVIDIA/k8s-device-plugin */
const kindOf = ({ labels }: Meta) => labels?.['nvidia.com/gpu.product'] ?? ''

/** What a pod has of its node: its containers together, or the init container that asks for more. */
function requestsOf({ spec }: Pod): Map<string, number> {
  const sums = new Map<string, number>()
  const amounts = (requests: Quantities | undefined) =>
    Object.entries(requests ?? {}).map(([name, text]) => [name, readQuantity(text) ?? 0] as const)
  for (const { resources } of spec?.containers ?? [])
    for (const [name, amount] of amounts(resources?.requests)) sums.set(name, (sums.get(name) ?? 0) + amount)
  for (const { resources } of spec?.initContainers ?? [])
    for (const [name, amount] of amounts(resources?.requests))
      sums.set(name, Math.max(sums.get(name) ?? 0, amount))
  for (const [name, amount] of amounts(spec?.overhead)) sums.set(name, (sums.get(name) ?? 0) + amount)
  return sums
}

function isForUs({ metadata }: Node, { nodeSelector = {}, pod }: KubernetesSettings): boolean {
  const selector = { ...nodeSelector, ...(pod?.['nodeSelector'] as object | undefined) }
  return Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value)
}

function stateOf({ spec, status }: Node, settings: KubernetesSettings, runsPods: boolean): NodeState {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready?.status !== 'True') return 'down'
  if (spec?.unschedulable) return 'drained'
  const tolerations = [
    ...(settings.tolerations ?? []),
    ...((settings.pod?.['tolerations'] as KubernetesToleration[] | undefined) ?? []),
  ]
  const closed = spec?.taints?.some(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((one) => tolerates(one, taint)),
  )
  if (closed) return 'other'
  return runsPods ? 'allocated' : 'idle'
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ */
function tolerates(
  { key, operator = 'Equal', value = '', effect }: KubernetesToleration,
  taint: { readonly key: string; readonly value?: string; readonly effect: string },
): boolean {
  if (effect !== undefined && effect !== taint.effect) return false
  if (key === undefined) return operator === 'Exists'
  return key === taint.key && (operator === 'Exists' || value === (taint.value ?? ''))
}

/** Of several quotas the one that leaves least counts. Undefined: none of them limits any of it. */
function allowedOf(quotas: readonly Quota[], { gpuResource = 'nvidia.com/gpu' }: KubernetesSettings) {
  const least = (...names: string[]): Amount | undefined => {
    let found: Amount | undefined
    for (const { status } of quotas)
      for (const name of names) {
        const total = readQuantity(status?.hard?.[name])
        if (total === undefined) continue
        const used = readQuantity(status?.used?.[name]) ?? 0
        const free = Math.max(0, total - used)
        if (!found || free < found.free) found = { total, used, free }
      }
    return found
  }
  const cores = least('requests.cpu', 'cpu', 'limits.cpu')
  const memory = least('requests.memory', 'memory', 'limits.memory')
  const gpus = least(`requests.${gpuResource}`)
  if (!cores && !memory && !gpus) return undefined
  return {
    ...(cores && { cores }),
    ...(memory && { memory }),
    ...(gpus && { gpus: { ...gpus, kinds: {} } }),
  }
}
