import type { Clock } from '../../core/clock.ts'
import type { Api } from './api.ts'
import { labels } from './names.ts'
import type { JobObject } from './objects.ts'
import { viewOf } from './pod-status.ts'
import { letGo } from './results.ts'
import { patchJob } from './submission.ts'
import type { TrackedJob } from './tracked-job.ts'

/** What pods take to end that have nothing more to do. */
const endSeconds = 10

/** Its results were delivered, so its pods need not wait any longer; the server removes it in time. */
export async function keepJob(api: Api, job: TrackedJob, clock: Clock): Promise<void> {
  const there = await patchJob(api, job.name, { metadata: { labels: { [labels.collected]: 'true' } } })
  const ended = there?.status?.conditions?.some(({ status }) => status === 'True')
  // With pods that never run it would not end, and its time to live not begin.
  if (there && !ended)
    await patchJob(api, job.name, { spec: { activeDeadlineSeconds: secondsLeft(there, clock) } })
  for (const pod of job.pods.values()) if (viewOf(pod).kept) await letGo(api, pod)
}

/** From its start, those in which pods that are ending can do so. */
function secondsLeft({ status }: JobObject, clock: Clock): number {
  const since = Date.parse(status?.startTime ?? '') || clock.now()
  return Math.max(1, Math.ceil((clock.now() - since) / 1000) + endSeconds)
}
