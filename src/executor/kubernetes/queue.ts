/** The pods of the namespace that wait and run, as a queue. */
import type { QueuedJob, QueuedJobs } from '../../core/queued-job.ts'
import type { JobStatus } from '../../core/status.ts'
import { type Api, explained } from './api.ts'
import { labels, managed, podsPath } from './names.ts'
import type { Pod } from './objects.ts'
import { viewOf } from './pod-status.ts'
import { listAll } from './pod-watch.ts'
import { readQuantity } from './quantity.ts'

/** Whose a pod is, the API does not say: `mine` are those that farcall made, all others in the namespace are of 'others'. */
export async function readQueue(api: Api, mine: boolean, gpuResource: string): Promise<QueuedJobs> {
  const { namespace } = api.access
  const query = {
    fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
    ...(mine ? { labelSelector: managed } : {}),
  }
  const { items } = await listAll<Pod>(api, podsPath(namespace), query).catch((error) => {
    throw explained(error, 'reading pods')
  })
  return { user: 'farcall', jobs: items.map((pod) => queuedJob(pod, namespace, gpuResource)) }
}

function queuedJob(pod: Pod, namespace: string, gpuResource: string): QueuedJob {
  const { metadata, spec } = pod
  const isOurs = metadata.labels?.[labels.managedBy] === 'farcall'
  const status = isOurs ? viewOf(pod).status : phaseOf(pod)
  const sum = (name: string) => {
    const asked = (spec?.containers ?? []).map(
      ({ resources }) => readQuantity(resources?.requests?.[name]) ?? 0,
    )
    return asked.reduce((all, one) => all + one, 0) || undefined
  }
  const facts = {
    partition: namespace,
    cores: sum('cpu'),
    memory: sum('memory'),
    gpus: sum(gpuResource),
    submittedAt: readTime(metadata.creationTimestamp),
    startedAt: status.state === 'ACTIVE' ? readTime(pod.status?.startTime) : undefined,
    where: spec?.nodeName,
  }
  const told = Object.entries(facts).filter(([, value]) => value !== undefined)
  return {
    // Of a pod of ours the Job, which is what `cancel` and records know.
    nativeId: (isOurs && metadata.labels?.[labels.submission]) || metadata.name,
    name: metadata.name,
    user: isOurs ? 'farcall' : 'others',
    status,
    ...Object.fromEntries(told),
  }
}

function phaseOf({ status, metadata }: Pod): JobStatus {
  const { phase = 'Pending' } = status ?? {}
  if (metadata.deletionTimestamp !== undefined)
    return { state: 'ACTIVE', reason: 'completing', native: phase }
  return { state: phase === 'Running' ? 'ACTIVE' : 'QUEUED', native: phase }
}

function readTime(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? undefined : time
}
